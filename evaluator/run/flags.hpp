#pragma once

#include <string>
#include <vector>

#include "evaluator/run/evaluation.hpp"

// What makes a number doubtful although it could be computed: a broken merge must not look like a
// weak one.
namespace crucible::run {

// Adds one item to the task's counts of doubtful items.
void count_doubts(const task::Task& task, const Sample& sample, TaskResult& result);

// One sentence each, with the task's name and the share of its items.
std::vector<std::string> flags_of(const task::Suite& suite, const EvaluationReport& report);

}  // namespace crucible::run
