#include "server/evalserver/engine_thread.hpp"

#include <utility>

namespace crucible::server::evalserver {

EngineThread::EngineThread(std::size_t waiting)
    : waiting_(waiting), thread_([this](const std::stop_token& stop) { work(stop); }) {}

EngineThread::~EngineThread() { stop(); }

void EngineThread::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

EngineThread::Outcome EngineThread::run(Job job) {
  std::packaged_task<void(const std::stop_token&)> task(std::move(job));
  std::future<void> done = task.get_future();
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return Outcome::kStopped;
    if (busy_ && jobs_.size() >= waiting_) return Outcome::kFull;
    if (!busy_ && jobs_.size() > waiting_) return Outcome::kFull;
    jobs_.push_back(std::move(task));
  }
  changed_.notify_all();
  try {
    done.get();
  } catch (const std::future_error&) {
    return Outcome::kStopped;
  }
  return Outcome::kDone;
}

void EngineThread::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !jobs_.empty(); })) {
    if (stop.stop_requested()) break;
    auto task = std::move(jobs_.front());
    jobs_.pop_front();
    busy_ = true;
    lock.unlock();
    task(stop);
    lock.lock();
    busy_ = false;
  }
  stopped_ = true;
  jobs_.clear();  // their waiters see broken promises
}

}  // namespace crucible::server::evalserver
