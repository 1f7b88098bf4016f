#include "merger/base/io.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "merger/base/read_roots.hpp"

namespace crucible::io {
namespace fs = std::filesystem;
namespace {

class OwnedFd {
 public:
  OwnedFd(int fd, Syscalls& calls) : fd_(fd), calls_(calls) {}
  ~OwnedFd() {
    if (fd_ >= 0) calls_.close(fd_);
  }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
  Syscalls& calls_;
};

// Repeats a call that a signal interrupted.
template <typename Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

fs::path parent_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

}  // namespace

int Syscalls::open(const char* path, int flags, unsigned mode) {
  return open_below_roots(path, flags, mode);
}
int Syscalls::close(int fd) { return ::close(fd); }
std::ptrdiff_t Syscalls::pread(int fd, void* data, std::size_t size, std::int64_t offset) {
  return ::pread(fd, data, size, offset);
}
std::ptrdiff_t Syscalls::pwrite(int fd, const void* data, std::size_t size, std::int64_t offset) {
  return ::pwrite(fd, data, size, offset);
}
int Syscalls::fsync(int fd) { return ::fsync(fd); }
int Syscalls::start_writeback(int fd, std::int64_t offset, std::int64_t size) {
  return ::sync_file_range(fd, offset, size, SYNC_FILE_RANGE_WRITE);
}
int Syscalls::fallocate(int fd, std::int64_t size) {
  if (size == 0) return 0;
  const int error = ::posix_fallocate(fd, 0, size);
  if (error == 0) return 0;
  errno = error;
  return -1;
}
int Syscalls::ftruncate(int fd, std::int64_t size) { return ::ftruncate(fd, size); }
int Syscalls::rename_noreplace(const char* from, const char* to) {
  return ::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}
int Syscalls::rename(const char* from, const char* to) { return ::rename(from, to); }
int Syscalls::mkdir(const char* path, unsigned mode) { return ::mkdir(path, mode); }
int Syscalls::unlink(const char* path) { return ::unlink(path); }

Syscalls& system() {
  static Syscalls calls;
  return calls;
}

File::~File() {
  if (fd_ >= 0) calls_->close(fd_);
}

File::File(File&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), calls_(other.calls_) {}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) calls_->close(fd_);
    fd_ = std::exchange(other.fd_, -1);
    path_ = std::move(other.path_);
    calls_ = other.calls_;
  }
  return *this;
}

Result<File> File::open_read(const fs::path& path, Syscalls& calls) {
  return open(path, O_RDONLY, calls);
}

Result<File> File::open_write(const fs::path& path, Syscalls& calls) {
  return open(path, O_RDWR | O_NOFOLLOW, calls);
}

Result<File> File::open(const fs::path& path, int flags, Syscalls& calls) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const int fd = uninterrupted(
      [&] { return calls.open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0); });
  if (fd < 0) return fail(from_errno(errno, "cannot open " + path.string()));
  File file(fd, path, calls);
  struct stat info{};
  if (::fstat(fd, &info) != 0) return fail(from_errno(errno, "cannot stat " + path.string()));
  if (!S_ISREG(info.st_mode))
    return fail(ErrorCode::kInvalidArgument, path.string() + " is not a regular file");
  return file;
}

