#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tl/expected.hpp"

// The one error channel. Anything that can fail for an expected reason returns Result<T>;
// exceptions are for bugs and stop at the job or connection boundary.
namespace crucible {

enum class ErrorCode {
  kInvalidArgument,  // the caller's input is wrong: recipe, flag, request body
  kNotFound,         // a named thing does not exist
  kConflict,         // the thing's present state forbids the request
  kUnsupported,      // well-formed, but this build cannot do it
  kCorrupt,          // a file breaks its format
  kPermission,       // outside the allowed roots, or refused by the system
  kNoSpace,          // ENOSPC, EDQUOT or a budget spent
  kIo,               // any other failure of a file or process operation
  kUnavailable,      // try again later
  kDeadline,         // a time limit passed
  kCancelled,        // asked to stop
  kInternal,         // a bug; the message says where
};

// Stable lower-case name ("invalid_argument"), used in JSON and logs.
std::string_view to_string(ErrorCode code);
// The inverse; kInternal for an unknown name.
ErrorCode error_code_from(std::string_view name);

// One fault of an input. `path` points into it in the reader's own notation, for example
// `slices[2].sources[0].layer_range`; `suggestion` says what would be right, or is empty.
struct Fault {
  std::string path;
  std::string message;
  std::string suggestion;
  bool operator==(const Fault&) const = default;
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::vector<Fault> faults;  // all of them at once, in the input's order

  // Prefixes the message: "reading model.safetensors: short read".
  Error with_context(std::string_view context) &&;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::make_unexpected(Error{code, std::move(message), {}});
}
inline tl::unexpected<Error> fail(Error error) { return tl::make_unexpected(std::move(error)); }

// Message, then one indented line for each fault; what a terminal shows.
std::string describe(const Error& error);

// From errno: ENOSPC and EDQUOT are kNoSpace, ENOENT kNotFound, EACCES, EPERM and ELOOP
// kPermission, else kIo. The message is "<what>: <strerror>".
Error from_errno(int error_number, std::string_view what);

}  // namespace crucible
