#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "merger/method/arithmetic.hpp"
#include "merger/method/cascade_sum.hpp"

// Norms, sums and dot products in the arithmetic of A: accumulated in float32 (float64 for F64) in
// torch's order, rounded once to the type. 16-bit values are loaded 16 at a time and widened to two
// registers.
namespace crucible::method {

template <typename A>
struct NormOrder {
  using Type = LaneNorm<typename A::Value>;
};
template <>
struct NormOrder<BF16> {
  using Type = LaneNorm<float, 8, 16>;
};
template <>
struct NormOrder<F16> {
  using Type = LaneNorm<float, 1>;  // no vector path: one element after the other
};

// The norm of one long vector; pieces in order, each a multiple of 16 values but for the last.
template <typename A>
class VectorNorm {
 public:
  using Value = typename A::Value;
  void add(const Value* values, std::size_t count) { sums_.add(values, count); }
  Value norm() const { return A::round(sums_.norm()); }

 private:
  typename NormOrder<A>::Type sums_;
};

// The sum of one long vector; blocks as CascadeSum takes them, in any order.
template <typename A>
class VectorSum {
 public:
  using Value = typename A::Value;
  explicit VectorSum(std::uint64_t elements);
  void add_block(std::uint64_t first, const Value* values, std::size_t count);
  Value total() const;

 private:
  std::uint64_t elements_;
  CascadeSum<Value> whole_;     // of the whole loads
  std::vector<Value> singles_;  // after them
};

// Of one vector that lies in memory.
template <typename A>
typename A::Value norm_of(const typename A::Value* values, std::size_t count);
template <typename A>
typename A::Value sum_of(const typename A::Value* values, std::size_t count);

// One cascade a column of a matrix that comes row by row: sums of `step` rows, of `step` such sums,
// and so on, as CascadeSum.
template <typename Value>
class ColumnCascade {
 public:
  ColumnCascade(std::uint64_t rows, std::size_t columns);
  void add(std::uint64_t row, std::size_t column, const Value* values, std::size_t count);
  Value total(std::size_t column) const;

 private:
  static constexpr std::size_t kLevels = 4;
  unsigned step_bits_;
  std::uint64_t rows_;
  std::array<std::vector<Value>, kLevels> levels_;
};

// The sums of the columns of a matrix [rows, columns], both at least 2. Whole groups of 32 float32
// (16 float64) columns are one cascade; in the columns after them, four interleaved ones. Elements
// must come in order.
template <typename A>
class ColumnSums {
 public:
  using Value = typename A::Value;
  ColumnSums(std::uint64_t rows, std::size_t columns);
  void add(std::uint64_t first, const Value* values, std::size_t count);
  Value total(std::size_t column) const;

 private:
  void add_row(std::uint64_t row, std::size_t column, const Value* values, std::size_t count);
  std::uint64_t rows_;
  std::size_t columns_;
  std::size_t interleaved_from_;
  ColumnCascade<Value> plain_;
  std::vector<ColumnCascade<Value>> interleaved_;  // 4
  std::vector<Value> rest_;  // rows after the last four, [up to 3, columns - interleaved_from_]
};

// The norms of the columns: one running sum a column. Elements must come in order.
template <typename A>
class ColumnNorms {
 public:
  using Value = typename A::Value;
  explicit ColumnNorms(std::size_t columns) : sums_(columns) {}
  void add(std::uint64_t first, const Value* values, std::size_t count);
  Value norm(std::size_t column) const;

 private:
  std::vector<Value> sums_;
};

// The dot product of two vectors, as torch.dot has it on an x86-64 CPU with AVX-512 that is not
// Intel's: float32 and float64 by the SSE2 kernel of its BLAS; 16-bit types by 8 registers of 8
// lanes, but bfloat16 vectors of more than 4096 elements by pairs, as the instruction VDPBF16PS
// adds them. Pieces in order, each a multiple of 64 elements but for the last.
template <typename A>
class DotProduct {
 public:
  using Value = typename A::Value;
  explicit DotProduct(std::uint64_t elements);
  void add(const Value* a, const Value* b, std::size_t count);
  Value total() const;

 private:
  Value blas_total() const;
  Value register_total() const;
  Value pair_total() const;
  bool by_pairs_;
  std::array<Value, 64> sums_{};
  std::vector<Value> tail_;  // products after the last whole unit
};

}  // namespace crucible::method
