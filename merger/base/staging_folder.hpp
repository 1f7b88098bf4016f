#pragma once

#include <filesystem>
#include <utility>

#include "merger/base/io.hpp"

namespace crucible::io {

// A hidden folder beside `out` in which it is made: what is written there appears whole or not at
// all. Its name follows from `out`, so work that was killed is found again: continued where the
// caller can, else thrown away. A lock on the folder keeps two processes apart.
class StagingFolder {
 public:
  // Empty; what a killed process left there is removed. kConflict: another process is making `out`.
  static Result<StagingFolder> create(const std::filesystem::path& out, Syscalls& calls = system());
  // As it was left, or new.
  static Result<StagingFolder> reopen(const std::filesystem::path& out, Syscalls& calls = system());
  // Removes the folder, with all in it, unless it was published or is kept.
  ~StagingFolder();
  StagingFolder(StagingFolder&& other) noexcept;
  StagingFolder& operator=(StagingFolder&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  Status clear();                // removes what is in it
  void keep() { kept_ = true; }  // for a later reopen
  // Renames it to `out`. When that fails half-way (the rename not durable), `out` is removed too.
  Status publish(const std::filesystem::path& out, Syscalls& calls = system());

 private:
  StagingFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;  // empty = nothing to remove
  int lock_ = -1;               // descriptor of the folder, locked
  bool kept_ = false;
};

}  // namespace crucible::io
