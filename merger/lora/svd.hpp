#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "merger/base/parallel.hpp"

namespace crucible::lora {

struct LowRankOptions {
  std::size_t max_rank = 32;
  double energy = 0.99;     // of the squared Frobenius norm, to be kept by the rank
  bool exact = false;       // all singular values rather than the largest, estimated
  std::uint64_t seed = 0;   // of the random range finder
  unsigned iterations = 3;  // of its subspace iteration
};

// left [rows, rank] times right [rank, columns], both row-major: U sqrt(S) and sqrt(S) V^T.
struct LowRank {
  std::size_t rank = 0;
  std::vector<float> left;
  std::vector<float> right;
};

// Approximates a matrix [rows, columns], row-major, by its largest singular values: the smallest
// rank that keeps the energy, at most `max_rank`, at least 1. By default with a randomised range
// finder of max_rank + 10 columns and subspace iteration (Halko, Martinsson and Tropp 2011,
// algorithms 4.4 and 5.1), whose cost grows with rows * columns * max_rank; `exact` costs
// rows * columns * min(rows, columns) and twice the memory of the matrix in addition. The same
// result for every number of threads.
LowRank approximate(std::span<const float> matrix, std::size_t rows, std::size_t columns,
                    const LowRankOptions& options, ThreadPool& pool);

// Squared Frobenius norms of a matrix and of what an approximation leaves of it.
struct Residual {
  double whole = 0;
  double rest = 0;
};
Residual measure(std::span<const float> matrix, std::size_t rows, std::size_t columns,
                 const LowRank& approximation, ThreadPool& pool);

}  // namespace crucible::lora
