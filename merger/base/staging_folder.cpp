#include "merger/base/staging_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace crucible::io {
namespace fs = std::filesystem;
namespace {

fs::path staging_path(const fs::path& out) {
  fs::path path = out;
  path.replace_filename("." + out.filename().string() + ".merging");
  return path;
}

// Whether `path` still names the folder that `fd` is open on.
bool is_at(int fd, const fs::path& path) {
  struct stat opened{};
  struct stat named{};
  return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

// The descriptor of the folder, made where it is missing, and locked; -1: it went away, try again.
Result<int> open_locked(const fs::path& path, Syscalls& calls) {
  if (calls.mkdir(path.c_str(), 0777) != 0 && errno != EEXIST)
    return fail(from_errno(errno, "cannot create " + path.string()));
  const int fd = calls.open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
  if (fd < 0 && errno == ENOENT) return -1;
  if (fd < 0) {
    auto error = from_errno(errno, "cannot open " + path.string());
    std::error_code ignored;
    fs::remove(path, ignored);  // only while empty
    return fail(std::move(error));
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    calls.close(fd);
    if (error == EWOULDBLOCK) {
      return fail(ErrorCode::kConflict, "another process is writing to " + path.string());
    }
    return fail(from_errno(error, "cannot lock " + path.string()));
  }
  if (is_at(fd, path)) return fd;
  calls.close(fd);
  return -1;
}

}  // namespace

Result<StagingFolder> StagingFolder::reopen(const fs::path& out, Syscalls& calls) {
  const fs::path path = staging_path(out);
  constexpr int kAttempts = 8;  // another process may publish or remove it in between
  for (int i = 0; i < kAttempts; ++i) {
    const auto fd = open_locked(path, calls);
    if (!fd) return fail(fd.error());
    if (*fd >= 0) return StagingFolder(path, *fd);
  }
  return fail(ErrorCode::kConflict, path.string() + " keeps changing");
}

Result<StagingFolder> StagingFolder::create(const fs::path& out, Syscalls& calls) {
  auto staging = reopen(out, calls);
  if (!staging) return staging;
  if (auto status = staging->clear(); !status) return fail(std::move(status.error()));
  return staging;
}

StagingFolder::StagingFolder(StagingFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      lock_(std::exchange(other.lock_, -1)),
      kept_(other.kept_) {}

StagingFolder::~StagingFolder() {
  if (!path_.empty() && !kept_) {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  if (lock_ >= 0) ::close(lock_);
}

Status StagingFolder::clear() {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    fs::remove_all(entry.path(), error);
    if (error) break;
  }
  if (error) return fail(from_errno(error.value(), "cannot empty " + path_.string()));
  return {};
}

Status StagingFolder::publish(const fs::path& out, Syscalls& calls) {
  auto status = publish_folder(path_, out, calls);
  std::error_code ignored;
  if (!status && !fs::exists(path_, ignored)) fs::remove_all(out, ignored);
  if (status) path_.clear();
  return status;
}

}  // namespace crucible::io
