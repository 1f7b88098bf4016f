#include "server/worker/worker_pool.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "merger/base/byte_count.hpp"
#include "merger/base/io.hpp"
#include "server/log/fields.hpp"

namespace crucible::server::worker {
namespace {

constexpr int kIdleWaitMs = 5000;
constexpr int kBusyWaitMs = 1000;
// A job that does not fit lets smaller ones pass this often; then room is kept for it.
constexpr unsigned kMostPassedOver = 20;
constexpr std::uint64_t kSpareMemory = 2ULL << 30;

nlohmann::json fields_of(const queue::Lease& lease) {
  return {{"job", lease.id()}, {"attempt", lease.attempt()}};
}

bool is_readable(int descriptor) {
  pollfd ready{descriptor, POLLIN, 0};
  return ::poll(&ready, 1, 0) > 0;
}

}  // namespace

WorkerPool::WorkerPool(store::Store& store, queue::JobQueue& queue, const Clock& clock,
                       const pipeline::StateFolder& state, Stages stages, PoolOptions options)
    : store_(store),
      queue_(queue),
      clock_(clock),
      state_(state),
      stages_(std::move(stages)),
      options_(std::move(options)),
      wake_descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

WorkerPool::~WorkerPool() {
  stop();
  if (wake_descriptor_ >= 0) ::close(wake_descriptor_);
}

Status WorkerPool::start() {
  if (wake_descriptor_ < 0) return crucible::fail(ErrorCode::kIo, "no eventfd");
  auto report = recover(store_, queue_, state_, stages_);
  if (!report) return crucible::fail(std::move(report).error().with_context("recovering jobs"));
  if (report->finished + report->requeued + report->cancelled > 0) {
    spdlog::info("recovered: {} finished, {} queued again, {} cancelled, {} orphans killed",
                 report->finished, report->requeued, report->cancelled, report->orphans_killed);
  }
  accepting_ = true;
  thread_ = std::thread([this] { supervise(); });
  return {};
}

void WorkerPool::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_descriptor_, &one, sizeof one);
}

void WorkerPool::stop() {
  stopping_ = true;
  accepting_ = false;
  wake();
  if (thread_.joinable()) thread_.join();
}

void WorkerPool::supervise() {
  bool draining = false;
  while (true) {
    if (!stopping_ && !store_.healthy()) accepting_ = false;
    if (stopping_ && !draining) {
      draining = true;
      for (Active& active : active_) end(active, EndReason::kDraining);
    }
    if (accepting_ && !stopping_) {
      if (auto status = queue_.promote_due(); !status) spdlog::error("{}", status.error().message);
      claim_all();
    }
    end_cancelled();
    record_again();
    busy_ = active_.size() + publications_.size();
    if (draining && active_.empty() && publications_.empty()) return;
    wait_for_news();
    for (Active& active : active_) read_frames(active);
    enforce_deadlines();
    collect_dead();
    collect_published();
  }
}

void WorkerPool::claim_all() {
  if (passed_over_.size() > 1024) passed_over_.clear();  // of jobs that were cancelled meanwhile
  if (active_.empty() && publications_.empty()) {
    const std::lock_guard lock(waiting_mutex_);
    waiting_for_.clear();  // said again below where it still holds
  }
  for (const auto& [kind, most] : options_.most) {
    while (running(kind) < most && !stopping_ && claim_one(kind)) {
    }
  }
}

std::size_t WorkerPool::running(JobKind kind) const {
  const auto is_of_kind = [kind](const auto& entry) { return entry.lease.job.job.kind == kind; };
  return static_cast<std::size_t>(std::ranges::count_if(active_, is_of_kind) +
                                  std::ranges::count_if(publications_, is_of_kind));
}

QueueStatus WorkerPool::capacity() const {
  QueueStatus status;
  status.memory_used = memory_used_;
  status.memory_budget = options_.memory_budget;
  status.disk_free = io::free_bytes(state_.root()).value_or(0);
  status.disk_floor = options_.disk_floor;
  const std::lock_guard lock(waiting_mutex_);
  status.waiting_for = waiting_for_;
  return status;
}

