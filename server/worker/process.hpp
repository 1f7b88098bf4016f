#pragma once

#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "merger/base/error.hpp"
#include "server/store/attempts.hpp"

// Child processes: started in a session of their own, watched by pidfd, ended by group.
namespace crucible::server::worker {

using store::ProcessIdentity;

struct SpawnRequest {
  std::filesystem::path executable;
  std::vector<std::string> arguments;  // without argv[0]
  std::string input;                   // what the child reads on descriptor 0
  std::filesystem::path log_file;      // gets descriptors 1 and 2, appended
};

struct ExitStatus {
  int code = 0;    // when signal is 0
  int signal = 0;  // that killed it
};

// Owns the process: destroying it kills the whole group and reaps it. The child dies with the
// thread that spawned it (PR_SET_PDEATHSIG), so spawn from one that lives as long as the daemon
// works. Of the environment only PATH, HOME, TMPDIR, LANG, LC_ALL and OMP_* reach it; it writes no
// core file.
class ChildProcess {
 public:
  static Result<ChildProcess> spawn(const SpawnRequest& request);
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;

  const ProcessIdentity& identity() const { return identity_; }
  int pidfd() const { return pidfd_; }    // readable once the process is dead
  int frames() const { return frames_; }  // non-blocking; what the child writes to descriptor 3
  void signal_group(int number) const;
  // Kills what is left of the group, then reaps. Blocks until the process is dead.
  ExitStatus reap();

 private:
  ChildProcess() = default;
  ProcessIdentity identity_;
  int pidfd_ = -1;
  int frames_ = -1;
  bool reaped_ = true;
};

// This boot of the machine; "" where the kernel does not say.
std::string boot_id();
std::optional<ProcessIdentity> identify(pid_t pid);  // none when there is no such process
// Kills the process, and its group, if it is still the same one; waits for its end, at most 5 s.
// True when it was alive.
bool kill_if_same(const ProcessIdentity& identity);

// Cuts a byte stream into lines; a line above the limit is an error.
class LineBuffer {
 public:
  explicit LineBuffer(std::size_t limit) : limit_(limit) {}
  // Reads what the descriptor has. False at its end.
  Result<bool> fill(int descriptor);
  std::optional<std::string> next();

 private:
  std::string buffer_;
  std::size_t limit_;
};

}  // namespace crucible::server::worker
