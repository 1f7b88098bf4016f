#pragma once

#include "server/config/options.hpp"

namespace crucible::server::app {

// Runs the daemon until SIGTERM or SIGINT, or until its store fails. Returns the exit code.
int serve(config::Options options);

}  // namespace crucible::server::app
