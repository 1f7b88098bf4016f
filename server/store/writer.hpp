#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "server/store/sqlite.hpp"

// The only place that writes. One thread owns the one writing connection, hence every transaction
// and every checkpoint; requests that wait together share a transaction, each in a savepoint of its
// own, so one fsync makes many of them durable and one that fails takes no other with it.
namespace crucible::server::store {

class Writer {
 public:
  using Work = std::function<Status(Database&)>;

  explicit Writer(Database database);
  ~Writer();  // finishes what is queued
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Runs `work` on the writer's thread and returns when its effects are durable, or undone and an
  // error is returned. Thread-safe; never call it from inside a work function.
  Status run(Work work);

  // The highest job_events id that is durable.
  std::uint64_t event_sequence() const { return event_sequence_.load(std::memory_order_acquire); }
  // False once a durable write failed for another reason than space: the daemon must stop.
  bool healthy() const { return healthy_.load(std::memory_order_acquire); }
  std::uint64_t commits() const { return commits_.load(std::memory_order_relaxed); }

 private:
  struct Request {
    Work work;
    std::promise<Status> done;
  };

  void serve();
  void commit_group(std::deque<Request> group);
  Status run_group(std::deque<Request>& group, std::vector<Status>& outcomes);
  Status run_one(const Work& work);
  void note_events();

  Database database_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Request> queue_;
  bool stopping_ = false;
  std::atomic<std::uint64_t> event_sequence_{0};
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<bool> healthy_{true};
  std::thread thread_;
};

}  // namespace crucible::server::store
