#include "evaluator/task/builtin_files.hpp"

namespace crucible::task {

// The parsers are tried without the task files that are compiled into the program.
std::span<const BuiltinFile> builtin_files() { return {}; }

}  // namespace crucible::task
