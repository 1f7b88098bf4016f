#pragma once

#include "merger/base/error.hpp"

namespace crucible::server::cli {

// Exit codes of every command, stable.
enum ExitCode : int {
  kSuccess = 0,
  kInternalError = 1,
  kUsage = 2,  // the command line is wrong
  kInvalidInput =
      3,         // recipe, suite or model is wrong, unsupported or corrupt; or the state forbids it
  kMissing = 4,  // a named thing does not exist
  kNoSpaceOrIo = 5,         // disk full, permission, any other file failure
  kServiceUnavailable = 6,  // the daemon does not answer, or asks to try again later
  kJobFailed = 7,           // the job that was watched failed, is dead or was cancelled
  kInterrupted = 130,       // by SIGINT, or a merge or evaluation asked to stop
};

ExitCode exit_code_of(ErrorCode code);

}  // namespace crucible::server::cli
