#include "server/worker/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

extern char** environ;

namespace crucible::server::worker {
namespace {

constexpr int kFramesDescriptor = 3;
constexpr int kStartTimeField = 22;  // of /proc/PID/stat, counted from 1
constexpr int kOrphanWaitMs = 5000;

// A descriptor closed at the end of the scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

bool is_allowed(std::string_view variable) {
  constexpr std::array<std::string_view, 5> kNames = {
      "PATH=", "HOME=", "TMPDIR=", "LANG=", "LC_ALL="};
  for (const auto name : kNames) {
    if (variable.starts_with(name)) return true;
  }
  return variable.starts_with("OMP_");
}

std::vector<std::string> allowed_environment() {
  std::vector<std::string> kept;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    if (is_allowed(*variable)) kept.emplace_back(*variable);
  }
  // Evaluation threads that wait must sleep: spinning ones starve each other where cores are
  // shared. The OpenMP library reads this only when a program starts.
  kept.emplace_back("OMP_WAIT_POLICY=passive");
  return kept;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

// The spec as a file in memory: no pipe to fill, nothing on disk.
Result<int> input_descriptor(const std::string& input) {
  Descriptor memory(static_cast<int>(::syscall(SYS_memfd_create, "spec", MFD_CLOEXEC)));
  if (memory.get() < 0) return fail(from_errno(errno, "making the worker's input"));
  std::size_t written = 0;
  while (written < input.size()) {
    const auto count = ::write(memory.get(), input.data() + written, input.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail(from_errno(errno, "writing the worker's input"));
    written += static_cast<std::size_t>(count);
  }
  ::lseek(memory.get(), 0, SEEK_SET);
  return memory.release();
}

// What the child needs between fork and exec, prepared before: only async-signal-safe calls there.
struct ChildPlan {
  const char* executable;
  char** arguments;
  char** environment;
  int input;
  int log;
  int frames;
  pid_t parent;
};

[[noreturn]] void become_worker(const ChildPlan& plan) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(126);  // the daemon died before the line above
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t empty;
  ::sigemptyset(&empty);
  ::sigprocmask(SIG_SETMASK, &empty, nullptr);
  // Above every descriptor that the final places use, then into place.
  const int input = ::fcntl(plan.input, F_DUPFD, 10);
  const int log = ::fcntl(plan.log, F_DUPFD, 10);
  const int frames = ::fcntl(plan.frames, F_DUPFD, 10);
  if (::dup2(input, 0) < 0 || ::dup2(log, 1) < 0 || ::dup2(log, 2) < 0 ||
      ::dup2(frames, kFramesDescriptor) < 0) {
    ::_exit(126);
  }
  ::syscall(SYS_close_range, kFramesDescriptor + 1, ~0U, 0U);
  ::execve(plan.executable, plan.arguments, plan.environment);
  ::_exit(127);
}

}  // namespace

std::string boot_id() {
  static const std::string id = [] {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string text;
    std::getline(file, text);
    return text;
  }();
  return id;
}

std::optional<ProcessIdentity> identify(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  // The second field is the program's name in parentheses and may hold anything.
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int index = 3; index <= kStartTimeField; ++index) fields >> field;
  std::int64_t ticks = 0;
  std::istringstream(field) >> ticks;
  return ProcessIdentity{pid, boot_id(), ticks};
}

bool kill_if_same(const ProcessIdentity& identity) {
  const auto pid = static_cast<pid_t>(identity.pid);
  const Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd.get() < 0) return false;
  // Asked after the pidfd is open: from here on it cannot come to mean another process.
  const auto now = identify(pid);
  if (!now || *now != identity) return false;
  if (::getpgid(pid) == pid) ::kill(-pid, SIGKILL);
  ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
  pollfd waiting{pidfd.get(), POLLIN, 0};
  ::poll(&waiting, 1, kOrphanWaitMs);
  return true;
}

Result<ChildProcess> ChildProcess::spawn(const SpawnRequest& request) {
  auto input_fd = input_descriptor(request.input);
  if (!input_fd) return fail(std::move(input_fd).error());
  const Descriptor input(*input_fd);
  const Descriptor log(
      ::open(request.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (log.get() < 0) return fail(from_errno(errno, request.log_file.string()));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(from_errno(errno, "making the worker's pipe"));
  Descriptor read_end(ends[0]);
  const Descriptor write_end(ends[1]);
  ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);

  std::vector<std::string> arguments = request.arguments;
  arguments.insert(arguments.begin(), "crucible");
  std::vector<std::string> environment = allowed_environment();
  const std::string executable = request.executable.string();
  auto argument_list = pointers(arguments);
  auto environment_list = pointers(environment);
  const ChildPlan plan{executable.c_str(),
                       argument_list.data(),
                       environment_list.data(),
                       input.get(),
                       log.get(),
                       write_end.get(),
                       ::getpid()};
  const pid_t pid = ::fork();
  if (pid < 0) return fail(from_errno(errno, "starting a worker"));
  if (pid == 0) become_worker(plan);

  ChildProcess child;
  child.identity_.pid = pid;
  child.reaped_ = false;
  child.frames_ = read_end.release();
  child.pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (child.pidfd_ < 0) return fail(from_errno(errno, "watching a worker"));
  if (const auto identity = identify(pid)) child.identity_ = *identity;
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : identity_(std::move(other.identity_)),
      pidfd_(std::exchange(other.pidfd_, -1)),
      frames_(std::exchange(other.frames_, -1)),
      reaped_(std::exchange(other.reaped_, true)) {}

ChildProcess::~ChildProcess() {
  if (!reaped_) reap();
  if (pidfd_ >= 0) ::close(pidfd_);
  if (frames_ >= 0) ::close(frames_);
}

void ChildProcess::signal_group(int number) const {
  if (reaped_) return;
  const auto pid = static_cast<pid_t>(identity_.pid);
  // Before its setsid the child has no group of its own yet.
  if (::kill(-pid, number) != 0) ::kill(pid, number);
}

ExitStatus ChildProcess::reap() {
  signal_group(SIGKILL);
  reaped_ = true;
  int status = 0;
  while (::waitpid(static_cast<pid_t>(identity_.pid), &status, 0) < 0) {
    if (errno != EINTR) return {126, 0};
  }
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

Result<bool> LineBuffer::fill(int descriptor) {
  std::array<char, 65536> chunk;
  while (true) {
    const auto count = ::read(descriptor, chunk.data(), chunk.size());
    if (count == 0) return false;
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
      return fail(from_errno(errno, "reading from a worker"));
    }
    buffer_.append(chunk.data(), static_cast<std::size_t>(count));
    if (buffer_.size() > limit_ && buffer_.find('\n') == std::string::npos) {
      return fail(ErrorCode::kCorrupt, "a worker wrote a line above the limit");
    }
  }
}

std::optional<std::string> LineBuffer::next() {
  const auto end = buffer_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return line;
}

}  // namespace crucible::server::worker
