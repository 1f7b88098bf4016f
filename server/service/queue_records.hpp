#pragma once

#include "server/service/records.hpp"

// What is said about the queue as a whole.
namespace crucible::server {

// A kind of jobs that is not taken up.
struct QueuePause {
  JobKind kind = JobKind::kMerge;
  TimeMs paused_at = 0;
  std::string paused_by;  // name of a token; "" without tokens
};
struct QueueCount {
  JobKind kind = JobKind::kMerge;
  JobState state = JobState::kQueued;
  std::int64_t jobs = 0;
};
// The queue as a whole. Bytes of memory and disk are what running jobs were given and what there
// is.
struct QueueStatus {
  std::vector<QueueCount> counts;  // those above 0
  std::vector<QueuePause> pauses;
  std::optional<TimeMs> oldest_merge;  // queued ones
  std::optional<TimeMs> oldest_evaluation;
  std::uint64_t memory_used = 0;
  std::uint64_t memory_budget = 0;  // 0 = unlimited
  std::uint64_t disk_free = 0;
  std::uint64_t disk_floor = 0;  // nothing that writes starts below it
  std::string waiting_for;       // why the next job does not start; "" = nothing holds it up
};

}  // namespace crucible::server