std::string WorkerPool::lack_for(const store::Need& need) const {
  if (need.disk_bytes > 0) {
    const std::uint64_t free = io::free_bytes(state_.root()).value_or(0);
    if (free < options_.disk_floor || free - options_.disk_floor < need.disk_bytes) {
      return fmt::format("{} of disk beside the {} that stay free; {} are free",
                         format_byte_count(need.disk_bytes), format_byte_count(options_.disk_floor),
                         format_byte_count(free));
    }
  }
  const std::uint64_t used = memory_used_;
  const std::uint64_t budget = options_.memory_budget;
  if (budget == 0 || active_.empty() || used + need.memory_bytes <= budget) return "";
  return fmt::format("{} of memory; {} of {} are in use", format_byte_count(need.memory_bytes),
                     format_byte_count(used), format_byte_count(budget));
}

Result<std::optional<queue::Lease>> WorkerPool::claim_fitting(JobKind kind) {
  std::optional<JobId> held_up;
  std::string waiting_for;
  auto lease = queue_.claim(kind, [&](const store::StoredJob& job) {
    const std::string lack = lack_for(job.need);
    if (lack.empty()) return !held_up || passed_over_[*held_up] < kMostPassedOver;
    if (!held_up) {
      held_up = job.job.id;
      waiting_for = fmt::format("job {} needs {}", job.job.id, lack);
    }
    return false;
  });
  if (lease && *lease) {
    if (held_up) ++passed_over_[*held_up];
    passed_over_.erase((*lease)->id());
  }
  if (!held_up) return lease;
  const std::lock_guard lock(waiting_mutex_);
  if (waiting_for_ != waiting_for) spdlog::info("waiting: {}", waiting_for);
  waiting_for_ = std::move(waiting_for);
  return lease;
}

// False when there is nothing to claim.
bool WorkerPool::claim_one(JobKind kind) {
  auto lease = claim_fitting(kind);
  if (!lease) {
    spdlog::error("claiming a job: {}", lease.error().message);
    return false;
  }
  if (!*lease) return false;
  auto settled = stage(**lease).settle(**lease);
  if (!settled) {
    fail(**lease, settled.error(), false);
  } else if (!*settled) {
    launch(std::move(**lease));
  }
  return true;
}

// Far above what the job should need: a bound for the hostile, not for the hungry.
std::uint64_t WorkerPool::memory_limit(const queue::Lease& lease) const {
  if (options_.memory_budget == 0) return 0;
  return std::max(options_.memory_budget, 4 * lease.job.need.memory_bytes + kSpareMemory);
}

void WorkerPool::launch(queue::Lease lease) {
  const log::Scope scope(fields_of(lease));
  auto spec = stage(lease).prepare(lease);
  if (!spec) return fail(lease, spec.error(), false);
  (*spec)["sandbox"] = {{"required", options_.sandbox},
                        {"memory_bytes", memory_limit(lease)},
                        {"roots", options_.read_roots},
                        {"trusted", options_.trusted_folders}};
  auto child = ChildProcess::spawn(
      {options_.executable, options_.arguments, spec->dump(), state_.root() / lease.log_path()});
  if (!child) return fail(lease, child.error(), false);
  if (auto status = queue_.start(lease, child->identity()); !status) {
    spdlog::error("job {}: {}", lease.id(), status.error().message);
    child->reap();
    return fail(lease, status.error(), false);
  }
  spdlog::info("job {} attempt {}: worker {}", lease.id(), lease.attempt(), child->identity().pid);
  memory_used_ += lease.job.need.memory_bytes;
  active_.push_back(Active{std::move(lease), std::move(*child)});
}

void WorkerPool::end_cancelled() {
  if (active_.empty()) return;
  auto ids = queue_.cancel_requests();
  if (!ids) return;
  for (Active& active : active_) {
    if (std::ranges::find(*ids, active.lease.id()) != ids->end()) {
      end(active, EndReason::kCancelled);
    }
  }
}

