#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/service/records.hpp"
#include "server/store/sqlite.hpp"

// Rows of attempts: which process tried a job, when, and how it ended.
namespace crucible::server::store {

// One process for ever: a pid alone may name another one after a restart.
struct ProcessIdentity {
  std::int64_t pid = 0;
  std::string boot_id;           // of this boot of the machine
  std::int64_t start_ticks = 0;  // clock ticks since that boot
  bool operator==(const ProcessIdentity&) const = default;
};

enum class AttemptOutcome { kOpen, kSucceeded, kFailed, kKilled, kCancelled, kRequeued };
std::string_view to_string(AttemptOutcome outcome);

struct Attempt {
  JobId job_id = 0;
  std::int64_t number = 0;
  std::optional<ProcessIdentity> process;  // none until it is started
  TimeMs started_at = 0;
  std::optional<TimeMs> finished_at;
  std::string log_path;
  std::optional<std::string> result;  // JSON, from publishing on
  std::string outcome;
};

Status open_attempt(Database& database, JobId job, std::int64_t number, TimeMs at,
                    std::string_view log_path);
Status identify_attempt(Database& database, JobId job, std::int64_t number,
                        const ProcessIdentity& process);
Status keep_result(Database& database, JobId job, std::int64_t number, std::string_view result);
Status close_attempt(Database& database, JobId job, std::int64_t number, AttemptOutcome outcome,
                     TimeMs at);
Result<std::vector<Attempt>> attempts_of(Database& database, JobId job);  // oldest first

}  // namespace crucible::server::store
