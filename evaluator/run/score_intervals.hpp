#pragma once

#include <vector>

#include "evaluator/run/evaluation.hpp"

// From items' values to metrics, groups and the suite's score, each with its interval.
namespace crucible::run {

// Every metric under every filter, in the task's order; then what a named rule gave beside them, as
// means. Wilson for proportions of independent items; Student on the cluster-robust error where
// items share a cluster; bootstrap of items for other means and for perplexities; normal from the
// harness's standard error for the rest.
Result<std::vector<MetricResult>> metrics_of(const task::Task& task,
                                             const std::vector<Sample>& samples);

// The harness's aggregate of each group (api/group.py): mean by size or plain, standard error
// pooled or of a plain mean. The intervals come from the members' spreads.
std::vector<GroupResult> groups_of(const task::Suite& suite, const std::vector<TaskResult>& tasks);

// The suite's rule with its values. Errors of different tasks are independent; those of one task,
// where it counts in several places, are taken to be fully correlated. kInvalidArgument for a leaf
// whose task or metric is missing.
Result<ScoreResult> score_of(const task::ScoreRule& rule, const std::vector<TaskResult>& tasks);

}  // namespace crucible::run
