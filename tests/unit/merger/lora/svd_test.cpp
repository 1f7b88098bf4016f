#include "merger/lora/svd.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "merger/lora/product.hpp"

namespace crucible::lora {
namespace {

using Values = std::vector<float>;

Values random_values(std::size_t count, unsigned seed, float scale = 1.0F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, scale);
  Values values(count);
  for (float& value : values) value = normal(random);
  return values;
}

// A sum of `scales.size()` outer products of random vectors, the k-th times scales[k].
Values low_rank_matrix(std::size_t rows, std::size_t columns, const Values& scales) {
  const Values left = random_values(rows * scales.size(), 1);
  const Values right = random_values(columns * scales.size(), 2);
  Values matrix(rows * columns);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < scales.size(); ++k) {
        sum += static_cast<double>(scales[k]) * left[i * scales.size() + k] *
               right[j * scales.size() + k];
      }
      matrix[i * columns + j] = static_cast<float>(sum);
    }
  }
  return matrix;
}

double relative_error(const Values& matrix, std::size_t rows, std::size_t columns,
                      const LowRank& found, ThreadPool& pool) {
  const Residual residual = measure(matrix, rows, columns, found, pool);
  return std::sqrt(residual.rest / residual.whole);
}

TEST(Product, PanelsOfEverySize) {
  for (const auto& [rows, depth, columns] :
       {std::tuple{1U, 1U, 1U}, {5U, 3U, 16U}, {9U, 20U, 35U}}) {
    const Values left = random_values(rows * depth, 3);
    const Values right = random_values(depth * columns, 4);
    const Panels panels = Panels::of(right, depth, columns);
    Values transposed(right.size());
    for (std::size_t k = 0; k < depth; ++k) {
      for (std::size_t j = 0; j < columns; ++j) transposed[j * depth + k] = right[k * columns + j];
    }
    const Panels turned = Panels::of_transposed(transposed, depth, columns);
    for (std::size_t p = 0; p < panels.count(); ++p) {
      Values out(rows * kPanelColumns);
      Values out_turned(out.size());
      multiply_panel(left.data(), depth, rows, depth, panels.panel(p), out.data(), kPanelColumns);
      multiply_panel(left.data(), depth, rows, depth, turned.panel(p), out_turned.data(),
                     kPanelColumns);
      EXPECT_EQ(out, out_turned);
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < kPanelColumns; ++j) {
          float expected = 0;
          const std::size_t column = p * kPanelColumns + j;
          for (std::size_t k = 0; k < depth && column < columns; ++k) {
            expected = std::fma(left[i * depth + k], right[k * columns + column], expected);
          }
          EXPECT_EQ(out[i * kPanelColumns + j], expected);
        }
      }
    }
  }
}

TEST(LowRankApproximation, RecoversAMatrixOfLowRank) {
  ThreadPool pool(2);
  for (const auto& [rows, columns] : {std::pair{90UL, 70UL}, {40UL, 650UL}, {650UL, 40UL}}) {
    const Values matrix = low_rank_matrix(rows, columns, {3, 2, 1, 0.5F, 0.1F});
    for (const bool exact : {false, true}) {
      LowRankOptions options;
      options.max_rank = 16;
      options.energy = 1;
      options.exact = exact;
      const LowRank found = approximate(matrix, rows, columns, options, pool);
      EXPECT_EQ(found.rank, 5U) << exact;
      EXPECT_LT(relative_error(matrix, rows, columns, found, pool), 1e-5) << exact;
    }
  }
}

TEST(LowRankApproximation, RandomisedIsNearlyAsGoodAsExact) {
  ThreadPool pool(1);
  const Values matrix = random_values(120 * 80, 5);  // no low rank at all
  LowRankOptions options;
  options.max_rank = 20;
  options.energy = 1;
  const double randomised =
      relative_error(matrix, 120, 80, approximate(matrix, 120, 80, options, pool), pool);
  options.exact = true;
  const double exact =
      relative_error(matrix, 120, 80, approximate(matrix, 120, 80, options, pool), pool);
  EXPECT_GE(randomised, exact * (1 - 1e-6));
  EXPECT_LT(randomised, exact * 1.01);
}

TEST(LowRankApproximation, EnergyDecidesTheRank) {
  ThreadPool pool(1);
  Values matrix(20 * 20);  // diagonal: squares 16, 4, 1, 0.25
  for (std::size_t i = 0; i < 4; ++i) {
    matrix[i * 21] = 4.0F / static_cast<float>(1U << i);
  }
  LowRankOptions options;
  for (const auto& [energy, rank] : {std::pair{0.5, 1UL}, {0.80, 2UL}, {0.95, 3UL}, {0.999, 4UL}}) {
    options.energy = energy;
    EXPECT_EQ(approximate(matrix, 20, 20, options, pool).rank, rank) << energy;
  }
  options.max_rank = 2;
  EXPECT_EQ(approximate(matrix, 20, 20, options, pool).rank, 2U);
}

TEST(LowRankApproximation, IndependentOfThreads) {
  const Values matrix = random_values(150 * 90, 6);
  LowRankOptions options;
  options.max_rank = 7;
  ThreadPool one(1);
  ThreadPool three(3);
  const LowRank a = approximate(matrix, 150, 90, options, one);
  const LowRank b = approximate(matrix, 150, 90, options, three);
  EXPECT_EQ(a.left, b.left);
  EXPECT_EQ(a.right, b.right);
  EXPECT_EQ(measure(matrix, 150, 90, a, one).rest, measure(matrix, 150, 90, a, three).rest);
}

}  // namespace
}  // namespace crucible::lora
