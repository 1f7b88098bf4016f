#include "evaluator/task/parquet.hpp"

#include "tests/fuzz/input.hpp"
#include "tests/fuzz/scratch_file.hpp"

// A Parquet file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crucible;
  static const fuzz::ScratchFolder folder;
  const auto path = folder.path() / "rows.parquet";
  fuzz::put(path, {data, size});
  const auto rows = task::read_parquet(path);
  if (!fuzz::accepted(rows)) return 0;
  for (const task::Json& row : *rows) fuzz::require(row.is_object());
  return 0;
}
