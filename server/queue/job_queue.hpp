#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/queue/clock.hpp"
#include "server/queue/retry_policy.hpp"
#include "server/store/attempts.hpp"
#include "server/store/jobs.hpp"
#include "server/store/store.hpp"

// Who may work on which job. Every call is one durable transaction; whoever holds a lease whose
// attempt is no longer the job's latest gets kConflict and must throw its result away.
namespace crucible::server::queue {

// The right to work on one attempt of a job. `state` is where the holder has brought it.
struct Lease {
  store::StoredJob job;
  JobState state = JobState::kLeased;
  std::int64_t attempt() const { return job.job.attempt; }
  JobId id() const { return job.job.id; }
  std::string log_path() const;  // below the state directory: "logs/12.1.log"
};

// What a job's success does to the store, inside the transaction that records the success. It may
// set the move's message and model.
using Effects = std::function<Status(store::Database&, store::JobMove&)>;

// Hears of every attempt that ended. Called on the caller's thread after the commit.
class AttemptObserver {
 public:
  virtual ~AttemptObserver() = default;
  virtual void attempt_ended(JobKind kind, JobState state, double seconds) = 0;
};

// Whether there is room for a job now.
using Admits = std::function<bool(const store::StoredJob&)>;

// Thread-safe.
class JobQueue {
 public:
  JobQueue(store::Store& store, const Clock& clock, Random& random, const RetryPolicy& policy,
           AttemptObserver* observer = nullptr);

  // The first claimable job of this kind (by priority, then age) for which there is room, now
  // leased under a new attempt number. None while the kind is paused.
  Result<std::optional<Lease>> claim(JobKind kind, const Admits& admits = nullptr);

  Status start(Lease& lease, const store::ProcessIdentity& process);  // leased → running
  Status note_progress(const Lease& lease, const Progress& progress);
  // running → publishing; keeps the worker's result for a daemon that restarts. kCancelled when a
  // cancel came first.
  Status publish(Lease& lease, const std::string& result);
  Status succeed(Lease& lease,
                 const Effects& effects);  // publishing (or leased: known result) → succeeded

  // Decides between retry_wait, failed and dead; the new state is returned.
  Result<JobState> fail(const Lease& lease, const Error& error, bool killed_by_signal);
  Status requeue(const Lease& lease, const std::string& reason);  // costs no attempt
  Status cancel(const Lease& lease);                              // the worker is gone

  // Waiting jobs are cancelled at once; of running ones the wish is recorded. kConflict when final
  // or publishing.
  Result<Job> request_cancel(JobId id);
  Result<Job> retry(JobId id);  // failed, dead, cancelled → queued; kConflict else
  // Of a waiting job; kConflict when it runs or is final.
  Result<Job> set_priority(JobId id, std::int64_t priority, const std::string& by);
  Status pause(JobKind kind, const std::string& by);
  Status resume(JobKind kind);

  Status promote_due();  // retry_wait → queued where the time has come
  Result<std::optional<TimeMs>> next_due();
  Result<std::vector<JobId>> cancel_requests();
  // Leases of a daemon that is gone: jobs leased, running or publishing.
  Result<std::vector<Lease>> in_flight();

 private:
  Status apply(store::Database& database, const store::JobMove& move,
               store::AttemptOutcome outcome);
  store::JobMove move_of(const Lease& lease, JobState to, std::string message) const;
  void observe(const Lease& lease, JobState state);

  store::Store& store_;
  const Clock& clock_;
  Random& random_;
  RetryPolicy policy_;
  AttemptObserver* observer_;
};

// Cancels one waiting job inside the caller's transaction; false when it does not wait.
Result<bool> cancel_waiting(store::Database& database, const Job& job, TimeMs at);

}  // namespace crucible::server::queue
