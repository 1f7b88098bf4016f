#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace crucible {

// A fixed set of threads that run one loop at a time. Indices are handed out in ascending order, so
// which worker gets which index varies; callers store results by index, and then nothing depends on
// the number of threads. One loop at a time; for_each must not be called from inside a body.
class ThreadPool {
 public:
  explicit ThreadPool(unsigned threads);  // 0 = one per hardware thread
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned workers() const { return workers_; }

  // Calls body(worker, index) for every index below `count`; worker < workers() names the calling
  // thread's scratch space. Returns when all are done. The calling thread takes part as worker 0.
  // The first exception stops the handing out of indices and is thrown here.
  using Body = std::function<void(unsigned worker, std::size_t index)>;
  void for_each(std::size_t count, const Body& body);

 private:
  void run_worker(unsigned worker);
  void take_indices(unsigned worker, const Body& body);

  unsigned workers_;
  std::mutex mutex_;
  std::condition_variable work_ready_;
  std::condition_variable work_done_;
  const Body* body_ = nullptr;
  std::size_t count_ = 0;
  std::size_t next_ = 0;
  unsigned active_ = 0;
  std::uint64_t generation_ = 0;
  std::exception_ptr failure_;
  bool closing_ = false;
  std::vector<std::thread> threads_;  // last: started when all else is ready
};

}  // namespace crucible
