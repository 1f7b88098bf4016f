#include "server/sandbox/sandbox.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <thread>

namespace crucible::server::sandbox {
namespace {

constexpr int kSetUpFailed = 250;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A server on loopback that never accepts: enough to connect to.
class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    (void)::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size);
    (void)::listen(socket_, 8);
    (void)::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~Listener() { ::close(socket_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

// A hostile worker: tries one thing inside the sandbox, or outside of it to show that it would
// work.
class SandboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name =
        (std::filesystem::temp_directory_path() / "crucible-sandbox-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    for (const char* folder : {"input", "staging", "secret"}) {
      std::filesystem::create_directory(root_ / folder);
    }
    for (const char* file : {"input/model", "secret/token", "secret/blob"}) {
      std::ofstream(root_ / file) << "content";
    }
    std::filesystem::create_symlink(root_ / "secret/blob", root_ / "input/link");
    plan_.read = {root_ / "input"};
    plan_.write = {root_ / "staging"};
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  // 0 when `attempt` succeeds in a child, else the errno it ended with.
  int run(bool confined, const std::function<bool()>& attempt) const {
    const pid_t child = ::fork();
    if (child == 0) {
      ::setsid();
      if (confined && !enter(plan_)) ::_exit(kSetUpFailed);
      errno = 0;
      const bool done = attempt();
      ::_exit(done ? 0 : (errno == 0 ? 99 : errno));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  void expect_denied(const char* what, const std::function<bool()>& attempt) const {
    EXPECT_EQ(run(false, attempt), 0) << what << ": the attempt itself is wrong";
    const int result = run(true, attempt);
    EXPECT_TRUE(result == EPERM || result == EACCES || result == ENOSYS) << what << ": " << result;
  }
  bool can_open(const std::filesystem::path& path, int flags) const {
    const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (file >= 0) ::close(file);
    return file >= 0;
  }

  std::filesystem::path root_;
  Plan plan_;
};

TEST_F(SandboxTest, LeavesWhatAWorkerNeeds) {
  ASSERT_GT(landlock_version(), 0);
  EXPECT_EQ(run(true, [&] { return can_open(root_ / "input/model", O_RDONLY); }), 0);
  EXPECT_EQ(run(true, [&] { return can_open(root_ / "input/link", O_RDONLY); }), 0);
  EXPECT_EQ(run(true, [&] { return can_open(root_ / "staging/out", O_RDWR | O_CREAT); }), 0);
  EXPECT_EQ(run(true,
                [&] {
                  return ::mkdir((root_ / "staging/model").c_str(), 0700) == 0 &&
                         ::rename((root_ / "staging/model").c_str(),
                                  (root_ / "staging/moved").c_str()) == 0;
                }),
            0);
  EXPECT_EQ(run(true,
                [] {
                  bool ran = false;
                  std::thread([&] { ran = true; }).join();
                  return ran && std::thread::hardware_concurrency() > 0;
                }),
            0);
  EXPECT_EQ(run(true, [&] { return can_open("/proc/cpuinfo", O_RDONLY); }), 0);
  EXPECT_EQ(run(true, [&] { return can_open("/proc/self/status", O_RDONLY); }), 0);
}

TEST_F(SandboxTest, DeniesOtherFiles) {
  for (const std::filesystem::path& path :
       {std::filesystem::path("/etc/passwd"), root_ / "secret/token",
        root_ / "input/../secret/token",
        std::filesystem::path("/proc/" + std::to_string(::getpid()) + "/environ")}) {
    expect_denied(path.c_str(), [&] { return can_open(path, O_RDONLY); });
  }
  expect_denied("a new file outside", [&] {
    return can_open(root_ / ("secret/new" + std::to_string(::getpid())), O_WRONLY | O_CREAT);
  });
  expect_denied("changing the input", [&] { return can_open(root_ / "input/model", O_WRONLY); });
  EXPECT_EQ(run(true, [&] { return ::unlink((root_ / "input/model").c_str()) == 0; }), EACCES);
  expect_denied("moving the result away", [&] {
    const int made = ::open((root_ / "staging/r").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ::close(made);
    return ::rename((root_ / "staging/r").c_str(), (root_ / "secret/r").c_str()) == 0;
  });
}

TEST_F(SandboxTest, DeniesTheNetwork) {
  for (const int family : {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK}) {
    expect_denied("a socket",
                  [family] { return ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0; });
  }
  expect_denied("a pair of sockets", [] {
    int pair[2];
    return ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0;
  });
}

// Connects to a server on loopback that listens at `port`; false with its errno.
bool can_connect(std::uint16_t port) {
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  return ::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

TEST_F(SandboxTest, ConnectsToTheNamedPortOnly) {
  const Listener named;
  const Listener other;
  plan_.ports = {named.port()};
  EXPECT_EQ(run(true, [&] { return can_connect(named.port()); }), 0);
  expect_denied("another port", [&] { return can_connect(other.port()); });
}

TEST_F(SandboxTest, WithNetworkMayConnectButNotListen) {
  plan_.ports = {80};
  EXPECT_EQ(run(true, [] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0; }), 0);
  expect_denied("listening", [] {
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(0);
    return ::bind(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
           ::listen(server, 1) == 0;
  });
  expect_denied("a unix socket",
                [] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0; });
}

TEST_F(SandboxTest, DeniesOtherPrograms) {
  expect_denied("a process", [] {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    if (child > 0) ::waitpid(child, nullptr, 0);
    return child > 0;
  });
  const auto exec = [] {
    ::execl("/bin/true", "true", nullptr);
    return false;
  };
  EXPECT_EQ(run(false, exec), 0);
  EXPECT_EQ(run(true, exec), EPERM);
  const auto exec_memory = [] {
    const int program = ::open("/bin/true", O_RDONLY | O_CLOEXEC);
    const int memory = static_cast<int>(::syscall(SYS_memfd_create, "x", 0U));
    if (::sendfile(memory, program, nullptr, 1 << 20) <= 0) return false;
    char* const arguments[] = {const_cast<char*>("true"), nullptr};
    char* const environment[] = {nullptr};
    ::syscall(SYS_execveat, memory, "", arguments, environment, AT_EMPTY_PATH);
    return false;
  };
  EXPECT_EQ(run(false, exec_memory), 0);
  EXPECT_EQ(run(true, exec_memory), EPERM);
  const pid_t parent = ::getpid();
  expect_denied("a signal to another process", [parent] { return ::kill(parent, 0) == 0; });
  expect_denied("tracing", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0; });
}

TEST_F(SandboxTest, DeniesTheKernelsBackDoors) {
  const auto denied = [&](const char* what, const std::function<bool()>& attempt) {
    const int result = run(true, attempt);
    EXPECT_TRUE(result == EPERM || result == EACCES || result == ENOSYS) << what << ": " << result;
  };
  denied("mount", [&] { return ::mount("none", root_.c_str(), "tmpfs", 0, nullptr) == 0; });
  denied("io_uring", [] { return ::syscall(SYS_io_uring_setup, 1U, nullptr) >= 0; });
  denied("bpf", [] { return ::syscall(SYS_bpf, 0, nullptr, 0U) >= 0; });
  denied("userfaultfd", [] { return ::syscall(SYS_userfaultfd, 0) >= 0; });
  denied("keys", [] { return ::syscall(SYS_keyctl, 0, 0, 0, 0, 0) >= 0; });
  denied("another's memory", [] {
    return ::syscall(SYS_process_vm_readv, ::getppid(), nullptr, 0UL, nullptr, 0UL, 0UL) >= 0;
  });
  denied("user ids", [] { return ::setuid(0) == 0; });
  denied("a namespace", [] { return ::unshare(CLONE_NEWUSER) == 0; });
  denied("a higher limit", [] {
    const rlimit wanted{1024, 1024};
    return ::setrlimit(RLIMIT_NOFILE, &wanted) == 0;
  });
}

TEST_F(SandboxTest, HoldsItsLimits) {
  plan_.memory_bytes = 256 << 20;
  plan_.file_bytes = 1 << 20;
  const auto take = [] {
    void* block = ::mmap(nullptr, std::size_t{1} << 30, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return block != MAP_FAILED;
  };
  EXPECT_EQ(run(false, take), 0);
  EXPECT_EQ(run(true, take), ENOMEM);
  const auto grow = [&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const auto path = root_ / "staging" / std::to_string(::getpid());
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return ::ftruncate(file, 2 << 20) == 0;
  };
  EXPECT_EQ(run(false, grow), 0);
  EXPECT_EQ(run(true, grow), EFBIG);
}

}  // namespace
}  // namespace crucible::server::sandbox
