#pragma once

#include <memory>

namespace spdlog {
class logger;
class formatter;
}  // namespace spdlog

namespace crucible::server::log {

// Writes one JSON object a line to stderr: time (RFC 3339, UTC), level, message, and the fields of
// the thread's scopes (job, attempt, kind, request_id, ...).
std::shared_ptr<spdlog::logger> json_logger();
std::unique_ptr<spdlog::formatter> json_formatter();

}  // namespace crucible::server::log
