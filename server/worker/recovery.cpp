#include "server/worker/recovery.hpp"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <utility>

#include "server/pipeline/merge_stage.hpp"
#include "server/worker/process.hpp"

namespace crucible::server::worker {
namespace {

// True when the job has succeeded with the result that its worker had delivered.
bool finish_published(pipeline::Stage& stage, queue::Lease& lease, const store::Attempt& attempt) {
  if (lease.state != JobState::kPublishing || !attempt.result) return false;
  const auto result = nlohmann::json::parse(*attempt.result, nullptr, false);
  auto status = result.is_object()
                    ? stage.finish(lease, result)
                    : fail(ErrorCode::kCorrupt, "what its worker delivered is no JSON object");
  if (!status) {
    spdlog::warn("job {}: its result could not be recorded: {}", lease.id(),
                 status.error().message);
  }
  return status.has_value();
}

Status settle(queue::JobQueue& queue, pipeline::Stage& stage, queue::Lease& lease,
              const std::vector<store::Attempt>& attempts, RecoveryReport& report) {
  if (!attempts.empty() && attempts.back().number == lease.attempt()) {
    const store::Attempt& attempt = attempts.back();
    if (attempt.process && kill_if_same(*attempt.process)) ++report.orphans_killed;
    if (finish_published(stage, lease, attempt)) {
      ++report.finished;
      return {};
    }
  }
  if (lease.job.job.cancel_requested && lease.state != JobState::kPublishing) {
    ++report.cancelled;
    return queue.cancel(lease);
  }
  ++report.requeued;
  return queue.requeue(lease, "the daemon had stopped; queued again");
}

}  // namespace

Result<RecoveryReport> recover(store::Store& store, queue::JobQueue& queue,
                               const pipeline::StateFolder& state, const Stages& stages) {
  RecoveryReport report;
  auto leases = queue.in_flight();
  if (!leases) return fail(std::move(leases).error());
  for (queue::Lease& lease : *leases) {
    auto attempts = store.read(
        [&](store::Database& database) { return store::attempts_of(database, lease.id()); });
    if (!attempts) return fail(std::move(attempts).error());
    auto& stage = *stages.at(lease.job.job.kind);
    if (auto status = settle(queue, stage, lease, *attempts, report); !status) {
      return fail(std::move(status).error());
    }
  }
  std::error_code error;
  for (std::filesystem::directory_iterator entry(state.staging(), error), end;
       !error && entry != end; entry.increment(error)) {
    pipeline::remove_below(state.staging(), entry->path());
  }
  return report;
}

}  // namespace crucible::server::worker
