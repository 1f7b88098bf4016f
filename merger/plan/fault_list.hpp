#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "merger/base/error.hpp"

namespace crucible::plan {

// Collects all faults of a recipe; the same path and message only once.
class FaultList {
 public:
  void add(std::string path, std::string message, std::string suggestion = "",
           ErrorCode code = ErrorCode::kInvalidArgument) {
    if (!seen_.emplace(path, message).second) return;
    if (faults_.empty()) code_ = code;
    if (code != code_) code_ = ErrorCode::kInvalidArgument;
    faults_.push_back({std::move(path), std::move(message), std::move(suggestion)});
  }
  bool empty() const { return faults_.empty(); }
  // Their common code, or kInvalidArgument where they differ.
  tl::unexpected<Error> error() && {
    return fail(Error{code_, "the recipe does not fit its models", std::move(faults_)});
  }

 private:
  ErrorCode code_ = ErrorCode::kInvalidArgument;
  std::vector<Fault> faults_;
  std::set<std::pair<std::string, std::string>> seen_;
};

}  // namespace crucible::plan
