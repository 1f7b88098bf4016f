#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/task/task.hpp"

// Readers of item files: JSON Lines in, items out. A suite file chooses one by `format`.
namespace crucible::task {

// Keys of a `multiple_choice_jsonl` item.
struct FieldNames {
  std::string query = "query";
  std::string choices = "choices";
  std::string gold = "gold";
  std::string cluster;  // a passage's or a story's name; "" = items stand on their own
};

struct ItemFormat {
  enum class Kind { kMultipleChoice, kAgieval };
  Kind kind = Kind::kMultipleChoice;
  FieldNames fields;
  std::string delimiter = " ";  // stands between context and choice, exactly once
};

// Appends every fault of the file to `faults` as `<file name>:<line> <key>`; a file of more than
// 256 MiB or with a line that is not JSON is a fault too. Blank lines are skipped; items are
// numbered from 0.
std::vector<Item> read_items(const std::filesystem::path& file, const ItemFormat& format,
                             std::vector<Fault>& faults);
// The same of a text; `name` stands for the file's in faults.
std::vector<Item> parse_items(std::string_view text, const std::string& name,
                              const ItemFormat& format, std::vector<Fault>& faults);

}  // namespace crucible::task
