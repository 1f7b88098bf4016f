#pragma once

#include <string>

#include "merger/base/progress.hpp"

#include "server/cli/api_client.hpp"

// The API's JSON as text for a terminal. Unknown or missing fields show as nothing, never as a
// failure.
namespace crucible::server::cli {

std::string jobs_view(const Json& items);
std::string job_view(const Json& job);
std::string models_view(const Json& items);
std::string model_view(const Json& model);
std::string suites_view(const Json& items);
std::string leaderboard_view(const Json& board);
std::string sweeps_view(const Json& items);
std::string sweep_view(const Json& sweep);
std::string preflight_view(const Json& preflight);
std::string evaluation_view(const Json& evaluation);
std::string comparison_view(const Json& comparison);

// One line for an event of a stream: "running", "retry_wait: worker was killed".
std::string event_note(const Json& event);
Progress progress_of(const Json& object);  // its member `progress`

}  // namespace crucible::server::cli
