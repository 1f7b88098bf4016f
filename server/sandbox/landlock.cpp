#include "server/sandbox/landlock.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>

#include "merger/base/io.hpp"

namespace crucible::server::sandbox {
namespace {

// The kernel's structure as of version 6; older kernels take the beginning. Debian 12's header ends
// before `handled_net`.
struct RulesetAttributes {
  std::uint64_t handled_files = 0;
  std::uint64_t handled_net = 0;
  std::uint64_t scoped = 0;
};
struct PortRule {
  std::uint64_t allowed_access;
  std::uint64_t port;
};
constexpr int kRuleNetPort = 2;
constexpr std::uint16_t kDomainPort = 53;  // name resolution, where answers are long
constexpr std::uint64_t kNetBindTcp = 1ULL << 0U;
constexpr std::uint64_t kNetConnectTcp = 1ULL << 1U;
constexpr std::uint64_t kScopeAbstractSocket = 1ULL << 0U;
constexpr std::uint64_t kScopeSignal = 1ULL << 1U;
constexpr std::uint64_t kRefer = 1ULL << 13U;        // version 2
constexpr std::uint64_t kTruncate = 1ULL << 14U;     // version 3
constexpr std::uint64_t kIoctlDevice = 1ULL << 15U;  // version 5

constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWrite = kRead | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG;
constexpr std::uint64_t kVersion1 = (1ULL << 13U) - 1;

std::uint64_t all_file_rights(int version) {
  std::uint64_t rights = kVersion1;
  if (version >= 2) rights |= kRefer;
  if (version >= 3) rights |= kTruncate;
  if (version >= 5) rights |= kIoctlDevice;
  return rights;
}

// A ruleset that grows by paths.
class Ruleset {
 public:
  explicit Ruleset(int version) : handled_(all_file_rights(version)) {
    RulesetAttributes attributes;
    attributes.handled_files = handled_;
    attributes.handled_net = kNetBindTcp | kNetConnectTcp;
    attributes.scoped = kScopeAbstractSocket | kScopeSignal;
    std::size_t size = sizeof attributes.handled_files;
    if (version >= 4) size = 2 * sizeof(std::uint64_t);
    if (version >= 6) size = sizeof attributes;
    fd_ = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0U));
  }
  ~Ruleset() {
    if (fd_ >= 0) ::close(fd_);
  }
  Ruleset(const Ruleset&) = delete;
  Ruleset& operator=(const Ruleset&) = delete;

  bool made() const { return fd_ >= 0; }

  // A path that does not exist grants nothing.
  Status allow(const std::filesystem::path& path, std::uint64_t rights) {
    // Through the door that keeps folders of strangers to themselves: links were checked once, but
    // may have been swapped since.
    const int target = io::system().open(path.c_str(), O_PATH | O_CLOEXEC, 0);
    if (target < 0) {
      if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) return {};
      return fail(from_errno(errno, path.string()));
    }
    struct stat facts{};
    const bool is_folder = ::fstat(target, &facts) == 0 && S_ISDIR(facts.st_mode);
    landlock_path_beneath_attr rule{};
    rule.parent_fd = target;
    rule.allowed_access = rights & handled_;
    if (!is_folder) {
      rule.allowed_access &= kReadFile | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate | kIoctlDevice;
    }
    const auto added = ::syscall(SYS_landlock_add_rule, fd_, LANDLOCK_RULE_PATH_BENEATH, &rule, 0U);
    const int error = errno;
    ::close(target);
    return added == 0 ? Status() : fail(from_errno(error, "allowing " + path.string()));
  }

  // Outgoing TCP connections to one port; before version 4 the filter of system calls alone
  // decides.
  Status allow_port(std::uint16_t port) {
    const PortRule rule{kNetConnectTcp, port};
    if (::syscall(SYS_landlock_add_rule, fd_, kRuleNetPort, &rule, 0U) == 0) return {};
    return fail(from_errno(errno, "allowing a port"));
  }

  Status enforce() {
    if (::syscall(SYS_landlock_restrict_self, fd_, 0U) == 0) return {};
    return fail(from_errno(errno, "entering the sandbox"));
  }

 private:
  std::uint64_t handled_;
  int fd_ = -1;
};

// The links directly in a folder: model files in the Hugging Face cache are links into a folder of
// blobs. Allowing a link allows what it leads to.
std::set<std::filesystem::path> links_in(const std::filesystem::path& folder) {
  std::set<std::filesystem::path> links;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code broken;
    if (entry->is_symlink(broken)) links.insert(entry->path());
  }
  return links;
}

// What the C and C++ libraries, OpenMP and the evaluator's threads look at.
constexpr std::array kSystemReads = {"/usr",
                                     "/lib",
                                     "/lib64",
                                     "/etc/localtime",
                                     "/etc/ld.so.cache",
                                     "/proc/cpuinfo",
                                     "/proc/meminfo",
                                     "/proc/stat",
                                     "/sys/devices/system",
                                     "/sys/fs/cgroup",
                                     "/dev/urandom",
                                     "/dev/random",
                                     "/proc/sys/vm/overcommit_memory"};
constexpr std::array kNetworkReads = {"/etc/resolv.conf",    "/etc/hosts",     "/etc/nsswitch.conf",
                                      "/etc/gai.conf",       "/etc/host.conf", "/etc/ssl",
                                      "/run/systemd/resolve"};

}  // namespace

Status restrict_files(const Plan& plan, int version) {
  Ruleset rules(version);
  if (!rules.made()) return fail(from_errno(errno, "making the sandbox's rules"));
  std::vector<std::filesystem::path> reads(kSystemReads.begin(), kSystemReads.end());
  if (!plan.ports.empty()) reads.insert(reads.end(), kNetworkReads.begin(), kNetworkReads.end());
  // Of this process only: /proc/PID of others holds their environment.
  reads.emplace_back("/proc/" + std::to_string(::getpid()));
  reads.insert(reads.end(), plan.read.begin(), plan.read.end());
  for (const auto& path : reads) {
    if (auto status = rules.allow(path, kRead); !status) return status;
  }
  for (const auto& folder : plan.read) {
    for (const auto& link : links_in(folder)) {
      if (auto status = rules.allow(link, kReadFile); !status) return status;
    }
  }
  for (const auto& folder : plan.write) {
    if (auto status = rules.allow(folder, kWrite | kRefer | kTruncate); !status) return status;
  }
  const std::uint64_t null_rights = kReadFile | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
  if (auto status = rules.allow("/dev/null", null_rights); !status) return status;
  if (version >= 4 && !plan.ports.empty()) {
    if (auto status = rules.allow_port(kDomainPort); !status) return status;
    for (const std::uint16_t port : plan.ports) {
      if (auto status = rules.allow_port(port); !status) return status;
    }
  }
  return rules.enforce();
}

}  // namespace crucible::server::sandbox
