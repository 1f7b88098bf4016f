#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "merger/base/error.hpp"
#include "server/service/records.hpp"

// The daemon's folder: crucible.db, models/<digest>/, staging/<job>.<attempt>/, evaluations/<key>/,
// logs/, cache/. Owned by one daemon at a time (flock on `lock`), readable by its user only.
namespace crucible::server::pipeline {

class StateFolder {
 public:
  // Creates what is missing. kConflict when another daemon holds it.
  static Result<StateFolder> open(const std::filesystem::path& root);
  ~StateFolder();
  StateFolder(StateFolder&& other) noexcept;
  StateFolder& operator=(StateFolder&&) = delete;

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path database() const { return root_ / "crucible.db"; }
  std::filesystem::path models() const { return root_ / "models"; }
  std::filesystem::path model(const std::string& digest) const { return models() / digest; }
  std::filesystem::path staging() const { return root_ / "staging"; }
  std::filesystem::path staging(JobId job, std::int64_t attempt) const;
  std::filesystem::path evaluations() const { return root_ / "evaluations"; }

 private:
  StateFolder(std::filesystem::path root, int lock) : root_(std::move(root)), lock_(lock) {}
  std::filesystem::path root_;
  int lock_ = -1;
};

// Names, sizes and modification times of a model folder's files: equal as long as nobody touched
// them, so that a digest computed once can be trusted without reading the weights again.
Result<std::string> folder_fingerprint(const std::filesystem::path& folder);

}  // namespace crucible::server::pipeline
