#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "evaluator/task/suite.hpp"
#include "merger/base/guarded.hpp"
#include "server/pipeline/model_sources.hpp"
#include "server/service/records.hpp"

// The suites of the configured folders and those built in. Reading one means reading all its items,
// so what was read is kept until a file of the folders changes. Built-in ones, whose data sets may
// be large, are read when they are asked for by name. Thread-safe.
namespace crucible::server::pipeline {

struct SuiteEntry {
  SuiteInfo info;
  std::filesystem::path file;
};

class SuiteCatalog {
 public:
  // `datasets`: folders that data sets are looked up in. Each judge gives a suite of its own,
  // "mt-bench@NAME".
  explicit SuiteCatalog(std::vector<std::filesystem::path> folders,
                        std::vector<std::filesystem::path> datasets = {},
                        std::vector<JudgeSpec> judges = {})
      : folders_(std::move(folders)), datasets_(std::move(datasets)), judges_(std::move(judges)) {}

  // By name. A built-in suite that nobody has asked for has no items and no digest.
  std::vector<SuiteEntry> list();
  // kNotFound names near misses; kInvalidArgument when the suite cannot be used.
  Result<SuiteEntry> find(const std::string& name);
  // All of them, or every fault with its path: `suites[1]`. A name given twice is a fault.
  Result<std::vector<SuiteEntry>> find_all(const std::vector<std::string>& names);
  // nullptr: the operator named no such judge.
  const JudgeSpec* judge(const std::string& name) const;

 private:
  struct Cache {
    std::string fingerprint;
    std::chrono::steady_clock::time_point read_at = {};
    std::vector<SuiteEntry> entries;
  };
  std::string fingerprint() const;
  SuiteEntry entry_of(const task::SuiteListing& listing) const;
  std::vector<SuiteEntry> read() const;
  SuiteEntry judged_entry(const JudgeSpec& judge) const;
  Result<task::Suite> read_suite(const std::filesystem::path& file) const;
  // Reads a built-in suite and keeps what it found.
  SuiteEntry resolve(const SuiteEntry& entry);

  std::vector<std::filesystem::path> folders_;
  std::vector<std::filesystem::path> datasets_;
  std::vector<JudgeSpec> judges_;
  Guarded<Cache> cache_;
};

}  // namespace crucible::server::pipeline
