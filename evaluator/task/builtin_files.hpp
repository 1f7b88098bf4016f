#pragma once

#include <span>
#include <string_view>

// The task files (data/) and suites (suites/) of this folder, compiled into the binary. Immutable.
namespace crucible::task {

struct BuiltinFile {
  std::string_view path;  // "data/agieval/agieval_sat_math.yaml", relative to evaluator/task
  std::string_view text;
};

// Sorted by path.
std::span<const BuiltinFile> builtin_files();
// nullptr where there is none.
const BuiltinFile* find_builtin_file(std::string_view path);

}  // namespace crucible::task
