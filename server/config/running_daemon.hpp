#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "merger/base/error.hpp"

// How a user's commands find the daemon of the same user on the same machine, whatever state folder
// it was given: a small file by port in the user's own folder, which names the state folder and
// with it the token. Nothing secret is in it.
namespace crucible::server::config {

struct RunningDaemon {
  std::int64_t pid = 0;
  std::string url;
  std::filesystem::path state;
};

using Environment = std::function<const char*(const char*)>;  // as getenv
// $XDG_STATE_HOME/crucible or ~/.local/state/crucible.
std::filesystem::path user_state_folder(const Environment& environment);

// For the daemon: after it listens, and before it ends. Errors are for the log: everything else
// works without the file.
Status announce(const RunningDaemon& daemon, std::uint16_t port);
void withdraw(std::uint16_t port);

// For commands: the daemon that listens on this port, if it runs and is this user's.
std::optional<RunningDaemon> find_running(std::uint16_t port);

}  // namespace crucible::server::config