void WorkerPool::end(Active& active, EndReason reason) {
  if (active.reason == EndReason::kNone) {
    active.child.signal_group(SIGTERM);
    active.kill_at = std::chrono::steady_clock::now() + options_.grace;
  }
  // A cancel stays one even when the daemon begins to drain.
  if (active.reason != EndReason::kCancelled) active.reason = reason;
}

int WorkerPool::wait_milliseconds() {
  int wait = active_.empty() ? kIdleWaitMs : kBusyWaitMs;
  {
    const std::lock_guard lock(unrecorded_mutex_);
    if (!unrecorded_.empty()) wait = kBusyWaitMs;
  }
  if (const auto due = queue_.next_due(); due && *due) {
    wait = static_cast<int>(std::clamp<TimeMs>(**due - clock_.now(), 1, wait));
  }
  const auto now = std::chrono::steady_clock::now();
  for (const Active& active : active_) {
    if (!active.kill_at) continue;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*active.kill_at - now).count();
    wait = static_cast<int>(std::clamp<std::int64_t>(left, 1, wait));
  }
  return wait;
}

void WorkerPool::wait_for_news() {
  std::vector<pollfd> descriptors = {{wake_descriptor_, POLLIN, 0}};
  for (const Active& active : active_) {
    descriptors.push_back({active.child.pidfd(), POLLIN, 0});
    if (active.frames_open) descriptors.push_back({active.child.frames(), POLLIN, 0});
  }
  ::poll(descriptors.data(), descriptors.size(), wait_milliseconds());
  std::uint64_t count = 0;
  while (::read(wake_descriptor_, &count, sizeof count) > 0) {
  }
}

void WorkerPool::read_frames(Active& active) {
  if (!active.frames_open) return;
  auto open = active.lines.fill(active.child.frames());
  active.frames_open = open.value_or(false);
  while (auto line = active.lines.next()) take_frame(active, *line);
  keep_events(active);
  if (!open) end(active, EndReason::kProtocol);
  store_progress(active);
}

void WorkerPool::take_frame(Active& active, const std::string& line) {
  const log::Scope scope(fields_of(active.lease));
  auto frame = pipeline::frame_from(line);
  if (!frame) {
    spdlog::error("job {}: {}", active.lease.id(), frame.error().message);
    return end(active, EndReason::kProtocol);
  }
  if (frame->type == pipeline::Frame::Type::kProgress) {
    active.progress = std::move(frame->progress);
  } else if (frame->type == pipeline::Frame::Type::kEvent) {
    active.events.push_back(std::move(frame->result));
  } else if (!active.outcome) {
    active.outcome = std::move(*frame);
  }
}

void WorkerPool::store_progress(Active& active) {
  if (!active.progress || active.reason != EndReason::kNone) return;
  const auto now = std::chrono::steady_clock::now();
  const bool is_new_stage = active.progress->stage != active.stored_stage;
  if (!is_new_stage && !active.outcome && now < active.progress_due) return;
  if (auto status = queue_.note_progress(active.lease, *active.progress); !status) {
    spdlog::warn("job {}: {}", active.lease.id(), status.error().message);
  }
  active.stored_stage = active.progress->stage;
  active.progress_due = now + options_.progress_interval;
  active.progress.reset();
}

void WorkerPool::enforce_deadlines() {
  const auto now = std::chrono::steady_clock::now();
  for (Active& active : active_) {
    if (active.kill_at && now >= *active.kill_at) active.child.signal_group(SIGKILL);
  }
}

void WorkerPool::collect_dead() {
  for (auto active = active_.begin(); active != active_.end();) {
    if (!is_readable(active->child.pidfd())) {
      ++active;
      continue;
    }
    read_frames(*active);
    conclude(*active);
    memory_used_ -= active->lease.job.need.memory_bytes;
    active = active_.erase(active);
  }
}

