#include "merger/tokenizer/column_sums.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>

namespace crucible::tokenizer {
namespace {

// The numbers that the expected sums were computed from with torch 2.15 on one thread.
template <typename Value>
std::vector<Value> numbers(std::size_t count) {
  std::vector<Value> all;
  std::uint64_t state = 12345;
  for (std::size_t i = 0; i < count; ++i) {
    state = (state * 1103515245 + 12345) % (1ULL << 31);
    const auto step = static_cast<double>(state % 20001) - 10000;
    all.push_back(static_cast<Value>(step / 4096.0 * (1 + static_cast<double>(state % 7) * 0.37)));
  }
  return all;
}

template <typename Value, typename Bits>
std::uint64_t hash_of_sums(std::size_t rows, std::size_t width) {
  const std::vector<Value> values = numbers<Value>(rows * width);
  ColumnSums<Value> sums(rows, width);
  for (std::size_t i = 0; i < rows; ++i) sums.add(std::span(values).subspan(i * width, width));
  std::uint64_t hash = 0;
  for (const Value sum : sums.finish()) hash = hash * 1000003 + std::bit_cast<Bits>(sum);
  return hash;
}

TEST(ColumnSums, HasTorchsBits) {
  EXPECT_EQ((hash_of_sums<float, std::uint32_t>(1000, 40)), 0xfa41ba41065f1b0dU);
  EXPECT_EQ((hash_of_sums<float, std::uint32_t>(77, 7)), 0x820c9a5df014f262U);
  EXPECT_EQ((hash_of_sums<float, std::uint32_t>(300, 32)), 0x4b3dac2d4e292ed8U);
  EXPECT_EQ((hash_of_sums<float, std::uint32_t>(5000, 12)), 0xf20f58f0b2394c80U);
  EXPECT_EQ((hash_of_sums<float, std::uint32_t>(3, 40)), 0x17c61c56e745db0fU);
  EXPECT_EQ((hash_of_sums<double, std::uint64_t>(1000, 20)), 0x48dfb37098eefb86U);
}

TEST(ListSum, HasTorchsBits) {
  const auto bits = [](std::size_t count) {
    ListSum<float> sum(count);
    for (const float value : numbers<float>(count)) sum.add(value);
    return std::bit_cast<std::uint32_t>(sum.finish());
  };
  EXPECT_EQ(bits(37), 0xbf12b5bcU);
  EXPECT_EQ(bits(1000), 0x431c7566U);
  EXPECT_EQ(bits(70000), 0x4494cf54U);
}

}  // namespace
}  // namespace crucible::tokenizer
