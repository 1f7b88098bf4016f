#include "server/sandbox/sandbox.hpp"

#include <fmt/format.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "server/sandbox/landlock.hpp"
#include "server/sandbox/seccomp_filter.hpp"

namespace crucible::server::sandbox {
namespace {

constexpr rlim_t kMostFiles = 4096;
// Sanitizers take terabytes of addresses for their shadows.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsInstrumented = true;
#else
constexpr bool kIsInstrumented = false;
#endif

Status limit(__rlimit_resource resource, std::uint64_t most, const char* what) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return fail(from_errno(errno, what));
  const rlim_t value = std::min<rlim_t>(most, now.rlim_max);
  const rlimit wanted{value, value};
  if (::setrlimit(resource, &wanted) != 0) return fail(from_errno(errno, what));
  return {};
}

Status limit_resources(const Plan& plan) {
  if (auto status = limit(RLIMIT_CORE, 0, "switching core files off"); !status) return status;
  if (auto status = limit(RLIMIT_NOFILE, kMostFiles, "limiting open files"); !status) return status;
  if (plan.memory_bytes > 0 && !kIsInstrumented) {
    if (auto status = limit(RLIMIT_DATA, plan.memory_bytes, "limiting memory"); !status) {
      return status;
    }
  }
  if (plan.file_bytes > 0) return limit(RLIMIT_FSIZE, plan.file_bytes, "limiting file sizes");
  return {};
}

}  // namespace

int landlock_version() {
  const auto version = ::syscall(SYS_landlock_create_ruleset, nullptr, std::size_t{0},
                                 LANDLOCK_CREATE_RULESET_VERSION);
  return static_cast<int>(std::max(0L, version));
}

Status check() {
  if (landlock_version() == 0) {
    return fail(
        ErrorCode::kUnsupported,
        "this kernel offers no Landlock, so files of strangers cannot be read safely; use "
        "Linux 5.13 or later with it switched on, or set `sandbox: off` to trust all models");
  }
  if (::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) {
    return fail(ErrorCode::kUnsupported,
                "this kernel cannot filter system calls (seccomp), so files of strangers cannot be "
                "read safely; set `sandbox: off` to trust all models");
  }
  return {};
}

Result<std::string> enter(const Plan& plan) {
  const int version = landlock_version();
  if (auto status = check(); !status) return fail(std::move(status).error());
  if (auto status = limit_resources(plan); !status) return fail(std::move(status).error());
  // Nobody else of the same user may trace it or read its memory.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail(from_errno(errno, "giving up further privileges"));
  }
  if (auto status = restrict_files(plan, version); !status) return fail(std::move(status).error());
  if (auto status = restrict_calls(plan); !status) return fail(std::move(status).error());
  return fmt::format("landlock {}, seccomp", version);
}

}  // namespace crucible::server::sandbox
