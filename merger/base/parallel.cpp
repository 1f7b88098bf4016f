#include "merger/base/parallel.hpp"

#include <algorithm>
#include <utility>

namespace crucible {

ThreadPool::ThreadPool(unsigned threads)
    : workers_(threads != 0 ? threads : std::max(1U, std::thread::hardware_concurrency())) {
  threads_.reserve(workers_ - 1);
  for (unsigned worker = 1; worker < workers_; ++worker) {
    threads_.emplace_back([this, worker] { run_worker(worker); });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  work_ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::for_each(std::size_t count, const Body& body) {
  if (count == 0) return;
  const bool alone = workers_ == 1 || count == 1;
  {
    const std::lock_guard lock(mutex_);
    body_ = &body;
    count_ = count;
    next_ = 0;
    failure_ = nullptr;
    active_ = alone ? 0 : workers_ - 1;
    if (!alone) ++generation_;
  }
  if (!alone) work_ready_.notify_all();
  take_indices(0, body);
  std::unique_lock lock(mutex_);
  work_done_.wait(lock, [this] { return active_ == 0; });
  body_ = nullptr;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::run_worker(unsigned worker) {
  std::uint64_t seen = 0;
  for (;;) {
    const Body* body = nullptr;
    {
      std::unique_lock lock(mutex_);
      work_ready_.wait(lock, [&] { return closing_ || generation_ != seen; });
      if (closing_) return;
      seen = generation_;
      body = body_;
    }
    take_indices(worker, *body);
    {
      const std::lock_guard lock(mutex_);
      --active_;
    }
    work_done_.notify_one();
  }
}

void ThreadPool::take_indices(unsigned worker, const Body& body) {
  for (;;) {
    std::size_t index = 0;
    {
      const std::lock_guard lock(mutex_);
      if (next_ >= count_) return;
      index = next_++;
    }
    try {
      body(worker, index);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      next_ = count_;
    }
  }
}

}  // namespace crucible
