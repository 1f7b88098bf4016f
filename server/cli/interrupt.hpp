#pragma once

#include <stop_token>
#include <thread>

namespace crucible::server::cli {

// While it lives, the first SIGINT or SIGTERM asks the token to stop and the second ends the
// process with exit code 130. Create it before any other thread is started, one at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  std::stop_token token() const { return stop_.get_token(); }

 private:
  std::stop_source stop_;
  std::jthread waiter_;
};

}  // namespace crucible::server::cli
