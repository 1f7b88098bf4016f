#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/task/dataset.hpp"

// The data sets that built-in tasks ask for (datasets.yaml): source, licence, and what their rows
// must look like. Immutable.
namespace crucible::task {

// One split of one configuration, as a task file names it.
struct DatasetPart {
  std::string path;      // "cais/mmlu"
  std::string config;    // "anatomy"; "" where there is only one
  std::string split;     // "test"
  std::size_t rows = 0;  // of the published set; 0 = not known
  std::vector<std::string> columns;
  bool optional = false;  // no built-in suite reads it

  std::string name() const;  // "cais/mmlu (anatomy) test"
  DatasetReference reference() const;
};

struct KnownDataset {
  std::string name;  // as `crucible suites import` takes it
  std::string title;
  std::string licence;
  std::string source;
  std::string note;
  std::vector<DatasetPart> parts;
  std::map<std::string, std::string> digests;  // SHA-256 of an upstream file -> its name
};

const std::vector<KnownDataset>& known_datasets();
// nullptr where there is none.
const KnownDataset* find_dataset(std::string_view name);
const KnownDataset* dataset_of_path(std::string_view path);

// Of a suite's need the parts that are in none of the roots. "winogrande" is all but the optional
// ones; "winogrande/validation" and "agieval/agieval-sat-en+agieval-sat-math" are those of a split,
// a configuration or a path's last name.
std::vector<DatasetPart> missing_data(std::string_view need,
                                      const std::vector<std::filesystem::path>& roots);
// The data sets of `needs` that are not, or not wholly, there: each once, as they are imported.
std::vector<std::string> missing_datasets(const std::vector<std::string>& needs,
                                          const std::vector<std::filesystem::path>& roots);
bool is_installed(const DatasetPart& part, const std::vector<std::filesystem::path>& roots);

}  // namespace crucible::task
