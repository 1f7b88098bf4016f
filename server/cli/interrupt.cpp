#include "server/cli/interrupt.hpp"

#include <pthread.h>
#include <unistd.h>

#include <csignal>

#include "server/cli/exit_codes.hpp"

namespace crucible::server::cli {
namespace {

sigset_t signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

InterruptGuard::InterruptGuard() {
  const sigset_t set = signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);  // inherited by every thread started from here on
  waiter_ = std::jthread([stop = stop_](std::stop_token ended) mutable {
    const sigset_t waited = signals();
    for (;;) {
      if (sigwaitinfo(&waited, nullptr) < 0) continue;
      if (ended.stop_requested()) return;
      if (stop.stop_requested()) ::_exit(kInterrupted);
      stop.request_stop();
    }
  });
}

InterruptGuard::~InterruptGuard() {
  waiter_.request_stop();
  pthread_kill(waiter_.native_handle(), SIGTERM);  // blocked there: it only ends the wait
  waiter_.join();
  const sigset_t set = signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace crucible::server::cli
