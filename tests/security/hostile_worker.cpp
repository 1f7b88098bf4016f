// A worker that was taken over: enters the sandbox of the spec on its standard input like
// `crucible work`, then tries one by one what it must not be able to do.
//
//   hostile_worker [--free] STATE_FOLDER PARENT_PID TCP_PORT < spec.json
//
// Prints a JSON object, name of the attempt -> 0 (it worked) or errno. With --free it does not
// enter the sandbox: the control run, which shows that the attempts themselves are right.

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <functional>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "server/worker/confinement.hpp"

namespace crucible::server {
namespace {

namespace fs = std::filesystem;

struct Surroundings {
  fs::path state;
  pid_t parent = 0;
  std::uint16_t port = 0;
  fs::path staging;
  std::uint64_t memory = 0;
};
// True when it worked; else errno says why not.
using Attempts = std::vector<std::pair<std::string, std::function<bool()>>>;

bool can_open(const fs::path& path, int flags = O_RDONLY) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file >= 0) ::close(file);
  return file >= 0;
}

void add_files(const Surroundings& around, Attempts& list) {
  const std::string parent = "/proc/" + std::to_string(around.parent);
  for (const fs::path& path :
       {fs::path("/etc/passwd"), fs::path("/etc/shadow"), fs::path("/etc/hostname"),
        around.state / "crucible.db", around.state / "token", around.state / "daemon.json",
        fs::path(parent + "/environ"), fs::path(parent + "/maps"), fs::path(parent + "/mem")}) {
    list.emplace_back("read " + path.filename().string(), [path] { return can_open(path); });
  }
  list.emplace_back("read through the staging folder",
                    [around] { return can_open(around.staging / ".." / ".." / "token"); });
  list.emplace_back("list the state folder",
                    [around] { return can_open(around.state, O_RDONLY | O_DIRECTORY); });
  list.emplace_back("write the database",
                    [around] { return can_open(around.state / "crucible.db", O_WRONLY); });
  list.emplace_back("write beside the staging folder",
                    [around] { return can_open(around.state / "planted", O_WRONLY | O_CREAT); });
  list.emplace_back("write to /tmp", [] {
    const std::string name = "/tmp/planted-" + std::to_string(::getpid());
    const bool made = can_open(name, O_WRONLY | O_CREAT);
    if (made) ::unlink(name.c_str());
    return made;
  });
  list.emplace_back("plant a link", [around] {
    return ::symlink("/etc/passwd", (around.staging / "planted").c_str()) == 0;
  });
}

void add_network(const Surroundings& around, Attempts& list) {
  const std::pair<const char*, int> families[] = {
      {"tcp", AF_INET}, {"tcp6", AF_INET6}, {"unix", AF_UNIX}};
  for (const auto& [name, family] : families) {
    list.emplace_back(std::string("socket ") + name, [family = family] {
      return ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
    });
  }
  list.emplace_back("socket udp", [] { return ::socket(AF_INET, SOCK_DGRAM, 0) >= 0; });
  list.emplace_back("socket netlink", [] { return ::socket(AF_NETLINK, SOCK_RAW, 0) >= 0; });
  list.emplace_back("connect", [around] {
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(around.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (client < 0) return false;
    return ::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  });
}

void add_processes(const Surroundings& around, Attempts& list) {
  list.emplace_back("fork bomb", [] {
    for (int i = 0; i < 32; ++i) {
      const pid_t child = ::fork();
      if (child == 0) ::_exit(0);
      if (child < 0) return false;
      ::waitpid(child, nullptr, 0);
    }
    return true;
  });
  // Outside of a sandbox these fail for another reason, which counts as free.
  list.emplace_back("exec", [] {
    ::execl("/nonexistent", "nonexistent", nullptr);
    return errno == ENOENT;
  });
  list.emplace_back("exec from memory", [] {
    const int memory = static_cast<int>(::syscall(SYS_memfd_create, "x", 0U));
    char* const none[] = {nullptr};
    ::syscall(SYS_execveat, memory, "", none, none, AT_EMPTY_PATH);
    return errno == ENOEXEC || errno == EACCES;
  });
  list.emplace_back("signal the parent", [around] { return ::kill(around.parent, 0) == 0; });
  list.emplace_back("trace the parent", [] {
    ::ptrace(PTRACE_ATTACH, -1, nullptr, nullptr);
    return errno == ESRCH;
  });
  list.emplace_back("be traced", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0; });
  list.emplace_back("read the parent's memory", [around] {
    ::syscall(SYS_process_vm_readv, around.parent, nullptr, 0UL, nullptr, 0UL, 0UL);
    return errno == 0;
  });
  list.emplace_back("another user", [] { return ::setuid(::getuid()) == 0; });
}

