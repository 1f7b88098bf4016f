#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace crucible {

// How far a long operation has come. `total` is 0 while it is unknown.
struct Progress {
  std::string stage;  // "merge", "evaluate sums"
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::string unit;  // "bytes", "items"
};

// Called from the thread that drives the operation, a few times a second at most.
using ProgressSink = std::function<void(const Progress&)>;

}  // namespace crucible
