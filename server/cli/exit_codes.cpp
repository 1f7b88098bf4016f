#include "server/cli/exit_codes.hpp"

namespace crucible::server::cli {

ExitCode exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kConflict:
    case ErrorCode::kUnsupported:
    case ErrorCode::kCorrupt:
      return kInvalidInput;
    case ErrorCode::kNotFound:
      return kMissing;
    case ErrorCode::kPermission:
    case ErrorCode::kNoSpace:
    case ErrorCode::kIo:
      return kNoSpaceOrIo;
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadline:
      return kServiceUnavailable;
    case ErrorCode::kCancelled:
      return kInterrupted;
    case ErrorCode::kInternal:
      return kInternalError;
  }
  return kInternalError;
}

}  // namespace crucible::server::cli
