#include "merger/tensor/dtype.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace crucible::tensor {
namespace {

// An independent reading of a 16-bit float: sign, exponent, mantissa by arithmetic.
double decode(std::uint16_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return mantissa != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  }
  const double fraction = std::ldexp(mantissa, -mantissa_bits);
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias);
  return sign * std::ldexp(1 + fraction, exponent - bias);
}

struct Layout {
  DType dtype;
  int exponent_bits;
  int mantissa_bits;
};
constexpr Layout kLayouts[] = {{DType::kBF16, 8, 7}, {DType::kF16, 5, 10}};

float widen(DType dtype, std::uint16_t bits) {
  float out = 0;
  to_float32(dtype, std::as_bytes(std::span(&bits, 1)), std::span(&out, 1));
  return out;
}

std::uint16_t narrow(DType dtype, float value) {
  std::uint16_t out = 0;
  from_float32(dtype, std::span(&value, 1), std::as_writable_bytes(std::span(&out, 1)));
  return out;
}

TEST(Conversion, WidensEverySixteenBitPattern) {
  for (const Layout& layout : kLayouts) {
    for (unsigned bits = 0; bits <= 0xFFFF; ++bits) {
      const double want =
          decode(static_cast<std::uint16_t>(bits), layout.exponent_bits, layout.mantissa_bits);
      const float got = widen(layout.dtype, static_cast<std::uint16_t>(bits));
      if (std::isnan(want)) {
        ASSERT_TRUE(std::isnan(got)) << bits;
      } else {
        ASSERT_EQ(got, static_cast<float>(want)) << bits;
        ASSERT_EQ(std::signbit(got), std::signbit(want)) << bits;
      }
    }
  }
}

TEST(Conversion, RoundTripKeepsEveryPattern) {
  for (const Layout& layout : kLayouts) {
    for (unsigned bits = 0; bits <= 0xFFFF; ++bits) {
      const float value = widen(layout.dtype, static_cast<std::uint16_t>(bits));
      const std::uint16_t back = narrow(layout.dtype, value);
      if (std::isnan(value)) {
        ASSERT_TRUE(std::isnan(widen(layout.dtype, back)));
      } else {
        ASSERT_EQ(back, bits);
      }
    }
  }
}

// Between two neighbours a and b, everything rounds to the nearer, the midpoint to the even one.
TEST(Conversion, NarrowingRoundsToNearestEven) {
  for (const Layout& layout : kLayouts) {
    const unsigned infinity = ((1U << layout.exponent_bits) - 1) << layout.mantissa_bits;
    for (unsigned bits = 0; bits + 1 < infinity; ++bits) {
      const double low =
          decode(static_cast<std::uint16_t>(bits), layout.exponent_bits, layout.mantissa_bits);
      const double high =
          decode(static_cast<std::uint16_t>(bits + 1), layout.exponent_bits, layout.mantissa_bits);
      const auto middle = static_cast<float>((low + high) / 2);
      ASSERT_EQ(narrow(layout.dtype, middle), bits % 2 == 0 ? bits : bits + 1) << bits;
      ASSERT_EQ(narrow(layout.dtype, std::nextafter(middle, 0.0F)), bits) << bits;
      ASSERT_EQ(
          narrow(layout.dtype, std::nextafter(middle, std::numeric_limits<float>::infinity())),
          bits + 1)
          << bits;
      ASSERT_EQ(narrow(layout.dtype, -middle), (bits % 2 == 0 ? bits : bits + 1) | 0x8000U) << bits;
    }
  }
}

TEST(Conversion, OverflowBecomesInfinity) {
  EXPECT_EQ(narrow(DType::kF16, 65519.0F), 0x7BFF);
  EXPECT_EQ(narrow(DType::kF16, 65520.0F), 0x7C00);
  EXPECT_EQ(narrow(DType::kF16, 1e30F), 0x7C00);
  EXPECT_EQ(narrow(DType::kBF16, std::numeric_limits<float>::max()), 0x7F80);
}

TEST(Conversion, VectorAndSingleElementAgree) {
  std::mt19937 random(1);
  std::vector<float> values(1000);
  for (float& value : values) value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
  for (const Layout& layout : kLayouts) {
    std::vector<std::byte> raw(values.size() * 2 + 1);
    const std::span<std::byte> unaligned = std::span(raw).subspan(1);
    from_float32(layout.dtype, values, unaligned);
    std::vector<float> back(values.size());
    to_float32(layout.dtype, unaligned, back);
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, unaligned.data() + 2 * i, 2);
      ASSERT_EQ(bits, narrow(layout.dtype, values[i]));
      const float rounded = round_to(layout.dtype, values[i]);
      if (!std::isnan(rounded)) {
        ASSERT_EQ(back[i], rounded);
      }
    }
  }
}

TEST(Conversion, Float64GoesThroughFloat32) {
  // Just above a bfloat16 midpoint in double, on it in float: the second rounding decides.
  const double value = 1.0 + std::ldexp(1.0, -8) + std::ldexp(1.0, -40);
  std::uint16_t out = 0;
  from_float64(DType::kBF16, std::span(&value, 1), std::as_writable_bytes(std::span(&out, 1)));
  EXPECT_EQ(out, 0x3F80);
  double back = 0;
  to_float64(DType::kBF16, std::as_bytes(std::span(&out, 1)), std::span(&back, 1));
  EXPECT_EQ(back, 1.0);
}

TEST(DTypes, NamesAndSizes) {
  for (int i = 0; i <= static_cast<int>(DType::kF8E5M2); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(from_safetensors_name(safetensors_name(dtype)), dtype);
    EXPECT_EQ(from_torch_name(torch_name(dtype)), dtype);
    EXPECT_GE(byte_size(dtype), 1U);
  }
  EXPECT_EQ(from_torch_name("torch.bfloat16"), DType::kBF16);
  EXPECT_FALSE(from_torch_name("float99"));
  EXPECT_FALSE(from_safetensors_name("bf16"));
  EXPECT_FALSE(is_floating(DType::kF8E4M3));
  EXPECT_FALSE(is_floating(DType::kI64));
}

TEST(Shapes, CountsAndOverflow) {
  EXPECT_EQ(element_count({}), 1U);
  EXPECT_EQ(element_count({3, 0, UINT64_MAX}), 0U);
  EXPECT_EQ(element_count({1ULL << 40, 1ULL << 40, 0}), std::nullopt);
  EXPECT_EQ(element_count({1ULL << 32, 1ULL << 31}), 1ULL << 63);
  EXPECT_FALSE(element_count({1ULL << 32, 1ULL << 32}));
}

}  // namespace
}  // namespace crucible::tensor
