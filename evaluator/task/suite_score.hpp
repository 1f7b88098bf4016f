#pragma once

#include <string>
#include <vector>

#include "evaluator/task/task.hpp"
#include "merger/base/error.hpp"
#include "yaml-cpp/yaml.h"

// The `score:` tree of a suite file.
namespace crucible::task {

// Checked against the suite's tasks and groups. `node` is nullptr where the file has none: the
// unweighted mean of the tasks' primary metrics.
ScoreRule read_score(const YAML::Node* node, const Suite& suite, std::vector<Fault>& faults);

// All of a rule that a score depends on, as one text.
std::string canonical_text(const ScoreRule& rule);

}  // namespace crucible::task
