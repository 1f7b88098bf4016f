#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "merger/base/error.hpp"

// What a worker may touch. Workers read files of strangers, so they give up everything else before
// they open the first one: other files (Landlock), other system calls (seccomp), other programs,
// the network, further privileges.
namespace crucible::server::sandbox {

struct Plan {
  std::vector<std::filesystem::path> read;   // files and folders; links in them may lead out
  std::vector<std::filesystem::path> write;  // folders, which exist; reading is included
  std::vector<std::uint16_t> ports;          // outgoing TCP connections, and name resolution
  std::uint64_t memory_bytes = 0;            // of private data; 0 = no limit
  std::uint64_t file_bytes = 0;              // largest file written; 0 = no limit
};

// Restricts this process, for ever. To be called before any other thread exists: threads that run
// already would stay free. Returns what protects it, for the log: "landlock 7, seccomp".
// Error kUnsupported when the kernel lacks Landlock or seccomp; then nothing was restricted.
Result<std::string> enter(const Plan& plan);

// Whether enter() can work here, without doing it; kUnsupported says what is missing and what to
// do.
Status check();
// 0 = none.
int landlock_version();

}  // namespace crucible::server::sandbox
