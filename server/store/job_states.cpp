#include "server/store/job_states.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace crucible::server {

bool is_legal(JobState from, JobState to) {
  using enum JobState;
  static constexpr auto kMoves = std::to_array<std::pair<JobState, JobState>>({
      {kQueued, kLeased},        {kQueued, kSucceeded},     {kQueued, kCancelled},
      {kLeased, kRunning},       {kLeased, kSucceeded},     {kLeased, kQueued},
      {kLeased, kRetryWait},     {kLeased, kFailed},        {kLeased, kDead},
      {kLeased, kCancelled},     {kRunning, kPublishing},   {kRunning, kQueued},
      {kRunning, kRetryWait},    {kRunning, kFailed},       {kRunning, kDead},
      {kRunning, kCancelled},    {kPublishing, kSucceeded}, {kPublishing, kQueued},
      {kPublishing, kRetryWait}, {kPublishing, kFailed},    {kPublishing, kDead},
      {kRetryWait, kQueued},     {kRetryWait, kCancelled},  {kFailed, kQueued},
      {kDead, kQueued},          {kCancelled, kQueued},
  });
  return std::ranges::find(kMoves, std::pair(from, to)) != kMoves.end();
}

}  // namespace crucible::server
