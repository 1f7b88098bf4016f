#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "evaluator/task/suite.hpp"

// Readers of item files: JSON Lines in, documents out. A suite file chooses one by `format`.
namespace crucible::task {

// Keys of a `multiple_choice_jsonl` item.
struct FieldNames {
  std::string query = "query";
  std::string choices = "choices";
  std::string gold = "gold";
};

struct ItemFormat {
  enum class Kind { kMultipleChoice, kAgieval };
  Kind kind = Kind::kMultipleChoice;
  FieldNames fields;
  std::string delimiter = " ";  // stands between context and choice, exactly once
};

// Appends every fault of the file to `faults` as `<file name>:<line> <key>`; a file of more than
// 256 MiB or with a line that is not JSON is a fault too. Blank lines are skipped; document ids
// count the items from 0.
std::vector<Document> read_items(const std::filesystem::path& file, const ItemFormat& format,
                                 std::vector<Fault>& faults);

}  // namespace crucible::task
