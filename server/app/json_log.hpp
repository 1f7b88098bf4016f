#pragma once

#include <memory>

namespace spdlog {
class logger;
}

namespace crucible::server::app {

// Writes one JSON object a line to stderr: time (RFC 3339, UTC), level, message.
std::shared_ptr<spdlog::logger> json_logger();

}  // namespace crucible::server::app
