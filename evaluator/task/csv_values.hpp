#pragma once

#include <string>
#include <vector>

#include "evaluator/task/task.hpp"

namespace crucible::task {

// The cells of a CSV column with the type that pandas.read_csv gives it, as the harness's loader
// reads CSV: integers, else floats, else truth values, else text; missing values ("", "NA",
// "None"…) are null, and turn a column of integers into one of floats.
std::vector<Json> typed_column(std::vector<std::string> cells);

}  // namespace crucible::task
