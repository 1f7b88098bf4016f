#include "merger/base/error.hpp"

#include <array>
#include <cerrno>
#include <system_error>

namespace crucible {
namespace {

constexpr std::array<std::pair<ErrorCode, std::string_view>, 12> kNames{{
    {ErrorCode::kInvalidArgument, "invalid_argument"},
    {ErrorCode::kNotFound, "not_found"},
    {ErrorCode::kConflict, "conflict"},
    {ErrorCode::kUnsupported, "unsupported"},
    {ErrorCode::kCorrupt, "corrupt"},
    {ErrorCode::kPermission, "permission"},
    {ErrorCode::kNoSpace, "no_space"},
    {ErrorCode::kIo, "io"},
    {ErrorCode::kUnavailable, "unavailable"},
    {ErrorCode::kDeadline, "deadline"},
    {ErrorCode::kCancelled, "cancelled"},
    {ErrorCode::kInternal, "internal"},
}};

ErrorCode code_of(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::kNoSpace;
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
    case ELOOP:
      return ErrorCode::kPermission;
    case EEXIST:
      return ErrorCode::kConflict;
    case EISDIR:
    case ENXIO:  // opening a socket
    case ENODEV:
      return ErrorCode::kInvalidArgument;
    default:
      return ErrorCode::kIo;
  }
}

}  // namespace

std::string_view to_string(ErrorCode code) {
  for (const auto& [value, name] : kNames) {
    if (value == code) return name;
  }
  return "internal";
}

ErrorCode error_code_from(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
  }
  return ErrorCode::kInternal;
}

Error Error::with_context(std::string_view context) && {
  message = std::string(context) + ": " + message;
  return std::move(*this);
}

std::string describe(const Error& error) {
  std::string text = error.message;
  for (const Fault& fault : error.faults) {
    text += "\n  ";
    if (!fault.path.empty()) text += fault.path + ": ";
    text += fault.message;
    if (!fault.suggestion.empty()) text += " (" + fault.suggestion + ")";
  }
  return text;
}

Error from_errno(int error_number, std::string_view what) {
  return Error{code_of(error_number),
               std::string(what) + ": " + std::generic_category().message(error_number),
               {}};
}

}  // namespace crucible
