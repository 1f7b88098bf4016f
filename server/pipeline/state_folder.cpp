#include "server/pipeline/state_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "merger/base/digest.hpp"
#include "merger/base/io.hpp"

namespace crucible::server::pipeline {
namespace {

using namespace std::chrono_literals;

// A daemon that was killed while it started a worker leaves its lock to the child for a moment,
// until that becomes another program. False with errno set.
bool take(int lock) {
  const auto end = std::chrono::steady_clock::now() + 2s;
  while (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return false;
    if (std::chrono::steady_clock::now() > end) {
      errno = EWOULDBLOCK;
      return false;
    }
    std::this_thread::sleep_for(20ms);
  }
  return true;
}

}  // namespace

Result<StateFolder> StateFolder::open(const std::filesystem::path& root) {
  const std::filesystem::path absolute = std::filesystem::absolute(root).lexically_normal();
  for (const char* name : {"models", "staging", "evaluations", "logs", "cache"}) {
    if (auto status = io::make_folders(absolute / name); !status) {
      return fail(std::move(status).error());
    }
  }
  if (::chmod(absolute.c_str(), 0700) != 0) {
    return fail(from_errno(errno, fmt::format("making {} private", absolute.string())));
  }
  // What is published below these folders is only as durable as they are.
  if (auto status = io::sync_folder(absolute); !status) return fail(std::move(status).error());
  // The parent may be closed to us (/var/lib/private): then whoever made the state folder syncs it.
  if (auto status = io::sync_folder(absolute.parent_path());
      !status && status.error().code != ErrorCode::kPermission) {
    return fail(std::move(status).error());
  }
  const auto lock_file = absolute / "lock";
  const int lock = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return fail(from_errno(errno, lock_file.string()));
  if (!take(lock)) {
    const int error = errno;
    ::close(lock);
    if (error != EWOULDBLOCK) return fail(from_errno(error, lock_file.string()));
    return fail(ErrorCode::kConflict,
                fmt::format("another daemon uses the state directory {}; stop it or choose another "
                            "directory with --state",
                            absolute.string()));
  }
  return StateFolder(absolute, lock);
}

StateFolder::~StateFolder() {
  if (lock_ >= 0) ::close(lock_);
}
StateFolder::StateFolder(StateFolder&& other) noexcept
    : root_(std::move(other.root_)), lock_(std::exchange(other.lock_, -1)) {}

std::filesystem::path StateFolder::staging(JobId job, std::int64_t attempt) const {
  return staging() / fmt::format("{}.{}", job, attempt);
}

Result<std::string> folder_fingerprint(const std::filesystem::path& folder) {
  std::error_code error;
  std::map<std::string, std::string> files;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    struct stat status{};
    if (::stat(entry->path().c_str(), &status) != 0) {
      return fail(from_errno(errno, entry->path().string()));
    }
    if (!S_ISREG(status.st_mode)) continue;
    files[entry->path().filename().string()] =
        fmt::format("{} {}.{:09}", status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  }
  if (error) return fail(from_errno(error.value(), folder.string()));
  Sha256 hash;
  for (const auto& [name, facts] : files) hash.field(name).field(facts);
  return hash.finish().hex();
}

}  // namespace crucible::server::pipeline