void WorkerPool::conclude(Active& active) {
  const ExitStatus exit = active.child.reap();
  const queue::Lease& lease = active.lease;
  const log::Scope scope(fields_of(lease));
  const bool has_result =
      active.outcome && active.outcome->type == pipeline::Frame::Type::kResult && exit.signal == 0;
  if (active.reason == EndReason::kCancelled) {
    stage(lease).discard(lease);
    return record(lease.id(), [this, lease] { return queue_.cancel(lease); });
  }
  if (active.reason == EndReason::kUnkept) {
    return fail(lease, {ErrorCode::kUnavailable, "what it found could not be kept", {}}, false);
  }
  if (has_result && active.reason != EndReason::kProtocol) return publish(active);
  if (active.reason == EndReason::kDraining) {
    stage(lease).discard(lease);
    return record(lease.id(), [this, lease] {
      return queue_.requeue(lease, "the daemon stops; queued again");
    });
  }
  if (active.outcome && active.outcome->type == pipeline::Frame::Type::kError) {
    return fail(lease, active.outcome->error, false);
  }
  if (exit.signal != 0) {
    return fail(lease,
                {ErrorCode::kInternal,
                 fmt::format("the worker was killed by signal {} ({}); see the job's log",
                             exit.signal, ::strsignal(exit.signal)),
                 {}},
                active.reason == EndReason::kNone);
  }
  fail(lease,
       {ErrorCode::kInternal,
        fmt::format("the worker ended with code {} and no result; see the job's log", exit.code),
        {}},
       false);
}

void WorkerPool::publish(Active& active) {
  auto& publication = publications_.emplace_back(active.lease, std::move(active.outcome->result));
  publication.thread = std::thread([this, &publication] {
    publish_now(publication);
    publication.done = true;
    wake();
  });
}

void WorkerPool::collect_published() {
  for (auto publication = publications_.begin(); publication != publications_.end();) {
    if (!publication->done) {
      ++publication;
      continue;
    }
    publication->thread.join();
    publication = publications_.erase(publication);
  }
}

void WorkerPool::publish_now(Publication& publication) {
  queue::Lease& lease = publication.lease;
  const log::Scope scope(fields_of(lease));
  auto status = queue_.publish(lease, publication.result.dump());
  if (!status && status.error().code == ErrorCode::kCancelled) {
    stage(lease).discard(lease);
    return record(lease.id(), [this, lease] { return queue_.cancel(lease); });
  }
  if (status) {
    status = stage(lease).finish(lease, publication.result);
  }
  if (!status) fail(lease, status.error(), false);
}

void WorkerPool::fail(const queue::Lease& lease, const Error& error, bool killed_by_signal) {
  const log::Scope scope(fields_of(lease));
  stage(lease).discard(lease);
  record(lease.id(), [this, lease, error, killed_by_signal]() -> Status {
    auto state = queue_.fail(lease, error, killed_by_signal);
    if (!state) return crucible::fail(std::move(state).error());
    spdlog::warn("job {} attempt {}: {}: {}", lease.id(), lease.attempt(), to_string(*state),
                 error.message);
    return {};
  });
}

void WorkerPool::record(JobId job, std::function<Status()> write) {
  const auto status = write();
  if (status) return;
  spdlog::error("job {}: {}", job, status.error().message);
  // A lease that is no longer ours, or a store that has stopped: the next start settles it.
  const ErrorCode code = status.error().code;
  if (code == ErrorCode::kConflict || code == ErrorCode::kNotFound || !store_.healthy()) return;
  const std::lock_guard lock(unrecorded_mutex_);
  unrecorded_.push_back({job, std::move(write)});
}

void WorkerPool::record_again() {
  std::list<Unrecorded> waiting;
  {
    const std::lock_guard lock(unrecorded_mutex_);
    waiting.swap(unrecorded_);
  }
  for (Unrecorded& one : waiting) record(one.job, std::move(one.write));
}

void WorkerPool::keep_events(Active& active) {
  if (active.events.empty()) return;
  const std::vector<nlohmann::json> events = std::exchange(active.events, {});
  const auto status = stage(active.lease).note(active.lease, events);
  if (status) return;
  // Nothing is lost: the next attempt does the work again that could not be kept.
  spdlog::error("job {}: {}", active.lease.id(), status.error().message);
  end(active, EndReason::kUnkept);
}

}  // namespace crucible::server::worker
