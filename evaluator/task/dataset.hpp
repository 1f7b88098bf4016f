#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "evaluator/task/task.hpp"

// Where the rows of a task's data set come from.
namespace crucible::task {

// What a task file says of its data: dataset_path, dataset_name, dataset_kwargs.
struct DatasetReference {
  std::string path;      // "gsm8k", or a loader of local files: "json", "csv", "parquet"
  std::string name;      // configuration, "main"; may be empty
  std::string revision;  // a commit; may be empty
  // Local files of each split, from dataset_kwargs.data_files, relative to the task file.
  std::map<std::string, std::vector<std::filesystem::path>> data_files;
  std::vector<std::string>
      column_names;  // of CSV files without a header line; empty: they have one
};

// Gives the rows of one split. kNotFound says what to fetch, under which licence, and where to put
// it. Implementations: folders on this machine; a Hub client may come beside it.
class DatasetSource {
 public:
  virtual ~DatasetSource() = default;
  virtual Result<std::vector<Json>> rows(const DatasetReference& dataset,
                                         const std::string& split) = 0;
};

// Reads one file by its ending: .json (a list, or an object with a list under one key), .jsonl,
// .csv, .tsv, .txt (a row `text` for each line), .parquet. Faults carry the line. Limits: 2 GiB a
// file.
Result<std::vector<Json>> read_rows(const std::filesystem::path& file);

}  // namespace crucible::task
