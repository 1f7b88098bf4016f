#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "evaluator/task/suite.hpp"
#include "merger/base/guarded.hpp"
#include "server/service/records.hpp"

// The suites of the configured folders. Reading one means reading all its items, so what was read
// is kept until a file of the folders changes. Thread-safe.
namespace crucible::server::pipeline {

struct SuiteEntry {
  SuiteInfo info;
  std::filesystem::path file;
};

class SuiteCatalog {
 public:
  explicit SuiteCatalog(std::vector<std::filesystem::path> folders)
      : folders_(std::move(folders)) {}

  std::vector<SuiteEntry> list();  // by name
  // kNotFound names near misses; kInvalidArgument when the suite cannot be used.
  Result<SuiteEntry> find(const std::string& name);
  // All of them, or every fault with its path: `suites[1]`. A name given twice is a fault.
  Result<std::vector<SuiteEntry>> find_all(const std::vector<std::string>& names);

 private:
  struct Cache {
    std::string fingerprint;
    std::vector<SuiteEntry> entries;
  };
  std::string fingerprint() const;
  std::vector<SuiteEntry> read() const;

  std::vector<std::filesystem::path> folders_;
  Guarded<Cache> cache_;
};

}  // namespace crucible::server::pipeline
