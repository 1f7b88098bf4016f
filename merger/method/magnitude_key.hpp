#pragma once

#include <bit>
#include <cstdint>

#include "merger/method/arithmetic.hpp"

// Unsigned numbers whose order is that of magnitudes, in as few bits as the type has. Every NaN
// has the same key, the greatest.
namespace crucible::method {

inline std::uint32_t magnitude_bits(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFU;
  return bits > 0x7F800000U ? 0x7FC00000U : bits;
}

inline std::uint64_t magnitude_bits(double value) {
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(value) & 0x7FFFFFFFFFFFFFFFU;
  return bits > 0x7FF0000000000000U ? 0x7FF8000000000000U : bits;
}

// The magnitude as a number of the work type.
template <typename A>
struct MagnitudeKey;
template <>
struct MagnitudeKey<BF16> {
  using Key = std::uint32_t;
  static constexpr unsigned kBits = 15;
  static Key of(float value) { return magnitude_bits(value) >> 16; }
};
template <>
struct MagnitudeKey<F16> {
  using Key = std::uint32_t;
  static constexpr unsigned kBits = 15;
  static Key of(float value) { return tensor::float_to_f16(value) & 0x7FFFU; }
};
template <>
struct MagnitudeKey<F32> {
  using Key = std::uint32_t;
  static constexpr unsigned kBits = 31;
  static Key of(float value) { return magnitude_bits(value); }
};
template <>
struct MagnitudeKey<F64> {
  using Key = std::uint64_t;
  static constexpr unsigned kBits = 63;
  static Key of(double value) { return magnitude_bits(value); }
};

// The magnitude as float32, in which whole tensors are ranked: float64 loses its lower bits.
template <typename A>
struct Float32Key : MagnitudeKey<A> {};
template <>
struct Float32Key<F64> {
  using Key = std::uint32_t;
  static constexpr unsigned kBits = 31;
  static Key of(double value) { return magnitude_bits(static_cast<float>(value)); }
};

}  // namespace crucible::method
