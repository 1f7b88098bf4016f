#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// What is said about the state folder's contents.
namespace crucible::server {

// Beside what nothing refers to, which always goes.
struct GarbageRules {
  std::vector<std::string> models;  // merged models by id or name: their files
  // Files of merged models that are older than this and not among the best `keep_best` of any
  // suite.
  std::optional<std::int64_t> older_than_ms;
  std::size_t keep_best = 10;
  std::int64_t log_age_ms = 30LL * 86'400'000;  // logs of jobs that ended before that
  std::optional<std::uint64_t> cache_bytes;     // of the evaluation cache; the oldest answers go
};

struct GarbageItem {
  std::string path;
  std::uint64_t bytes = 0;
  std::string reason;
  std::int64_t model_id = 0;  // 0 = no model's
};

struct StorageUsage {
  std::vector<std::pair<std::string, std::uint64_t>> areas;  // "models", "evaluations", …
  std::uint64_t free_bytes = 0;
};

struct BackupInfo {
  std::string folder;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::int64_t last_event = 0;  // everything up to this event is in it
};

}  // namespace crucible::server
