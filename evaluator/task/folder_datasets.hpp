#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "evaluator/task/dataset.hpp"

namespace crucible::task {

// Data sets as files on this machine. Roots are searched in order; in each, for split `test` of
// `gsm8k` (main), the first of these that exists:
//   gsm8k/main/test.jsonl, .json, .csv, .tsv, .parquet        (`main/` only where there is a name)
//   gsm8k/main/test-00000-of-00002.parquet, …                 the Hub's layout, all parts in order
//   gsm8k/main/data/…, gsm8k/data/main/…                      the same below a folder `data`
// A name `default` may be left out. data_files of a task file name files directly, or by patterns
// (*, ?, [a-c]) whose matches are read in order of their names; for a data set of the Hub they are
// looked for in its folder, and those with a scheme (https://…) by their last part. Stateless; safe
// from several threads.
class FolderDatasets : public DatasetSource {
 public:
  explicit FolderDatasets(std::vector<std::filesystem::path> roots) : roots_(std::move(roots)) {}

  // $CRUCIBLE_DATASETS (several, ':' between them), else $XDG_DATA_HOME/crucible/datasets, else
  // ~/.local/share/crucible/datasets.
  static std::vector<std::filesystem::path> default_roots();

  Result<std::vector<Json>> rows(const DatasetReference& dataset,
                                 const std::string& split) override;
  // The files rows() would read; empty where there are none.
  std::vector<std::filesystem::path> find(const DatasetReference& dataset,
                                          const std::string& split) const;
  const std::vector<std::filesystem::path>& roots() const { return roots_; }

 private:
  std::vector<std::filesystem::path> named_files(const DatasetReference& dataset,
                                                 const std::string& split) const;

  std::vector<std::filesystem::path> roots_;
};

}  // namespace crucible::task
