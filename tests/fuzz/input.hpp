#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "merger/base/error.hpp"

namespace crucible::fuzz {

// A promise of the code under test: the fuzzer reports an input that breaks it as a crash.
inline void require(bool holds) {
  if (!holds) std::abort();
}

// An expected failure must say what is wrong.
template <typename T>
bool accepted(const Result<T>& result) {
  if (!result) require(!result.error().message.empty());
  return result.has_value();
}

inline std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Takes one input apart: numbers from its first bytes, then texts with a zero byte between them.
// What is missing is 0 or empty.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  // 0 … count - 1. A digit stands for itself, so that seeds can be written by hand.
  unsigned choice(unsigned count) {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return (byte >= '0' && byte <= '9' ? byte - '0' : byte) % count;
  }
  // Up to the next zero byte, which is dropped.
  std::string_view text() {
    const std::size_t end = std::min(rest_.find('\0'), rest_.size());
    const std::string_view found = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return found;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace crucible::fuzz
