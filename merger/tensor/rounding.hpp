#pragma once

#include <bit>
#include <cstdint>

// Bit-level conversion of bfloat16 and IEEE half to and from float32; branch-free, so that loops
// over them vectorise. Narrowing rounds to nearest even; NaN becomes the quiet NaN of the narrow
// type.
namespace crucible::tensor {

inline float bf16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

inline std::uint16_t float_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  const bool is_nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  return static_cast<std::uint16_t>(is_nan ? ((bits >> 16) & 0x8000U) | 0x7FC0U : rounded);
}

inline float round_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) & 0xFFFF0000U;
  const bool is_nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  return std::bit_cast<float>(is_nan ? (bits & 0x80000000U) | 0x7FC00000U : rounded);
}

inline float f16_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t magnitude = bits & 0x7FFFU;
  // Exponent re-biased by a multiplication, which also normalises subnormals exactly.
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112F;
  const std::uint32_t special = 0x7F800000U | (magnitude << 13);
  const std::uint32_t finite = std::bit_cast<std::uint32_t>(scaled);
  return std::bit_cast<float>(sign | (magnitude >= 0x7C00U ? special : finite));
}

inline std::uint16_t float_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  // Below 2^-14 the result is subnormal: adding 0.5 leaves its bits, rounded, in the low mantissa.
  const std::uint32_t subnormal =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3F000000U;
  const std::uint32_t normal = (magnitude - 0x38000000U + 0xFFFU + ((magnitude >> 13) & 1U)) >> 13;
  std::uint32_t result = magnitude < 0x38800000U ? subnormal : normal;
  result = magnitude >= 0x477FF000U ? 0x7C00U : result;  // 65520 and above round to infinity
  result = magnitude > 0x7F800000U ? 0x7E00U : result;
  return static_cast<std::uint16_t>(sign | result);
}

inline float round_f16(float value) { return f16_to_float(float_to_f16(value)); }

}  // namespace crucible::tensor
