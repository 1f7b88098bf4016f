#pragma once

#include <optional>
#include <string>

namespace crucible::metric {

// Where a worked text states its answer. Used by math_equivalence.cpp alone; patterns and their
// order are those of math-verify 0.9 (parser.py, Apache-2.0). Pure functions.
struct WrittenAnswer {
  std::optional<std::string> value;  // the first that can be read as a formula or a calculation
  std::optional<std::string> first;  // the first found, readable or not
};

// By anchors in the order of their weight: "final answer is … I hope", the last box, "final
// answer … is", "answer:", "answer", else any formula or number. Of one weight what ends last
// counts, then what begins first. Up to six formulas joined by commas or words are one list.
WrittenAnswer written_answer(const std::string& text);

// Whether math-verify reads it as a formula: not what has "\%" in it or ends in a mark.
bool is_formula(const std::string& latex);

}  // namespace crucible::metric