void add_kernel(Attempts& list) {
  list.emplace_back("mount", [] {
    ::mount("none", "/nonexistent", "tmpfs", 0, nullptr);
    return errno == ENOENT;
  });
  list.emplace_back("a namespace", [] { return ::unshare(CLONE_NEWUTS) == 0; });
  list.emplace_back("io_uring", [] {
    ::syscall(SYS_io_uring_setup, 1U, nullptr);
    return errno == EFAULT;
  });
  list.emplace_back("bpf", [] {
    ::syscall(SYS_bpf, -1, nullptr, 0U);
    return errno == EINVAL;
  });
  list.emplace_back("userfaultfd", [] { return ::syscall(SYS_userfaultfd, O_CLOEXEC) >= 0; });
  list.emplace_back("keyctl", [] { return ::syscall(SYS_keyctl, 0, -3, 0, 0, 0) >= 0; });
  list.emplace_back("perf", [] {
    ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0UL);
    return errno == EFAULT;
  });
}

void add_limits(const Surroundings& around, Attempts& list) {
  list.emplace_back("raise a limit", [] {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
  });
  list.emplace_back("memory beyond the limit", [around] {
    return ::mmap(nullptr, 2 * around.memory, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED;
  });
  list.emplace_back("a file beyond the limit", [around] {
    const auto path = around.staging / "large";
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return ::ftruncate(file, 1LL << 40U) == 0;
  });
}

// What a worker does all the time: shows that the sandbox is no wall without a door.
void add_work(const Surroundings& around, Attempts& list) {
  list.emplace_back("work: write to staging",
                    [around] { return can_open(around.staging / "result", O_WRONLY | O_CREAT); });
  list.emplace_back("work: read /proc/cpuinfo", [] { return can_open("/proc/cpuinfo"); });
}

int run(int argc, char** argv) {
  const bool is_free = argc > 1 && std::string(argv[1]) == "--free";
  if (is_free) ++argv, --argc;
  if (argc != 4) return 2;
  ::signal(SIGXFSZ, SIG_IGN);
  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  const auto spec = nlohmann::json::parse(input);
  auto evaluation = pipeline::evaluation_spec_from(spec);
  if (!evaluation) return 2;
  sandbox::Plan plan = worker::plan_for(*evaluation);
  plan.memory_bytes = worker::confinement_from(spec).memory_bytes;
  const Surroundings around{argv[1], static_cast<pid_t>(std::stol(argv[2])),
                            static_cast<std::uint16_t>(std::stoul(argv[3])), plan.write.front(),
                            plan.memory_bytes};
  if (!is_free && !sandbox::enter(plan)) return 3;
  Attempts list;
  add_files(around, list);
  add_network(around, list);
  add_processes(around, list);
  add_kernel(list);
  add_limits(around, list);
  add_work(around, list);
  nlohmann::json results = nlohmann::json::object();
  for (const auto& [name, attempt] : list) {
    errno = 0;
    const bool worked = attempt();
    results[name] = worked ? 0 : errno;
  }
  std::cout << results.dump() << std::endl;
  return 0;
}

}  // namespace
}  // namespace crucible::server

int main(int argc, char** argv) { return crucible::server::run(argc, argv); }
