#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

namespace crucible::server::evalserver {

// The one thread on which a model computes; requests wait in line. Thread-safe.
class EngineThread {
 public:
  // A job looks at the token: it is asked to stop when the server ends.
  using Job = std::function<void(const std::stop_token&)>;

  // `waiting` jobs may wait behind the one that runs.
  explicit EngineThread(std::size_t waiting);
  ~EngineThread();  // stops
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  enum class Outcome { kDone, kFull, kStopped };
  // Blocks until the job has run. An exception of the job is thrown here.
  Outcome run(Job job);
  // Asks the running job to stop and waits for it; jobs that wait are dropped. From then on run()
  // gives kStopped.
  void stop();

 private:
  void work(const std::stop_token& stop);

  std::size_t waiting_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::packaged_task<void(const std::stop_token&)>> jobs_;
  bool stopped_ = false;
  bool busy_ = false;
  std::jthread thread_;
};

}  // namespace crucible::server::evalserver
