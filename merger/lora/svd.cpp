#include "merger/lora/svd.hpp"

#include <Eigen/QR>
#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <random>

#include "merger/lora/product.hpp"

namespace crucible::lora {
namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Index = Eigen::Index;

constexpr std::size_t kOversampling = 10;
constexpr std::size_t kRowBlock = 64;
constexpr std::size_t kDepthBlock = 512;  // sums of sums, so that rounding grows slowly

struct View {
  const float* data;
  std::size_t rows;
  std::size_t columns;
};

std::size_t blocks(std::size_t count, std::size_t size) { return (count + size - 1) / size; }

// As multiply_panel, for a large depth.
void multiply_deep(const float* left, std::size_t left_stride, std::size_t rows, std::size_t depth,
                   const float* panel, float* out, std::size_t out_stride) {
  std::vector<float> part(rows * kPanelColumns);
  for (std::size_t k = 0; k < depth; k += kDepthBlock) {
    multiply_panel(left + k, left_stride, rows, std::min(kDepthBlock, depth - k),
                   panel + k * kPanelColumns, part.data(), kPanelColumns);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < kPanelColumns; ++j) {
        float& sum = out[i * out_stride + j];
        sum = (k == 0 ? 0.0F : sum) + part[i * kPanelColumns + j];
      }
    }
  }
}

// matrix [rows, columns] * right [columns, width].
RowMajor times(const View& matrix, const RowMajor& right, ThreadPool& pool) {
  const auto width = static_cast<std::size_t>(right.cols());
  const Panels panels =
      Panels::of({right.data(), static_cast<std::size_t>(right.size())}, matrix.columns, width);
  const std::size_t stride = panels.count() * kPanelColumns;
  RowMajor padded(static_cast<Index>(matrix.rows), static_cast<Index>(stride));
  pool.for_each(blocks(matrix.rows, kRowBlock), [&](unsigned, std::size_t block) {
    const std::size_t row = block * kRowBlock;
    const std::size_t rows = std::min(kRowBlock, matrix.rows - row);
    for (std::size_t p = 0; p < panels.count(); ++p) {
      multiply_deep(matrix.data + row * matrix.columns, matrix.columns, rows, matrix.columns,
                    panels.panel(p), padded.data() + row * stride + p * kPanelColumns, stride);
    }
  });
  return padded.leftCols(static_cast<Index>(width));
}

// left^T [width, rows] * matrix [rows, columns], where left is [rows, width].
RowMajor transposed_times(const RowMajor& left, const View& matrix, ThreadPool& pool) {
  const RowMajor transposed = left.transpose();
  const auto width = static_cast<std::size_t>(left.cols());
  const std::size_t count = blocks(matrix.columns, kPanelColumns);
  const std::size_t stride = count * kPanelColumns;
  RowMajor padded(static_cast<Index>(width), static_cast<Index>(stride));
  std::vector<std::vector<float>> packed(pool.workers());
  pool.for_each(count, [&](unsigned worker, std::size_t p) {
    std::vector<float>& panel = packed[worker];
    panel.assign(matrix.rows * kPanelColumns, 0.0F);
    const std::size_t first = p * kPanelColumns;
    const std::size_t columns = std::min(kPanelColumns, matrix.columns - first);
    for (std::size_t k = 0; k < matrix.rows; ++k) {
      std::copy_n(matrix.data + k * matrix.columns + first, columns, &panel[k * kPanelColumns]);
    }
    multiply_deep(transposed.data(), matrix.rows, width, matrix.rows, panel.data(),
                  padded.data() + first, stride);
  });
  return padded.leftCols(static_cast<Index>(matrix.columns));
}

// Orthonormal columns that span those of `matrix`, which has no fewer rows than columns.
RowMajor orthonormal(const RowMajor& matrix) {
  const Eigen::HouseholderQR<Eigen::MatrixXf> decomposed(matrix);
  return decomposed.householderQ() * Eigen::MatrixXf::Identity(matrix.rows(), matrix.cols());
}

RowMajor random_normal(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  RowMajor matrix(static_cast<Index>(rows), static_cast<Index>(columns));
  for (Index i = 0; i < matrix.size(); ++i) matrix.data()[i] = normal(random);
  return matrix;
}

struct Decomposition {
  Eigen::MatrixXd u;
  Eigen::VectorXd values;  // descending
  Eigen::MatrixXd v;
};

