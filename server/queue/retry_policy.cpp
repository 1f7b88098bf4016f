#include "server/queue/retry_policy.hpp"

#include <algorithm>
#include <cmath>

namespace crucible::server::queue {

TimeMs RetryPolicy::delay(std::int64_t failures, double chance) const {
  const double exponent = static_cast<double>(std::max<std::int64_t>(failures, 1) - 1);
  const double bound = std::min(static_cast<double>(longest_delay),
                                static_cast<double>(first_delay) * std::pow(growth, exponent));
  return static_cast<TimeMs>(bound * chance);
}

bool is_input_fault(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kUnsupported:
    case ErrorCode::kCorrupt:
    case ErrorCode::kPermission:
      return true;
    default:
      return false;
  }
}

Verdict judge(const Failure& failure, std::int64_t max_attempts, const RetryPolicy& policy,
              double chance) {
  if (failure.killed_by_signal && failure.signals_before + 1 >= policy.most_signals) {
    return {JobState::kDead, 0, true};
  }
  if (!failure.killed_by_signal && is_input_fault(failure.code)) {
    return {JobState::kFailed, 0, true};
  }
  if (failure.code == ErrorCode::kNoSpace) {
    const double bound = static_cast<double>(policy.no_space_delay);
    return {JobState::kRetryWait, static_cast<TimeMs>(bound * (0.5 + chance / 2)), false};
  }
  const std::int64_t failures = failure.failures_before + 1;
  if (failures >= max_attempts) return {JobState::kDead, 0, true};
  return {JobState::kRetryWait, policy.delay(failures, chance), true};
}

}  // namespace crucible::server::queue
