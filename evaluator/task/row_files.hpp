#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/task/dataset.hpp"

// Files of rows: JSON, JSON Lines, CSV, TSV, Parquet, lines of text.
namespace crucible::task {

// A path that begins with this names a file compiled into the binary.
inline constexpr std::string_view kBuiltinPrefix = "builtin:";

struct RowOptions {
  std::vector<std::string> column_names;  // CSV without a header line
};

// read_rows with options; built-in files too.
Result<std::vector<Json>> read_rows_with(const std::filesystem::path& file,
                                         const RowOptions& options);
// The rows of a text in the format of a file's ending (".jsonl"); faults carry the line.
Result<std::vector<Json>> parse_rows(std::string_view text, const std::string& ending,
                                     const RowOptions& options = {});

// Records of RFC 4180: fields apart by `separator`, in double quotes where they hold separators,
// quotes (doubled) or line ends. A record is a line, empty ones are skipped. kInvalidArgument for
// an open quote at the end, with its line. `lines`, where given, gets each record's first line.
// Own code: of Debian's libraries, fast-cpp-csv-parser
// has no line ends in fields and libcsv has had no release since 2013.
Result<std::vector<std::vector<std::string>>> parse_csv(std::string_view text, char separator,
                                                        std::vector<std::size_t>* lines = nullptr);

// Gives every row all columns, in order of first appearance, null where a row lacks one, and makes
// integers floats in columns that hold both, as the `datasets` library does. (Unlike it, text that
// looks like a time stays text.)
void unify_columns(std::vector<Json>& rows);

}  // namespace crucible::task
