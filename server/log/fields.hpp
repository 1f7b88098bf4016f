#pragma once

#include <nlohmann/json.hpp>

// What a log line is about, as values beside its text: the job, the attempt, the request. A scope
// adds fields to every line that its thread writes until it ends; the JSON log puts them into the
// line.
namespace crucible::server::log {

class Scope {
 public:
  // An object. Fields of inner scopes win.
  explicit Scope(const nlohmann::json& fields);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  nlohmann::json outer_;
};

// Of this thread: an object.
const nlohmann::json& current_fields();

}  // namespace crucible::server::log