Decomposition decompose(const View& matrix, const LowRankOptions& options, ThreadPool& pool) {
  const std::size_t full = std::min(matrix.rows, matrix.columns);
  if (options.exact) {
    const Eigen::Map<const RowMajor> mapped(matrix.data, static_cast<Index>(matrix.rows),
                                            static_cast<Index>(matrix.columns));
    const Eigen::BDCSVD<Eigen::MatrixXd> svd(mapped.cast<double>(),
                                             Eigen::ComputeThinU | Eigen::ComputeThinV);
    return {svd.matrixU(), svd.singularValues(), svd.matrixV()};
  }
  const std::size_t width = std::min(full, options.max_rank + kOversampling);
  RowMajor range =
      orthonormal(times(matrix, random_normal(matrix.columns, width, options.seed), pool));
  for (unsigned i = 0; i < options.iterations; ++i) {
    const RowMajor corange = orthonormal(transposed_times(range, matrix, pool).transpose());
    range = orthonormal(times(matrix, corange, pool));
  }
  // matrix = range * (range^T * matrix); the small factor is decomposed by way of its QR.
  const Eigen::MatrixXd small =
      transposed_times(range, matrix, pool).transpose().cast<double>();  // [columns, width]
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(small);
  const auto size = static_cast<Index>(width);
  const Eigen::MatrixXd r = qr.matrixQR().topRows(size).triangularView<Eigen::Upper>();
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(r.transpose(),
                                              Eigen::ComputeThinU | Eigen::ComputeThinV);
  const Eigen::MatrixXd q = qr.householderQ() * Eigen::MatrixXd::Identity(small.rows(), size);
  return {range.cast<double>() * svd.matrixU(), svd.singularValues(), q * svd.matrixV()};
}

std::size_t choose_rank(const Eigen::VectorXd& values, double total,
                        const LowRankOptions& options) {
  constexpr double kNothing = 1e-7;  // of the largest: rounding of float32, not signal
  const auto most = std::min(static_cast<std::size_t>(values.size()), options.max_rank);
  double kept = 0;
  std::size_t rank = 0;
  while (rank < most && kept < options.energy * total) {
    const double value = values[static_cast<Index>(rank)];
    if (rank > 0 && value <= kNothing * values[0]) break;
    kept += value * value;
    ++rank;
  }
  return std::max<std::size_t>(rank, 1);
}

}  // namespace

LowRank approximate(std::span<const float> matrix, std::size_t rows, std::size_t columns,
                    const LowRankOptions& options, ThreadPool& pool) {
  const View view{matrix.data(), rows, columns};
  const Decomposition found = decompose(view, options, pool);
  double total = 0;
  for (const float value : matrix) total += static_cast<double>(value) * value;
  LowRank result;
  result.rank = choose_rank(found.values, total, options);
  result.left.resize(rows * result.rank);
  result.right.resize(result.rank * columns);
  for (std::size_t k = 0; k < result.rank; ++k) {
    const auto column = static_cast<Index>(k);
    const double root = std::sqrt(std::max(0.0, found.values[column]));
    for (std::size_t i = 0; i < rows; ++i) {
      result.left[i * result.rank + k] =
          static_cast<float>(found.u(static_cast<Index>(i), column) * root);
    }
    for (std::size_t j = 0; j < columns; ++j) {
      result.right[k * columns + j] =
          static_cast<float>(found.v(static_cast<Index>(j), column) * root);
    }
  }
  return result;
}

Residual measure(std::span<const float> matrix, std::size_t rows, std::size_t columns,
                 const LowRank& approximation, ThreadPool& pool) {
  const std::size_t rank = approximation.rank;
  const Panels panels = Panels::of(approximation.right, rank, columns);
  std::vector<Residual> parts(blocks(rows, kRowBlock));
  pool.for_each(parts.size(), [&](unsigned, std::size_t block) {
    const std::size_t row = block * kRowBlock;
    const std::size_t count = std::min(kRowBlock, rows - row);
    std::vector<float> product(count * kPanelColumns);
    for (std::size_t p = 0; p < panels.count(); ++p) {
      multiply_panel(&approximation.left[row * rank], rank, count, rank, panels.panel(p),
                     product.data(), kPanelColumns);
      const std::size_t first = p * kPanelColumns;
      const std::size_t width = std::min(kPanelColumns, columns - first);
      for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t j = 0; j < width; ++j) {
          const double value = matrix[(row + i) * columns + first + j];
          const double rest = value - product[i * kPanelColumns + j];
          parts[block].whole += value * value;
          parts[block].rest += rest * rest;
        }
      }
    }
  });
  Residual sum;
  for (const Residual& part : parts) {
    sum.whole += part.whole;
    sum.rest += part.rest;
  }
  return sum;
}

}  // namespace crucible::lora
