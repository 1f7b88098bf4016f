#pragma once

#include <string>

// Whether a worked answer gives the value of a reference solution, in the manner of math-verify 0.9
// (huggingface/Math-Verify, Apache-2.0), which the harness uses for minerva_math's `math_verify`
// and leaderboard_math's `exact_match`. Not a port: answers are found by the same anchors in the
// same order ("final answer is … I hope", the last box, "answer", else the last formula or number);
// values are compared numerically at points of the complex plane where math-verify simplifies
// symbolically; lists, sets, tuples, intervals and matrices go element by element. Relations are
// compared by their two sides, without solving them.
namespace crucible::metric {

// `reference` is a formula, `text` the whole answer. False where nothing can be read, and for texts
// above 50,000 bytes. Depth and size of formulas are limited (latex_expression.hpp), steps of the
// search by text/regex.hpp.
bool verifies_answer(const std::string& reference, const std::string& text);

}  // namespace crucible::metric
