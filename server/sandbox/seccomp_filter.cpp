#include "server/sandbox/seccomp_filter.hpp"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

namespace crucible::server::sandbox {
namespace {

// Names as the kernel has them; those unknown to the library or this machine are left out.
constexpr std::array kAllowed = {
    // Files: which ones is Landlock's to say.
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek", "open",
    "openat", "openat2", "close", "stat", "fstat", "lstat", "newfstatat", "statx", "access",
    "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd", "mkdir", "mkdirat",
    "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2", "truncate", "ftruncate",
    "fallocate", "fsync", "fdatasync", "sync_file_range", "copy_file_range", "fadvise64", "flock",
    "fcntl", "dup", "dup2", "dup3", "pipe2", "eventfd2", "epoll_create1", "epoll_ctl", "epoll_wait",
    "epoll_pwait", "timerfd_create", "timerfd_settime", "poll", "ppoll", "select", "pselect6",
    "statfs", "fstatfs", "fchmod", "umask", "sendfile",
    // Memory.
    "memfd_create", "brk", "memfd_create", "mmap", "munmap", "mremap", "mprotect", "madvise",
    "msync", "mincore", "membarrier",
    // Threads and time.
    "futex", "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "gettid", "exit",
    "exit_group", "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam",
    "sched_getscheduler", "getcpu", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
    "gettimeofday", "time", "times", "restart_syscall",
    // Signals to itself, and facts about itself.
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigpending",
    "sigaltstack", "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getrusage",
    "getrlimit", "uname", "sysinfo", "getrandom", "arch_prctl"};
constexpr std::array kNetwork = {"connect",    "sendto",     "sendmsg",     "sendmmsg",
                                 "recvfrom",   "recvmsg",    "recvmmsg",    "shutdown",
                                 "getsockopt", "setsockopt", "getsockname", "getpeername"};

struct Release {
  void operator()(void* filter) const { ::seccomp_release(filter); }
};

class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(EPERM))) {
    if (context_ == nullptr) error_ = -ENOMEM;
  }

  void allow(const char* name) { allow(name, 0, {}); }
  void allow(const char* name, const scmp_arg_cmp& only) { allow(name, 1, only); }
  void refuse(const char* name, int error) {
    note(::seccomp_rule_add(context_.get(), SCMP_ACT_ERRNO(static_cast<unsigned>(error)),
                            ::seccomp_syscall_resolve_name(name), 0));
  }
  Status load() {
    if (error_ == 0) note(::seccomp_load(context_.get()));
    if (error_ == 0) return {};
    return fail(from_errno(-error_, "loading the filter of system calls"));
  }

 private:
  void allow(const char* name, unsigned conditions, const scmp_arg_cmp& only) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR || context_ == nullptr) return;
    note(::seccomp_rule_add_array(context_.get(), SCMP_ACT_ALLOW, number, conditions, &only));
  }
  void note(int result) {
    if (error_ == 0 && result < 0) error_ = result;
  }

  std::unique_ptr<void, Release> context_;
  int error_ = 0;
};

}  // namespace

Status restrict_calls(const Plan& plan) {
  Filter filter;
  for (const char* name : kAllowed) filter.allow(name);
  // Threads, but no processes. clone3 hides its flags from filters: without it, libraries use
  // clone.
  filter.refuse("clone3", ENOSYS);
  filter.allow("clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  filter.allow("tgkill", SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid())));
  filter.allow("prlimit64", SCMP_A2(SCMP_CMP_EQ, 0));  // asks, does not set
  // Times of an open file; by path, those of any file could be set.
  filter.allow("utimensat", SCMP_A1(SCMP_CMP_EQ, 0));
  filter.allow("prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
  filter.allow("ioctl", SCMP_A1(SCMP_CMP_EQ, TCGETS));
  if (!plan.ports.empty()) {
    for (const char* name : kNetwork) filter.allow(name);
    filter.allow("ioctl", SCMP_A1(SCMP_CMP_EQ, FIONBIO));
    for (const int family : {AF_INET, AF_INET6, AF_NETLINK}) {
      filter.allow("socket", SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family)));
    }
    filter.allow("bind",
                 SCMP_A2(SCMP_CMP_EQ, sizeof(sockaddr_nl)));  // name resolution asks netlink
  }
  return filter.load();
}

}  // namespace crucible::server::sandbox
