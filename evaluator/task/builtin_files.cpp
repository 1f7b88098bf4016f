#include "evaluator/task/builtin_files.hpp"

#include <algorithm>

namespace crucible::task {

const BuiltinFile* find_builtin_file(std::string_view path) {
  const auto files = builtin_files();
  const auto found = std::ranges::lower_bound(files, path, {}, &BuiltinFile::path);
  return found == files.end() || found->path != path ? nullptr : &*found;
}

}  // namespace crucible::task
