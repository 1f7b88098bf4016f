#pragma once

#include <string>
#include <string_view>

namespace crucible::task {

// A MATH answer in a normal form that equal answers share: units, dollars and spaces gone, \frac
// and \sqrt with braces, thousands without commas. Lewkowycz et al. 2022 (arXiv:2206.14858,
// appendix D) with the corrections of lm-evaluation-harness 0.4.13 tasks/minerva_math/utils.py.
std::string normalize_minerva_answer(std::string_view answer);

}  // namespace crucible::task
