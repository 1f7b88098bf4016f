#include <array>

#include "evaluator/task/row_files.hpp"
#include "tests/fuzz/input.hpp"

// Data sets as text, by the ending of their file: the first byte chooses it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace crucible;
  constexpr std::array<const char*, 5> kEndings{".jsonl", ".json", ".csv", ".tsv", ".txt"};
  fuzz::Input input(data, size);
  const std::string ending = kEndings.at(input.choice(kEndings.size()));
  auto rows = task::parse_rows(input.rest(), ending);
  if (fuzz::accepted(rows)) {
    for (const task::Json& row : *rows) fuzz::require(row.is_object());
    const std::size_t count = rows->size();
    task::unify_columns(*rows);
    fuzz::require(rows->size() == count);
    for (const task::Json& row : *rows) fuzz::require(row.size() == rows->front().size());
  }
  std::vector<std::size_t> lines;
  const auto records = task::parse_csv(input.rest(), ',', &lines);
  if (fuzz::accepted(records)) fuzz::require(records->size() == lines.size());
  return 0;
}