Result<File> File::create(const fs::path& path, Syscalls& calls) {
  const int fd = uninterrupted(
      [&] { return calls.open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
  if (fd < 0) return fail(from_errno(errno, "cannot create " + path.string()));
  return File(fd, path, calls);
}

Result<std::uint64_t> File::size() const {
  struct stat info{};
  if (::fstat(fd_, &info) != 0) return fail(from_errno(errno, "cannot stat " + path_.string()));
  return static_cast<std::uint64_t>(info.st_size);
}

Status File::pread(std::span<std::byte> data, std::uint64_t offset) const {
  while (!data.empty()) {
    const auto got = uninterrupted([&] {
      return calls_->pread(fd_, data.data(), data.size(), static_cast<std::int64_t>(offset));
    });
    if (got < 0) return fail(from_errno(errno, "cannot read " + path_.string()));
    if (got == 0) return fail(ErrorCode::kCorrupt, path_.string() + " ends early");
    data = data.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

Status File::pwrite(std::span<const std::byte> data, std::uint64_t offset) {
  while (!data.empty()) {
    const auto put = uninterrupted([&] {
      return calls_->pwrite(fd_, data.data(), data.size(), static_cast<std::int64_t>(offset));
    });
    if (put < 0) return fail(from_errno(errno, "cannot write " + path_.string()));
    if (put == 0) return fail(ErrorCode::kIo, path_.string() + " takes no more bytes");
    data = data.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return {};
}

Status File::truncate(std::uint64_t size) {
  if (uninterrupted([&] { return calls_->ftruncate(fd_, static_cast<std::int64_t>(size)); }) != 0)
    return fail(from_errno(errno, "cannot truncate " + path_.string()));
  return {};
}

Status File::reserve(std::uint64_t size) {
  if (uninterrupted([&] { return calls_->fallocate(fd_, static_cast<std::int64_t>(size)); }) != 0) {
    return fail(from_errno(
        errno, "cannot reserve " + std::to_string(size) + " bytes for " + path_.string()));
  }
  return {};
}

void File::start_writeback(std::uint64_t offset, std::uint64_t size) {
  calls_->start_writeback(fd_, static_cast<std::int64_t>(offset), static_cast<std::int64_t>(size));
}

void File::touch() { ::futimens(fd_, nullptr); }

Status File::sync() {
  if (uninterrupted([&] { return calls_->fsync(fd_); }) != 0)
    return fail(from_errno(errno, "cannot sync " + path_.string()));
  return {};
}

Status File::close() {
  const int fd = std::exchange(fd_, -1);
  if (fd >= 0 && calls_->close(fd) != 0 && errno != EINTR) {
    return fail(from_errno(errno, "cannot close " + path_.string()));
  }
  return {};
}

Result<std::string> read_text(const fs::path& path, std::uint64_t limit_bytes, Syscalls& calls) {
  auto file = File::open_read(path, calls);
  if (!file) return fail(std::move(file.error()));
  const auto size = file->size();
  if (!size) return fail(size.error());
  if (*size > limit_bytes) {
    return fail(ErrorCode::kInvalidArgument, path.string() + " has " + std::to_string(*size) +
                                                 " bytes; the limit is " +
                                                 std::to_string(limit_bytes));
  }
  std::string text(static_cast<std::size_t>(*size), '\0');
  if (auto status = file->pread(std::as_writable_bytes(std::span(text)), 0); !status)
    return fail(status.error());
  return text;
}

Status write_new_file(const fs::path& path, std::string_view text, Syscalls& calls) {
  auto file = File::create(path, calls);
  if (!file) return fail(std::move(file.error()));
  if (auto status = file->pwrite(std::as_bytes(std::span(text)), 0); !status) return status;
  if (auto status = file->sync(); !status) return status;
  return file->close();
}

Status replace_file(const fs::path& path, std::string_view text, Syscalls& calls) {
  fs::path beside = path;
  beside += ".new";
  calls.unlink(beside.c_str());
  if (auto status = write_new_file(beside, text, calls); !status) return status;
  if (calls.rename(beside.c_str(), path.c_str()) != 0) {
    return fail(from_errno(errno, "cannot rename " + beside.string()));
  }
  return sync_folder(parent_of(path), calls);
}

Status sync_folder(const fs::path& folder, Syscalls& calls) {
  const OwnedFd fd(uninterrupted([&] {
                     return calls.open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
                   }),
                   calls);
  if (fd.get() < 0) return fail(from_errno(errno, "cannot open " + folder.string()));
  if (uninterrupted([&] { return calls.fsync(fd.get()); }) != 0)
    return fail(from_errno(errno, "cannot sync " + folder.string()));
  return {};
}

Status make_folder(const fs::path& folder, Syscalls& calls) {
  if (calls.mkdir(folder.c_str(), 0777) != 0)
    return fail(from_errno(errno, "cannot create " + folder.string()));
  return {};
}

Status make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(from_errno(error.value(), "cannot create " + folder.string()));
  return {};
}

Status publish_folder(const fs::path& from, const fs::path& to, Syscalls& calls) {
  if (auto status = sync_folder(from, calls); !status) return status;
  if (calls.rename_noreplace(from.c_str(), to.c_str()) != 0) {
    return fail(from_errno(errno, "cannot publish " + to.string()));
  }
  auto status = sync_folder(parent_of(to), calls);
  if (status) status = sync_folder(parent_of(from), calls);
  // Nobody may find under its last name what a power cut could still take away.
  if (!status) (void)calls.rename_noreplace(to.c_str(), from.c_str());
  return status;
}

Result<std::uint64_t> free_bytes(const fs::path& path) {
  std::error_code error;
  fs::path probe = fs::absolute(path, error);
  while (!probe.empty() && !fs::exists(probe, error) && probe != probe.parent_path())
    probe = probe.parent_path();
  struct statvfs info{};
  if (::statvfs(probe.c_str(), &info) != 0)
    return fail(from_errno(errno, "cannot stat " + probe.string()));
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

}  // namespace crucible::io
