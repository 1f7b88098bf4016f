#pragma once

#include <filesystem>
#include <vector>

#include "evaluator/task/task.hpp"

namespace crucible::task {

// The rows of a Parquet file (uncompressed, Snappy, gzip, Brotli, LZ4 or Zstandard), one object
// each. Structs become objects, lists arrays, dates and times text as Python prints them, decimals
// text, bytes text where they are UTF-8; NaN becomes null. kNotFound; kCorrupt: no Parquet file, or
// a value that has no JSON form, with its row and column. Limits: 4 GiB unpacked, 50 million rows.
Result<std::vector<Json>> read_parquet(const std::filesystem::path& file);

}  // namespace crucible::task
