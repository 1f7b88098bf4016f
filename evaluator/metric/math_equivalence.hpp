#pragma once

#include <optional>
#include <string>

// Whether a worked answer gives the value of a reference solution, in the manner of math-verify 0.9
// (huggingface/Math-Verify, Apache-2.0), which the harness uses for minerva_math's `math_verify`
// and leaderboard_math's `exact_match`. Not a port: answers are found by the same anchors in the
// same order; values are compared numerically at points of the complex plane where math-verify
// simplifies symbolically; lists, sets, tuples, intervals and matrices go element by element.
// Relations are compared by their two sides, without solving them.
namespace crucible::metric {

// The formula or number that a text ends in: after "final answer is … I hope", in the last box,
// after "answer", else the last formula or number.
std::optional<std::string> extract_answer(const std::string& text);

// Two extracted answers.
bool same_answer(const std::string& reference, const std::string& given);

}  // namespace crucible::metric
