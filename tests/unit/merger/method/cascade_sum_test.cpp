#include "merger/method/cascade_sum.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace crucible::method {
namespace {

std::vector<float> random_values(std::size_t count) {
  std::mt19937 random(static_cast<unsigned>(count) + 1);
  std::normal_distribution<float> normal(0.0F, 1.0F);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

// The cascade as one plain loop over the rows, for one column.
float column_sum(const std::vector<float>& values, std::uint64_t rows, std::size_t column) {
  constexpr std::size_t kRow = 32;
  const unsigned log =
      rows <= 2 ? 1 : static_cast<unsigned>(std::ceil(std::log2(static_cast<double>(rows))));
  const unsigned bits = std::max(4U, log / 4);
  const std::uint64_t step = 1ULL << bits;
  float level[4] = {};
  std::uint64_t row = 0;
  while (row + step <= rows) {
    for (std::uint64_t j = 0; j < step; ++j) level[0] += values[row++ * kRow + column];
    for (unsigned j = 1; j < 4; ++j) {
      level[j] += level[j - 1];
      level[j - 1] = 0;
      if ((row & ((step - 1) << (j * bits))) != 0) break;
    }
  }
  for (; row < rows; ++row) level[0] += values[row * kRow + column];
  return ((level[0] + level[1]) + level[2]) + level[3];
}

float reference(const std::vector<float>& values) {
  if (values.size() < 8) {
    float part[4] = {};
    for (std::size_t i = 0; i < values.size(); ++i)
      part[i < values.size() / 4 * 4 ? i % 4 : 0] += values[i];
    return ((part[0] + part[1]) + part[2]) + part[3];
  }
  const std::uint64_t rows = values.size() / 32;
  float part[32];
  for (std::size_t k = 0; k < 32; ++k) part[k] = column_sum(values, rows, k);
  std::size_t at = rows * 32;
  for (; at + 8 <= values.size(); at += 8) {
    for (std::size_t k = 0; k < 8; ++k) part[k] += values[at + k];
  }
  for (std::size_t k = 8; k < 32; ++k) part[k % 8] += part[k];
  float sum = 0;
  for (; at < values.size(); ++at) sum += values[at];
  for (std::size_t k = 0; k < 8; ++k) sum += part[k];
  return sum;
}

TEST(CascadeSum, FollowsTheRowLoopWhateverTheBlockOrder) {
  for (const std::size_t count :
       {0UL, 1UL, 3UL, 4UL, 7UL, 8UL, 31UL, 33UL, 512UL, 1003UL, 8192UL, 40'000UL, 65'536UL,
        65'545UL, 200'001UL, 1'048'576UL, 3'000'017UL}) {
    const std::vector<float> values = random_values(count);
    CascadeSum<float> sum(count);
    const std::size_t blocks = (count + kBlockElements - 1) / kBlockElements;
    for (std::size_t block = blocks; block-- > 0;) {
      const std::size_t first = block * kBlockElements;
      sum.add_block(first, values.data() + first, std::min(kBlockElements, count - first));
    }
    ASSERT_EQ(sum.total(), reference(values)) << count;
  }
}

// Beyond 2^25 values the steps are longer and a group is one step.
TEST(CascadeSum, LongSums) {
  const std::size_t count = (1U << 25) + 12'345;
  const std::vector<float> values = random_values(count);
  CascadeSum<float> sum(count);
  for (std::size_t first = 0; first < count; first += kBlockElements) {
    sum.add_block(first, values.data() + first, std::min(kBlockElements, count - first));
  }
  EXPECT_EQ(sum.total(), reference(values));
}

TEST(CascadeSum, IsCloseToTheExactSum) {
  std::vector<double> values(100'003, 0.1);
  CascadeSum<double> sum(values.size());
  sum.add_block(0, values.data(), kBlockElements);
  sum.add_block(kBlockElements, values.data() + kBlockElements, values.size() - kBlockElements);
  EXPECT_NEAR(sum.total(), 10'000.3, 1e-9);
}

TEST(LaneNorm, SumsEachLaneInOrder) {
  const std::vector<float> values = random_values(1003);
  float lane[8] = {};
  for (std::size_t i = 0; i < 1000; ++i) lane[i % 8] += values[i] * values[i];
  float sum = lane[0];
  for (std::size_t k = 1; k < 8; ++k) sum += lane[k];
  for (std::size_t i = 1000; i < 1003; ++i) sum = std::fma(values[i], values[i], sum);
  LaneNorm<float> norm;
  norm.add(values.data(), 400);
  norm.add(values.data() + 400, 603);
  EXPECT_EQ(norm.norm(), std::sqrt(sum));
  EXPECT_EQ(LaneNorm<double>().norm(), 0.0);
}

}  // namespace
}  // namespace crucible::method
