#include "server/config/running_daemon.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "merger/base/io.hpp"
#include "merger/base/json_text.hpp"

namespace crucible::server::config {
namespace {

constexpr std::uint64_t kLargestNote = 64 << 10;

std::filesystem::path note_of(std::uint16_t port) {
  const Environment environment = [](const char* name) { return std::getenv(name); };
  return user_state_folder(environment) / "daemons" / fmt::format("{}.json", port);
}

bool is_own_process(std::int64_t pid) {
  struct stat facts{};
  return pid > 0 && ::stat(fmt::format("/proc/{}", pid).c_str(), &facts) == 0 &&
         facts.st_uid == ::geteuid();
}

}  // namespace

std::filesystem::path user_state_folder(const Environment& environment) {
  if (const char* base = environment("XDG_STATE_HOME"); base != nullptr && *base != '\0') {
    return std::filesystem::path(base) / "crucible";
  }
  const char* home = environment("HOME");
  return std::filesystem::path(home == nullptr ? "." : home) / ".local/state/crucible";
}

Status announce(const RunningDaemon& daemon, std::uint16_t port) {
  const auto note = note_of(port);
  if (auto status = io::make_folders(note.parent_path()); !status) return status;
  const nlohmann::json json = {
      {"pid", daemon.pid}, {"url", daemon.url}, {"state", daemon.state.string()}};
  return io::replace_file(note, json.dump(-1, ' ', true) + "\n");
}

void withdraw(std::uint16_t port) {
  const auto running = find_running(port);
  if (running && running->pid == ::getpid()) (void)io::system().unlink(note_of(port).c_str());
}

std::optional<RunningDaemon> find_running(std::uint16_t port) {
  const auto text = io::read_text(note_of(port), kLargestNote);
  if (!text) return std::nullopt;
  const auto json = parse_untrusted_json<nlohmann::json>(*text);
  if (!json.is_object()) return std::nullopt;
  RunningDaemon daemon;
  try {
    daemon = {json.value("pid", std::int64_t{0}), json.value("url", std::string()),
              json.value("state", std::string())};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
  // A file that a killed daemon left behind must not send its token to whoever has the port now.
  if (!is_own_process(daemon.pid)) return std::nullopt;
  return daemon;
}

}  // namespace crucible::server::config
