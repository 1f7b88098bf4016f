#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "server/pipeline/spec.hpp"
#include "server/pipeline/stage.hpp"
#include "server/pipeline/state_folder.hpp"
#include "server/service/queue_records.hpp"
#include "server/worker/process.hpp"
#include "server/worker/recovery.hpp"

namespace crucible::server::worker {

struct PoolOptions {
  std::filesystem::path executable = "/proc/self/exe";
  std::vector<std::string> arguments = {"work"};
  std::map<JobKind, std::size_t> most = {
      {JobKind::kMerge, 1}, {JobKind::kEvaluation, 1}, {JobKind::kSweep, 1}};
  std::chrono::milliseconds grace{10'000};             // from SIGTERM to SIGKILL
  std::chrono::milliseconds progress_interval{1'000};  // between stored progress notes of one job
  // Jobs run together as long as their needs fit; one that needs more than all of it runs alone.
  std::uint64_t memory_budget = 0;  // bytes; 0 = unlimited
  std::uint64_t disk_floor = 0;     // bytes left free: nothing that would go below them starts
  bool sandbox = false;             // workers refuse to run without one
  // See merger/base/read_roots.
  std::vector<std::string> read_roots;
  std::vector<std::string> trusted_folders;
};

// Claims jobs and runs each in a worker process. One thread supervises all of them: it waits on
// their pidfds and pipes, records progress, and ends workers whose job was cancelled. Results are
// published by a thread each, so that hashing and syncing one holds up nothing else.
class WorkerPool {
 public:
  WorkerPool(store::Store& store, queue::JobQueue& queue, const Clock& clock,
             const pipeline::StateFolder& state, Stages stages, PoolOptions options);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Recovers what a previous life left, then starts to claim.
  Status start();
  // There may be something to claim or to cancel. Thread-safe, never blocks.
  void wake();
  // Claims nothing more, ends the workers (their jobs go back to the queue) and returns when all
  // are gone. Thread-safe; again is fine.
  void stop();
  bool accepting() const { return accepting_.load(); }
  std::size_t busy() const { return busy_.load(); }
  // What is in use of what there is; the counts of jobs are left empty. Thread-safe.
  QueueStatus capacity() const;

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  enum class EndReason { kNone, kCancelled, kDraining, kProtocol, kUnkept };
  struct Active {
    queue::Lease lease;
    ChildProcess child;
    LineBuffer lines{std::size_t{16} << 20};
    bool frames_open = true;
    std::optional<pipeline::Frame> outcome = std::nullopt;  // result or error, as the worker said
    std::optional<Progress> progress = std::nullopt;        // not yet stored
    std::vector<nlohmann::json> events = {};                // not yet stored
    std::string stored_stage = {};
    SteadyTime progress_due{};
    EndReason reason = EndReason::kNone;
    std::optional<SteadyTime> kill_at = std::nullopt;
  };

  // What the store did not take yet.
  struct Unrecorded {
    JobId job;
    std::function<Status()> write;
  };

  // A result on its way into the store.
  struct Publication {
    queue::Lease lease;
    nlohmann::json result;
    std::atomic<bool> done{false};
    std::thread thread = {};
  };

  void supervise();
  void claim_all();
  bool claim_one(JobKind kind);
  Result<std::optional<queue::Lease>> claim_fitting(JobKind kind);
  std::size_t running(JobKind kind) const;
  std::string lack_for(const store::Need& need) const;  // "" = there is room
  std::uint64_t memory_limit(const queue::Lease& lease) const;
  void launch(queue::Lease lease);
  void end_cancelled();
  void end(Active& active, EndReason reason);
  void wait_for_news();
  int wait_milliseconds();
  void read_frames(Active& active);
  void take_frame(Active& active, const std::string& line);
  void store_progress(Active& active);
  void enforce_deadlines();
  void collect_dead();
  void conclude(Active& active);
  void publish(Active& active);
  void publish_now(Publication& publication);
  void collect_published();
  void fail(const queue::Lease& lease, const Error& error, bool killed_by_signal);
  // Writes how an attempt ended. Where the store cannot take it now (a full disk), it is tried
  // again until it does: the job would stay in flight until the next start.
  void record(JobId job, std::function<Status()> write);
  void record_again();
  void keep_events(Active& active);
  pipeline::Stage& stage(const queue::Lease& lease) { return *stages_.at(lease.job.job.kind); }

  store::Store& store_;
  queue::JobQueue& queue_;
  const Clock& clock_;
  const pipeline::StateFolder& state_;
  Stages stages_;
  PoolOptions options_;
  int wake_descriptor_ = -1;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> accepting_{false};
  std::atomic<std::size_t> busy_{0};
  std::atomic<std::uint64_t> memory_used_{0};
  mutable std::mutex waiting_mutex_;
  std::string waiting_for_;                // under waiting_mutex_
  std::map<JobId, unsigned> passed_over_;  // how often another job was taken instead
  std::list<Active> active_;               // the supervisor's own, as is the next
  std::list<Publication> publications_;
  std::mutex unrecorded_mutex_;
  std::list<Unrecorded> unrecorded_;  // under unrecorded_mutex_
  std::thread thread_;
};

}  // namespace crucible::server::worker
