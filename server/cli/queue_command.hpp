#pragma once

#include "server/cli/output.hpp"

// Commands about the queue as a whole.
namespace crucible::server::cli {

int queue_status(const CommonOptions& common);
int pause_queue(const std::string& kind, const CommonOptions& common);  // "" = all kinds
int resume_queue(const std::string& kind, const CommonOptions& common);
int set_priority(std::int64_t job, int priority, const CommonOptions& common);

}  // namespace crucible::server::cli
