#include <utility>

#include "server/service/daemon_service.hpp"
#include "server/store/queue_pauses.hpp"

// The queue as a whole.
namespace crucible::server {
namespace {

std::vector<JobKind> kinds_of(std::optional<JobKind> kind) {
  if (kind) return {*kind};
  return {JobKind::kMerge, JobKind::kEvaluation, JobKind::kSweep};
}

}  // namespace

Result<Job> DaemonService::set_priority(JobId id, std::int64_t priority,
                                        const access::Principal& by) {
  if (auto status = check_owner(id, by); !status) return fail(std::move(status).error());
  auto changed = parts_.queue.set_priority(id, priority, by.token);
  if (changed) parts_.workers.wake();
  return changed;
}

Result<QueueStatus> DaemonService::queue_status() {
  QueueStatus status = parts_.workers.capacity();
  auto read = parts_.store.read([&](store::Database& database) -> Status {
    auto counts = store::count_jobs(database);
    if (!counts) return fail(std::move(counts).error());
    for (const store::JobCount& count : *counts) {
      status.counts.push_back({count.kind, count.state, count.jobs});
    }
    auto pauses = store::queue_pauses(database);
    if (!pauses) return fail(std::move(pauses).error());
    status.pauses = std::move(*pauses);
    auto merge = store::oldest_queued(database, JobKind::kMerge);
    if (!merge) return fail(std::move(merge).error());
    status.oldest_merge = *merge;
    auto evaluation = store::oldest_queued(database, JobKind::kEvaluation);
    if (!evaluation) return fail(std::move(evaluation).error());
    status.oldest_evaluation = *evaluation;
    return {};
  });
  if (!read) return fail(std::move(read).error());
  return status;
}

Result<QueueStatus> DaemonService::pause_queue(std::optional<JobKind> kind, const std::string& by) {
  for (const JobKind each : kinds_of(kind)) {
    if (auto status = parts_.queue.pause(each, by); !status) return fail(std::move(status).error());
  }
  return queue_status();
}

Result<QueueStatus> DaemonService::resume_queue(std::optional<JobKind> kind) {
  for (const JobKind each : kinds_of(kind)) {
    if (auto status = parts_.queue.resume(each); !status) return fail(std::move(status).error());
  }
  parts_.workers.wake();
  return queue_status();
}

}  // namespace crucible::server
