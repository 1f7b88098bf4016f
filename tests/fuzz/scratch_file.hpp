#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>

namespace crucible::fuzz {

// Puts `data` into the file `path`, in place of what was there. Any failure ends the process: it is
// the machine's, not the input's.
inline void put(const std::filesystem::path& path, std::span<const std::uint8_t> data) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || ::write(fd, data.data(), data.size()) != static_cast<ssize_t>(data.size()))
    std::abort();
  ::close(fd);
}

// A folder in memory, this process's own, removed at its end.
class ScratchFolder {
 public:
  ScratchFolder() : path_("/dev/shm/crucible-fuzz-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace crucible::fuzz
