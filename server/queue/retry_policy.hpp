#pragma once

#include "server/service/records.hpp"

// Whether, and when, a failed attempt is followed by another.
namespace crucible::server::queue {

struct RetryPolicy {
  std::int64_t max_attempts = 5;     // failures after which a job is dead
  std::int64_t most_signals = 2;     // workers killed by a signal after which it is (poison)
  TimeMs first_delay = 2'000;        // upper bound of the first wait
  double growth = 4.0;               // of that bound, from failure to failure
  TimeMs longest_delay = 3'600'000;  // the bound's cap
  TimeMs no_space_delay = 30'000;    // bound while the disk is full; such failures do not count

  // Exponential back-off with full jitter: uniform in [0, min(cap, first * growth^(failures - 1))].
  // `chance` in [0, 1); `failures` counts this one.
  TimeMs delay(std::int64_t failures, double chance) const;
};

// The input is at fault, another attempt would end the same way.
bool is_input_fault(ErrorCode code);

// How an attempt failed, and what the job's counters were before it.
struct Failure {
  ErrorCode code = ErrorCode::kInternal;
  bool killed_by_signal = false;
  std::int64_t failures_before = 0;
  std::int64_t signals_before = 0;
};
struct Verdict {
  JobState state = JobState::kFailed;  // retry_wait, failed or dead
  TimeMs delay = 0;                    // with retry_wait
  bool counts_as_failure = true;
};
Verdict judge(const Failure& failure, std::int64_t max_attempts, const RetryPolicy& policy,
              double chance);

}  // namespace crucible::server::queue
