#include "server/service/records.hpp"

#include <array>
#include <utility>

namespace crucible::server {
namespace {

constexpr std::array<std::pair<JobKind, std::string_view>, 3> kKinds = {{
    {JobKind::kMerge, "merge"},
    {JobKind::kEvaluation, "evaluation"},
    {JobKind::kSweep, "sweep"},
}};

constexpr std::array<std::pair<JobState, std::string_view>, 9> kStates = {{
    {JobState::kQueued, "queued"},
    {JobState::kLeased, "leased"},
    {JobState::kRunning, "running"},
    {JobState::kPublishing, "publishing"},
    {JobState::kSucceeded, "succeeded"},
    {JobState::kRetryWait, "retry_wait"},
    {JobState::kFailed, "failed"},
    {JobState::kDead, "dead"},
    {JobState::kCancelled, "cancelled"},
}};

template <typename Table, typename Value>
std::string_view name_of(const Table& table, Value value) {
  for (const auto& [candidate, name] : table) {
    if (candidate == value) return name;
  }
  return "unknown";
}

template <typename Value, typename Table>
std::optional<Value> value_of(const Table& table, std::string_view wanted) {
  for (const auto& [candidate, name] : table) {
    if (name == wanted) return candidate;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(JobKind kind) { return name_of(kKinds, kind); }
std::string_view to_string(JobState state) { return name_of(kStates, state); }
std::optional<JobKind> job_kind_from(std::string_view name) {
  return value_of<JobKind>(kKinds, name);
}
std::optional<JobState> job_state_from(std::string_view name) {
  return value_of<JobState>(kStates, name);
}

bool is_final(JobState state) {
  return state == JobState::kSucceeded || state == JobState::kFailed || state == JobState::kDead ||
         state == JobState::kCancelled;
}

}  // namespace crucible::server
