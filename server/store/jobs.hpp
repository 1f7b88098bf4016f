#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/service/records.hpp"
#include "server/store/sqlite.hpp"

// Rows of jobs, job_inputs and job_events. A state changes through move_job and reset_job only;
// both write the event in the same breath, so the log and the state cannot disagree.
namespace crucible::server::store {

// What a recipe's model reference meant when the job was submitted.
struct JobInput {
  std::string reference;
  ModelId model_id = 0;
};

// What running a job takes, as far as is known beforehand.
struct Need {
  std::uint64_t memory_bytes = 0;
  std::uint64_t disk_bytes = 0;
  bool operator==(const Need&) const = default;
};

struct NewJob {
  JobKind kind = JobKind::kMerge;
  std::string name;
  std::int64_t max_attempts = 5;
  std::string merge_method;
  std::string recipe;
  std::string recipe_digest;
  std::uint64_t seed = 0;
  method::Compatibility compatibility = method::Compatibility::kNone;
  bool allow_nonfinite = false;
  std::string work_key;
  std::vector<std::string> suites;
  std::optional<ModelId> model_id;
  std::optional<JobId> parent_id;
  std::optional<SweepId> sweep_id;
  std::string submitter;
  std::int64_t priority = 0;
  Need need;
  std::vector<JobInput> inputs;
};

// A job with what only the daemon needs to know.
struct StoredJob {
  Job job;
  std::string work_key;
  std::int64_t failures = 0;  // attempts that count against max_attempts
  std::int64_t signals = 0;   // workers killed by a signal that was not ours
  Need need;
};

// One move of the state machine. It happens only if the job is still in `from` and its latest
// attempt is still `attempt`: the attempt number is the fencing token.
struct JobMove {
  JobId id = 0;
  JobState from = JobState::kQueued;
  JobState to = JobState::kQueued;
  std::int64_t attempt = 0;
  TimeMs at = 0;
  std::string message;
  std::optional<Error> error;
  std::optional<TimeMs> not_before;  // with retry_wait only
  std::optional<ModelId> model_id;   // kept when unset
  bool new_attempt = false;          // raises the attempt number
  bool counts_as_failure = false;
  bool killed_by_signal = false;
};

struct JobSelection {
  std::optional<JobState> state;
  std::optional<JobKind> kind;
  std::optional<SweepId> sweep_id;
  std::optional<JobId> before;  // ids below this one
  std::size_t limit = 50;
};

struct JobCount {
  JobKind kind = JobKind::kMerge;
  JobState state = JobState::kQueued;
  std::int64_t jobs = 0;
};

Result<JobId> insert_job(Database& database, const NewJob& job, TimeMs at);
Result<std::optional<StoredJob>> find_job(Database& database, JobId id);
Result<StoredJob> get_job(Database& database, JobId id);  // kNotFound
Result<std::vector<Job>> list_jobs(Database& database,
                                   const JobSelection& selection);  // newest first
Result<std::vector<JobInput>> job_inputs(Database& database, JobId id);
Result<std::vector<JobId>> jobs_in(Database& database, JobState state);
Result<std::vector<JobCount>> count_jobs(Database& database);

// Queued jobs of a kind whose work no other job is doing right now: higher priority first, then
// older.
Result<std::vector<StoredJob>> next_claimable(Database& database, JobKind kind, std::size_t most);
// False when the job is final or does not wait. Its event says who did it.
Result<bool> set_priority(Database& database, JobId id, std::int64_t priority,
                          std::string_view message, TimeMs at);
// Jobs of a submitter that are not final.
Result<std::int64_t> open_jobs(Database& database, std::string_view submitter);
// When the oldest queued job of a kind was put in.
Result<std::optional<TimeMs>> oldest_queued(Database& database, JobKind kind);
Result<std::vector<JobId>> due_retries(Database& database, TimeMs now);
Result<std::optional<TimeMs>> earliest_retry(Database& database);

// False when the guard did not hold; then nothing changed. An illegal move is kInternal.
Result<bool> move_job(Database& database, const JobMove& move);
// A final job (not a succeeded one) starts over: queued, failures forgotten, attempt number kept.
Result<bool> reset_job(Database& database, JobId id, JobState from, std::int64_t attempt,
                       TimeMs at);
// False when the job is not leased or running.
Result<bool> mark_cancel(Database& database, JobId id, TimeMs at);
// Guarded like move_job; writes a "progress" event.
Result<bool> note_progress(Database& database, JobId id, std::int64_t attempt,
                           const Progress& progress, TimeMs at);

// Events with id > after, oldest first; job 0 = of all jobs.
Result<std::vector<JobEvent>> list_events(Database& database, JobId job, std::int64_t after,
                                          std::size_t limit);

// JSON text of the list columns.
std::string suites_text(const std::vector<std::string>& suites);
std::vector<std::string> suites_from(const std::string& text);

}  // namespace crucible::server::store
