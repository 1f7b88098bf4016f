#include "server/queue/job_queue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/store/queue_pauses.hpp"

namespace crucible::server::queue {
namespace {

constexpr std::size_t kMostCandidates = 32;  // looked at for one that there is room for

tl::unexpected<Error> stale(JobId id, std::int64_t attempt) {
  return crucible::fail(ErrorCode::kConflict,
                        fmt::format("attempt {} of job {} is no longer current", attempt, id));
}

std::string failure_message(const Error& error, const Verdict& verdict) {
  switch (verdict.state) {
    case JobState::kRetryWait:
      return fmt::format("{}; again in {:.1f} s", error.message,
                         static_cast<double>(verdict.delay) / 1000.0);
    case JobState::kDead:
      return fmt::format("{}; no attempts left", error.message);
    default:
      return error.message;
  }
}

}  // namespace

std::string Lease::log_path() const { return fmt::format("logs/{}.{}.log", id(), attempt()); }

JobQueue::JobQueue(store::Store& store, const Clock& clock, Random& random,
                   const RetryPolicy& policy, AttemptObserver* observer)
    : store_(store), clock_(clock), random_(random), policy_(policy), observer_(observer) {}

Result<std::optional<Lease>> JobQueue::claim(JobKind kind, const Admits& admits) {
  return store_.write([&](store::Database& database) -> Result<std::optional<Lease>> {
    auto pauses = store::queue_pauses(database);
    if (!pauses) return crucible::fail(std::move(pauses).error());
    if (std::ranges::any_of(*pauses, [&](const QueuePause& pause) { return pause.kind == kind; })) {
      return std::nullopt;
    }
    auto candidates = store::next_claimable(database, kind, admits ? kMostCandidates : 1);
    if (!candidates) return crucible::fail(std::move(candidates).error());
    const auto found = std::ranges::find_if(
        *candidates, [&](const store::StoredJob& job) { return !admits || admits(job); });
    if (found == candidates->end()) return std::nullopt;
    Job& job = found->job;
    store::JobMove move;
    move.id = job.id;
    move.to = JobState::kLeased;
    move.attempt = job.attempt;
    move.at = clock_.now();
    move.message = fmt::format("attempt {}", job.attempt + 1);
    move.new_attempt = true;
    auto moved = store::move_job(database, move);
    if (!moved) return crucible::fail(std::move(moved).error());
    if (!*moved) return stale(job.id, job.attempt);
    job.attempt += 1;
    job.state = JobState::kLeased;
    job.started_at = move.at;
    job.progress = {};
    Lease lease{std::move(*found), JobState::kLeased};
    auto opened =
        store::open_attempt(database, lease.id(), lease.attempt(), move.at, lease.log_path());
    if (!opened) return crucible::fail(std::move(opened).error());
    return lease;
  });
}

store::JobMove JobQueue::move_of(const Lease& lease, JobState to, std::string message) const {
  store::JobMove move;
  move.id = lease.id();
  move.from = lease.state;
  move.to = to;
  move.attempt = lease.attempt();
  move.at = clock_.now();
  move.message = std::move(message);
  return move;
}

Status JobQueue::apply(store::Database& database, const store::JobMove& move,
                       store::AttemptOutcome outcome) {
  auto moved = store::move_job(database, move);
  if (!moved) return crucible::fail(std::move(moved).error());
  if (!*moved) return stale(move.id, move.attempt);
  if (outcome == store::AttemptOutcome::kOpen) return {};
  return store::close_attempt(database, move.id, move.attempt, outcome, move.at);
}

void JobQueue::observe(const Lease& lease, JobState state) {
  if (observer_ == nullptr) return;
  const TimeMs started = lease.job.job.started_at.value_or(clock_.now());
  observer_->attempt_ended(lease.job.job.kind, state,
                           static_cast<double>(clock_.now() - started) / 1000.0);
}

Status JobQueue::start(Lease& lease, const store::ProcessIdentity& process) {
  const auto move = move_of(lease, JobState::kRunning, fmt::format("worker {}", process.pid));
  auto status = store_.write([&](store::Database& database) -> Status {
    if (auto moved = apply(database, move, store::AttemptOutcome::kOpen); !moved) return moved;
    return store::identify_attempt(database, lease.id(), lease.attempt(), process);
  });
  if (status) lease.state = JobState::kRunning;
  return status;
}

Status JobQueue::note_progress(const Lease& lease, const Progress& progress) {
  return store_.write([&](store::Database& database) -> Status {
    auto noted =
        store::note_progress(database, lease.id(), lease.attempt(), progress, clock_.now());
    if (!noted) return crucible::fail(std::move(noted).error());
    if (!*noted) return stale(lease.id(), lease.attempt());
    return {};
  });
}

Status JobQueue::publish(Lease& lease, const std::string& result) {
  const auto move = move_of(lease, JobState::kPublishing, "the worker is done");
  auto status = store_.write([&](store::Database& database) -> Status {
    auto current = store::get_job(database, lease.id());
    if (!current) return crucible::fail(std::move(current).error());
    if (current->job.cancel_requested) {
      return crucible::fail(ErrorCode::kCancelled, "cancelled before its result was published");
    }
    if (auto moved = apply(database, move, store::AttemptOutcome::kOpen); !moved) return moved;
    return store::keep_result(database, lease.id(), lease.attempt(), result);
  });
  if (status) lease.state = JobState::kPublishing;
  return status;
}

Status JobQueue::succeed(Lease& lease, const Effects& effects) {
  auto move = move_of(lease, JobState::kSucceeded, "");
  auto status = store_.write([&](store::Database& database) -> Status {
    if (auto done = effects(database, move); !done) return done;
    return apply(database, move, store::AttemptOutcome::kSucceeded);
  });
  if (!status) return status;
  lease.state = JobState::kSucceeded;
  observe(lease, JobState::kSucceeded);
  return status;
}

Result<JobState> JobQueue::fail(const Lease& lease, const Error& error, bool killed_by_signal) {
  const double chance = random_.uniform();
  auto state = store_.write([&](store::Database& database) -> Result<JobState> {
    auto current = store::get_job(database, lease.id());
    if (!current) return crucible::fail(std::move(current).error());
    const Verdict verdict =
        judge({error.code, killed_by_signal, current->failures, current->signals},
              current->job.max_attempts, policy_, chance);
    auto move = move_of(lease, verdict.state, failure_message(error, verdict));
    move.error = error;
    move.counts_as_failure = verdict.counts_as_failure;
    move.killed_by_signal = killed_by_signal;
    if (verdict.state == JobState::kRetryWait) move.not_before = move.at + verdict.delay;
    const auto outcome =
        killed_by_signal ? store::AttemptOutcome::kKilled : store::AttemptOutcome::kFailed;
    if (auto moved = apply(database, move, outcome); !moved) {
      return crucible::fail(std::move(moved).error());
    }
    return verdict.state;
  });
  if (state) observe(lease, *state);
  return state;
}

Status JobQueue::requeue(const Lease& lease, const std::string& reason) {
  const auto move = move_of(lease, JobState::kQueued, reason);
  return store_.write([&](store::Database& database) {
    return apply(database, move, store::AttemptOutcome::kRequeued);
  });
}

Status JobQueue::cancel(const Lease& lease) {
  const auto move = move_of(lease, JobState::kCancelled, "cancelled");
  auto status = store_.write([&](store::Database& database) {
    return apply(database, move, store::AttemptOutcome::kCancelled);
  });
  if (status) observe(lease, JobState::kCancelled);
  return status;
}

Result<bool> cancel_waiting(store::Database& database, const Job& job, TimeMs at) {
  if (job.state != JobState::kQueued && job.state != JobState::kRetryWait) return false;
  store::JobMove move;
  move.id = job.id;
  move.from = job.state;
  move.to = JobState::kCancelled;
  move.attempt = job.attempt;
  move.at = at;
  move.message = "cancelled";
  return store::move_job(database, move);
}

Result<Job> JobQueue::request_cancel(JobId id) {
  return store_.write([&](store::Database& database) -> Result<Job> {
    auto current = store::get_job(database, id);
    if (!current) return crucible::fail(std::move(current).error());
    const Job& job = current->job;
    if (is_final(job.state) || job.state == JobState::kPublishing) {
      return crucible::fail(
          ErrorCode::kConflict,
          fmt::format("job {} is {} and cannot be cancelled", id, to_string(job.state)));
    }
    auto done = cancel_waiting(database, job, clock_.now());
    if (!done) return crucible::fail(std::move(done).error());
    if (!*done) {
      auto marked = store::mark_cancel(database, id, clock_.now());
      if (!marked) return crucible::fail(std::move(marked).error());
    }
    auto after = store::get_job(database, id);
    if (!after) return crucible::fail(std::move(after).error());
    return std::move(after->job);
  });
}

Result<Job> JobQueue::retry(JobId id) {
  return store_.write([&](store::Database& database) -> Result<Job> {
    auto current = store::get_job(database, id);
    if (!current) return crucible::fail(std::move(current).error());
    const Job& job = current->job;
    if (!is_final(job.state) || job.state == JobState::kSucceeded) {
      return crucible::fail(ErrorCode::kConflict,
                            fmt::format("job {} is {}; only failed, dead and cancelled jobs can be "
                                        "retried",
                                        id, to_string(job.state)));
    }
    auto reset = store::reset_job(database, id, job.state, job.attempt, clock_.now());
    if (!reset) return crucible::fail(std::move(reset).error());
    auto after = store::get_job(database, id);
    if (!after) return crucible::fail(std::move(after).error());
    return std::move(after->job);
  });
}

Result<Job> JobQueue::set_priority(JobId id, std::int64_t priority, const std::string& by) {
  return store_.write([&](store::Database& database) -> Result<Job> {
    const std::string message =
        fmt::format("priority {}{}", priority, by.empty() ? "" : " by " + by);
    auto changed = store::set_priority(database, id, priority, message, clock_.now());
    if (!changed) return crucible::fail(std::move(changed).error());
    auto after = store::get_job(database, id);
    if (!after) return crucible::fail(std::move(after).error());
    if (!*changed) {
      return crucible::fail(ErrorCode::kConflict,
                            fmt::format("job {} is {}: only a waiting job has a priority", id,
                                        to_string(after->job.state)));
    }
    return std::move(after->job);
  });
}

Status JobQueue::pause(JobKind kind, const std::string& by) {
  return store_.write([&](store::Database& database) {
    return store::pause_kind(database, kind, by, clock_.now());
  });
}

Status JobQueue::resume(JobKind kind) {
  return store_.write(
      [&](store::Database& database) { return store::resume_kind(database, kind); });
}

Status JobQueue::promote_due() {
  const TimeMs now = clock_.now();
  auto due =
      store_.read([&](store::Database& database) { return store::due_retries(database, now); });
  if (!due) return crucible::fail(std::move(due).error());
  if (due->empty()) return {};
  return store_.write([&](store::Database& database) -> Status {
    for (const JobId id : *due) {
      auto current = store::get_job(database, id);
      if (!current) return crucible::fail(std::move(current).error());
      if (current->job.state != JobState::kRetryWait) continue;
      store::JobMove move;
      move.id = id;
      move.from = JobState::kRetryWait;
      move.to = JobState::kQueued;
      move.attempt = current->job.attempt;
      move.at = now;
      move.message = "due again";
      if (auto moved = store::move_job(database, move); !moved) {
        return crucible::fail(std::move(moved).error());
      }
    }
    return {};
  });
}

Result<std::optional<TimeMs>> JobQueue::next_due() {
  return store_.read([](store::Database& database) { return store::earliest_retry(database); });
}

Result<std::vector<JobId>> JobQueue::cancel_requests() {
  return store_.read([](store::Database& database) {
    return database.query(
        "SELECT id FROM jobs WHERE state IN ('leased', 'running') AND cancel_requested = 1", {},
        [](const store::Row& row) { return row.integer(0); });
  });
}

Result<std::vector<Lease>> JobQueue::in_flight() {
  return store_.read([](store::Database& database) -> Result<std::vector<Lease>> {
    std::vector<Lease> leases;
    for (const JobState state : {JobState::kLeased, JobState::kRunning, JobState::kPublishing}) {
      auto ids = store::jobs_in(database, state);
      if (!ids) return crucible::fail(std::move(ids).error());
      for (const JobId id : *ids) {
        auto job = store::get_job(database, id);
        if (!job) return crucible::fail(std::move(job).error());
        leases.push_back({std::move(*job), state});
      }
    }
    return leases;
  });
}

}  // namespace crucible::server::queue
