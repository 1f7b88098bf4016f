#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace crucible::server {

using TimeMs = std::int64_t;
using JobId = std::int64_t;
using ModelId = std::int64_t;
using EvaluationId = std::int64_t;
using SweepId = std::int64_t;

enum class JobKind { kMerge, kEvaluation, kSweep };
// queued → leased → running → publishing → succeeded; retry_wait (again later), failed (the input's
// fault), dead (attempts spent or poison), cancelled.
enum class JobState {
  kQueued,
  kLeased,
  kRunning,
  kPublishing,
  kSucceeded,
  kRetryWait,
  kFailed,
  kDead,
  kCancelled
};

std::string_view to_string(JobKind kind);    // "merge", "evaluation"
std::string_view to_string(JobState state);  // "retry_wait"
std::optional<JobKind> job_kind_from(std::string_view name);
std::optional<JobState> job_state_from(std::string_view name);
bool is_final(JobState state);

}  // namespace crucible::server
