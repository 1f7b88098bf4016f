#pragma once

#include <memory>

namespace spdlog {
class logger;
}  // namespace spdlog

namespace crucible::server::log {

// Writes one JSON object a line to stderr: time (RFC 3339, UTC), level, message, and the fields of
// the thread's scopes (job, attempt, kind, request_id, ...).
std::shared_ptr<spdlog::logger> json_logger();

}  // namespace crucible::server::log
