#pragma once

#include <vector>

#include "evaluator/task/task.hpp"

// The four worked problems before every question of the MATH data set: Lewkowycz et al. 2022
// (arXiv:2206.14858, appendix), as lm-evaluation-harness spells them in tasks/minerva_math and
// tasks/leaderboard/math (MIT licence). The two differ in slips that are part of the prompts.
namespace crucible::task {

std::vector<Json> minerva_shots();
std::vector<Json> leaderboard_math_shots();

}  // namespace crucible::task
