#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"
#include "server/config/running_daemon.hpp"

// The daemon's settings. Each key is defined once, in keys(): name, meaning, bounds. A value comes
// from the command line, else from the environment (CRUCIBLE_MAX_MERGES), else from the YAML file
// (max-merges: 2), else it is the default.
namespace crucible::server::config {

struct Options {
  std::filesystem::path state;  // default: $XDG_STATE_HOME/crucible or ~/.local/state/crucible
  std::string address = "127.0.0.1";
  std::uint16_t port = 7345;  // 0 = any free one
  std::vector<std::string> allowed_hosts;
  std::vector<std::filesystem::path> allow_roots;
  std::vector<std::filesystem::path> suites;
  // Folders of data sets; empty: $CRUCIBLE_DATASETS, else $XDG_DATA_HOME/crucible/datasets.
  std::vector<std::filesystem::path> datasets;
  std::string
      evaluation_cache;  // "" = cache/evaluations in the state folder, "none" = nothing kept
  std::filesystem::path endpoints;  // YAML file of endpoints and judges; "" = none
  unsigned threads = 0;             // a worker's; 0 = one per hardware thread
  std::size_t max_merges = 1;
  std::size_t max_evaluations = 1;
  std::size_t max_sweeps = 1;
  std::string webhook;  // URL that is told of sweeps and jobs that ended; "" = none
  std::uint64_t memory_bytes = 512ULL << 20;     // tensor buffers of one merge
  std::uint64_t shard_bytes = 5'000'000'000ULL;  // a merged model's files
  std::int64_t max_attempts = 5;
  std::size_t max_open_jobs = 10'000;     // of one token that is no admin's; 0 = no limit
  std::uint64_t memory_budget = 0;        // of all jobs that run; 0 = nine tenths of the machine's
  std::uint64_t disk_floor = 1ULL << 30;  // bytes that stay free: no merge starts below
  std::string sandbox = "required";       // of workers; or "off"
  std::string access = "tokens";          // or "open": nobody is asked for a token
  std::int64_t retry_delay_ms = 2'000;    // bound of the first wait before a retry
  std::int64_t stop_grace_ms = 10'000;    // from SIGTERM to SIGKILL of a worker
  std::string log_format = "text";        // or "json": one object a line
  std::string log_level = "info";
};

using Values = std::vector<std::string>;

struct Key {
  std::string_view name;  // "max-merges": flag without dashes, key of the file
  std::string_view meaning;
  bool is_list = false;  // may be given several times
  std::function<Status(Options&, const Values&)> set;
  std::function<std::string(const Options&)> text;
};
std::span<const Key> keys();

struct Loaded {
  Options options;
  std::map<std::string, std::string> origins;  // key → "flag", "environment", "file" or "default"
};
// All faults at once. `file` may be empty. Unknown keys in the file are faults.
Result<Loaded> load(const std::map<std::string, Values>& flags, const std::filesystem::path& file,
                    const Environment& environment);

// One line a key: value and where it came from.
std::string describe(const Loaded& loaded);

}  // namespace crucible::server::config
