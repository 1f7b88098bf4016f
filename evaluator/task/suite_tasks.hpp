#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "evaluator/task/suite_mapping.hpp"
#include "evaluator/task/task_catalog.hpp"

// The entries of a suite's `tasks` list become tasks.
namespace crucible::task {

// What the entries of one suite file share.
struct SuiteContext {
  std::filesystem::path folder;  // of the file; among built-in files when `builtin`
  bool builtin = false;
  std::string version;
  std::optional<engine::BosRule> bos;  // of tasks whose entry says nothing
  std::uint64_t seed = 1;              // of generated items
  bool only_names = false;             // task files are looked up, not built: data sets stay unread
};

// Hands on to another source and keeps what was not there.
class NotingDatasets : public DatasetSource {
 public:
  explicit NotingDatasets(DatasetSource* source) : source_(source) {}

  Result<std::vector<Json>> rows(const DatasetReference& dataset,
                                 const std::string& split) override;
  // One fault for each data set: what to fetch, its licence, and how to install it.
  std::vector<Fault> missing() const;

 private:
  DatasetSource* source_;
  std::map<std::string, Error> missing_;  // by path: what was said of it first
};

// Reads entries in order. Data sets that are missing are collected apart from faults.
class SuiteTasks {
 public:
  SuiteTasks(const SuiteContext& context, const BuildOptions& options, std::vector<Fault>& faults)
      : context_(context), datasets_(options.datasets), options_(options), faults_(faults) {
    if (options.datasets != nullptr) options_.datasets = &datasets_;
  }
  SuiteTasks(const SuiteTasks&) = delete;
  SuiteTasks& operator=(const SuiteTasks&) = delete;

  void read(const YAML::Node& entry, const std::string& path, Suite& suite);

  // One fault for each data set that is not on this machine.
  std::vector<Fault> missing_data() const { return datasets_.missing(); }

 private:
  void read_own(const Mapping& entry, Suite& suite);
  void read_texts(const Mapping& entry, Suite& suite);
  void read_from_catalog(const std::string& name, const Mapping* entry, const std::string& path,
                         Suite& suite);
  std::vector<Item> own_items(const Mapping& entry);
  std::vector<Item> text_items(const Mapping& entry);
  Task own_task(const Mapping& entry);
  void finish(const Mapping& entry, Task task, Suite& suite);
  std::vector<Item> generated_items(const Mapping& entry);
  void apply(const Mapping& entry, TaskSet& set) const;
  void add(const Error& error, const std::string& path);
  const TaskCatalog* catalog(const std::string& path);

  const SuiteContext& context_;
  NotingDatasets datasets_;
  BuildOptions options_;
  std::vector<Fault>& faults_;
  std::optional<TaskCatalog> catalog_;
  bool catalog_failed_ = false;
};

// "never" or "tokenizer" under the key `bos`.
std::optional<engine::BosRule> read_bos(const Mapping& mapping);

}  // namespace crucible::task
