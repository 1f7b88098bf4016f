#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "evaluator/task/import_registry.hpp"
#include "merger/base/error.hpp"

// Brings a data set's files into the folder where tasks look for them.
namespace crucible::task {

struct ImportOptions {
  bool replace = false;           // what is installed already
  bool other_row_counts = false;  // accept another number of rows than the published set has
};

struct ImportedPart {
  std::string name;  // "openai/gsm8k (main) test"
  std::size_t rows = 0;
  bool converted = false;  // from the set's own files to the Hub's columns
  std::filesystem::path file;
};

struct ImportReport {
  std::vector<ImportedPart> parts;
  std::vector<std::string> missing;  // parts that the files do not hold
  std::vector<std::string> notes;
  std::size_t known_files = 0;    // files whose SHA-256 is the published one
  std::size_t unknown_files = 0;  // other files
};

// Checks columns and row counts of all parts, then installs the data set below `root`, each of its
// folders whole or not at all, with a file SOURCE.json that says where it came from. Errors:
// kNotFound (no file of the set), kCorrupt (rows do not fit; all faults at once), kConflict
// (installed already), kNoSpace and kIo. Not to be called twice at once for the same root.
Result<ImportReport> import_dataset(const KnownDataset& dataset, const std::filesystem::path& place,
                                    const std::filesystem::path& root,
                                    const ImportOptions& options = {});

}  // namespace crucible::task
