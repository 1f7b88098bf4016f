#include "merger/base/read_roots.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <utility>

namespace crucible::io {
namespace {

constexpr int kTrusted = -1;
constexpr int kMostTries = 16;  // of a path whose folders are renamed meanwhile

struct Roots {
  std::shared_mutex mutex;
  // Without a slash at the end -> descriptor, kept open; kTrusted = opened plainly.
  std::map<std::string, int> folders;
};

Roots& roots() {
  static auto* const all = new Roots;  // never destroyed: files are opened until the very end
  return *all;
}

// "" for the file system's root, so that a prefix and "/" always match what is below.
std::string normal(const std::filesystem::path& folder) {
  std::string text = folder.lexically_normal().string();
  while (text.ends_with('/')) text.pop_back();
  return text;
}

bool is_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

struct Found {
  std::string_view folder;
  int descriptor = kTrusted;
};

// The caller holds the lock.
Found deepest(const Roots& all, std::string_view path) {
  Found found;
  for (const auto& [folder, descriptor] : all.folders) {
    if (!is_below(path, folder)) continue;
    // In the map's order, longer names come after their beginnings.
    found = {folder, descriptor};
  }
  return found;
}

int open_beneath(int folder, std::string_view rest, int flags, unsigned mode) {
  while (rest.starts_with('/')) rest.remove_prefix(1);
  const std::string relative = rest.empty() ? "." : std::string(rest);
  open_how how{};
  how.flags = static_cast<unsigned>(flags);
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int tries = 0; tries < kMostTries; ++tries) {
    const auto opened = ::syscall(SYS_openat2, folder, relative.c_str(), &how, sizeof how);
    if (opened >= 0) return static_cast<int>(opened);
    if (errno != EAGAIN && errno != EINTR) break;
  }
  // "Invalid cross-device link" would say nothing to whoever reads it.
  if (errno == EXDEV || errno == ELOOP) errno = EACCES;
  return -1;
}

}  // namespace

Status add_read_root(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return fail(from_errno(errno, folder.string()));
  const int probe = open_beneath(descriptor, "", O_PATH | O_CLOEXEC, 0);
  if (probe < 0) {
    const int error = errno;
    ::close(descriptor);
    if (error != ENOSYS) return fail(from_errno(error, folder.string()));
    return fail(ErrorCode::kUnsupported,
                "this kernel has no openat2, without which models of strangers cannot be read "
                "safely; Linux 5.6 and later have it");
  }
  ::close(probe);
  Roots& all = roots();
  const std::unique_lock lock(all.mutex);
  // Readers hold the lock while they use a descriptor, so the old one is nobody's now.
  const auto [entry, is_new] = all.folders.try_emplace(normal(folder), descriptor);
  if (!is_new) {
    const int old = std::exchange(entry->second, descriptor);
    if (old != kTrusted) ::close(old);
  }
  return {};
}

void add_trusted_folder(const std::filesystem::path& folder) {
  Roots& all = roots();
  const std::unique_lock lock(all.mutex);
  all.folders.try_emplace(normal(folder), kTrusted);
}

int open_below_roots(const char* path, int flags, unsigned mode) {
  Roots& all = roots();
  const std::shared_lock lock(all.mutex);
  const std::string_view text(path);
  const Found root = deepest(all, text);
  if (root.descriptor == kTrusted) return ::open(path, flags, mode);
  return open_beneath(root.descriptor, text.substr(root.folder.size()), flags, mode);
}

}  // namespace crucible::io
