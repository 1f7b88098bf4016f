#include "merger/method/mt19937.hpp"

#include <algorithm>

#include "merger/tensor/simd.hpp"

namespace crucible::method {
namespace {

constexpr std::size_t kMiddle = 397;
constexpr std::size_t kAll = 624;

inline std::uint32_t mix(std::uint32_t high, std::uint32_t low) {
  const std::uint32_t joined = (high & 0x80000000U) | (low & 0x7FFFFFFFU);
  return (joined >> 1) ^ ((0U - (low & 1U)) & 0x9908B0DFU);
}

CRUCIBLE_CPU_LEVELS void twist_words(std::uint32_t* state) {
  for (std::size_t i = 0; i < kAll - kMiddle; ++i) {
    state[i] = state[i + kMiddle] ^ mix(state[i], state[i + 1]);
  }
  for (std::size_t i = kAll - kMiddle; i < kAll - 1; ++i) {
    state[i] = state[i + kMiddle - kAll] ^ mix(state[i], state[i + 1]);
  }
  state[kAll - 1] = state[kMiddle - 1] ^ mix(state[kAll - 1], state[0]);
}

CRUCIBLE_CPU_LEVELS void temper(const std::uint32_t* state, std::uint32_t* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t word = state[i];
    word ^= word >> 11;
    word ^= (word << 7) & 0x9D2C5680U;
    word ^= (word << 15) & 0xEFC60000U;
    out[i] = word ^ (word >> 18);
  }
}

}  // namespace

Mt19937::Mt19937(std::uint32_t seed) {
  state_[0] = seed;
  for (std::size_t i = 1; i < kWords; ++i) {
    const std::uint32_t last = state_[i - 1];
    state_[i] = 1812433253U * (last ^ (last >> 30)) + static_cast<std::uint32_t>(i);
  }
}

void Mt19937::twist() {
  twist_words(state_.data());
  position_ = 0;
}

void Mt19937::draw(std::span<std::uint32_t> out) {
  drawn_ += out.size();
  while (!out.empty()) {
    if (position_ == kWords) twist();
    const std::size_t size = std::min(out.size(), kWords - position_);
    temper(state_.data() + position_, out.data(), size);
    position_ += size;
    out = out.subspan(size);
  }
}

void Mt19937::skip(std::uint64_t count) {
  drawn_ += count;
  while (count > 0) {
    if (position_ == kWords) twist();
    const std::uint64_t size = std::min<std::uint64_t>(count, kWords - position_);
    position_ += static_cast<std::size_t>(size);
    count -= size;
  }
}

}  // namespace crucible::method
