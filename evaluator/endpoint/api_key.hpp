#pragma once

#include <filesystem>
#include <string>

#include "merger/base/error.hpp"

namespace crucible::endpoint {

// A secret that comes from an environment variable or a file, never from a command line, and goes
// nowhere but into the Authorization field.
class ApiKey {
 public:
  ApiKey() = default;  // none
  // kNotFound when the variable is not set or empty; kInvalidArgument when it cannot be a key.
  static Result<ApiKey> from_environment(const std::string& variable);
  static Result<ApiKey> from_file(const std::filesystem::path& file);

  bool empty() const { return value_.empty(); }
  std::string authorization() const { return empty() ? "" : "Bearer " + value_; }
  // `text`, in which a server may have repeated the key, without it.
  std::string scrub(std::string text) const;

 private:
  static Result<ApiKey> check(std::string value, const std::string& where);
  std::string value_;
};

}  // namespace crucible::endpoint
