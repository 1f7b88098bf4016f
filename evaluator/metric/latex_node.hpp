#pragma once

#include <memory>
#include <string>
#include <vector>

#include "evaluator/metric/latex_expression.hpp"

namespace crucible::metric {

// A node of a formula; used by its parser and its evaluation alone.
struct Expression::Node {
  enum class Kind { kNumber, kName, kSum, kProduct, kPower, kNegation, kInverse, kCall };
  Kind kind = Kind::kNumber;
  long double number = 0;
  std::string name;  // of a name or a called function
  std::vector<std::shared_ptr<const Node>> children;
};

}  // namespace crucible::metric
