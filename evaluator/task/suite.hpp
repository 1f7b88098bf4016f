#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/task/task.hpp"
#include "evaluator/task/task_catalog.hpp"
#include "merger/base/error.hpp"

// Suites as data: a YAML file names tasks (its own item files, generated items, or task files of
// the harness by name) and how their metrics become one score. README.md explains the files.
namespace crucible::task {

// Reads a suite. `place` is a file, or "builtin:NAME" for one compiled in. Data paths are relative
// to the file; task files are looked up among the built-in ones and in the folder `tasks` beside
// it. All faults at once, with paths (`tasks[0].data`, `sums.jsonl:3 choices`); kNotFound when data
// sets are missing and nothing else is wrong, with one fault for each of them. Without a source of
// data sets in `options` they are looked up in FolderDatasets::default_roots().
Result<Suite> read_suite(const std::filesystem::path& place, const BuildOptions& options = {});

// What a folder of suite files offers, sorted by name; unreadable ones carry their error.
struct SuiteListing {
  std::string name;
  std::string description;
  std::filesystem::path file;           // what read_suite takes
  std::string error;                    // "" when usable
  std::vector<std::string> needs = {};  // data sets it asks for, by the names that are imported
};
// Item files are read; data sets of task files are not, so an absent one shows only on reading.
std::vector<SuiteListing> list_suites(const std::vector<std::filesystem::path>& folders);
// Those compiled in; file is "builtin:NAME".
std::vector<SuiteListing> list_builtin_suites();

// The place of a suite: an existing file as it is, else a name in the folders, else a built-in one.
// "crucible-fresh-7" is crucible-fresh with seed 7. kNotFound names near misses.
Result<std::filesystem::path> find_suite(const std::string& name,
                                         const std::vector<std::filesystem::path>& folders);

}  // namespace crucible::task
