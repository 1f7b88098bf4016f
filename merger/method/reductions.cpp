#include "merger/method/reductions.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

#include "merger/method/tiles.hpp"
#include "merger/tensor/simd.hpp"

namespace crucible::method {
namespace {

template <typename A>
constexpr bool kIsShort = std::is_same_v<A, BF16> || std::is_same_v<A, F16>;

// Elements that are loaded at once, and the registers that they fill.
template <typename A>
constexpr std::size_t kUnit = kIsShort<A> ? 16 : kLanes<typename A::Value>;

template <typename Value>
CRUCIBLE_CPU_LEVELS void fold_units(const Value* values, std::size_t units, Value* out) {
  constexpr std::size_t kWidth = kLanes<Value>;
  for (std::size_t unit = 0; unit < units; ++unit) {
    for (std::size_t k = 0; k < kWidth; ++k) {
      out[unit * kWidth + k] =
          values[unit * 2 * kWidth + k] + values[unit * 2 * kWidth + kWidth + k];
    }
  }
}

template <typename Value>
CRUCIBLE_CPU_LEVELS void add_values(const Value* values, std::size_t count, Value* sums) {
  for (std::size_t i = 0; i < count; ++i) sums[i] += values[i];
}

template <typename Value>
CRUCIBLE_CPU_LEVELS void add_squared(const Value* values, std::size_t count, Value* sums) {
  for (std::size_t i = 0; i < count; ++i) sums[i] += values[i] * values[i];
}

// Adds the products of `rows` rows of `width` elements to as many running sums.
template <typename Value, std::size_t width>
CRUCIBLE_CPU_LEVELS void add_products(const Value* a, const Value* b, std::size_t rows,
                                      Value* sums) {
  std::array<Value, width> running;
  for (std::size_t k = 0; k < width; ++k) running[k] = sums[k];
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t k = 0; k < width; ++k) running[k] += a[row * width + k] * b[row * width + k];
  }
  for (std::size_t k = 0; k < width; ++k) sums[k] = running[k];
}

// Of every pair of elements the second product first, 16 pairs a row.
template <typename Value>
CRUCIBLE_CPU_LEVELS void add_pairs(const Value* a, const Value* b, std::size_t rows, Value* sums) {
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t k = 0; k < 16; ++k) {
      const std::size_t at = 32 * row + 2 * k;
      sums[k] = (sums[k] + a[at + 1] * b[at + 1]) + a[at] * b[at];
    }
  }
}

// Adds the upper half of the lanes to the lower one until one is left.
template <typename Value, std::size_t size>
Value halve(std::array<Value, size> lanes) {
  for (std::size_t width = size / 2; width != 0; width /= 2) {
    for (std::size_t k = 0; k < width; ++k) lanes[k] += lanes[k + width];
  }
  return lanes[0];
}

// Vectors of less than one load go to four sums in turn.
template <typename Value>
Value interleaved_sum(const std::vector<Value>& values) {
  std::array<Value, 4> parts{};
  const std::size_t whole = values.size() / 4 * 4;
  for (std::size_t i = 0; i < values.size(); ++i) parts[i < whole ? i % 4 : 0] += values[i];
  return ((parts[0] + parts[1]) + parts[2]) + parts[3];
}

// Calls visit(row, column, offset, count) for the parts of rows in [first, first + count).
template <typename Visit>
void for_each_row(std::uint64_t first, std::size_t count, std::size_t columns, const Visit& visit) {
  for (std::size_t offset = 0; offset < count;) {
    const auto column = static_cast<std::size_t>((first + offset) % columns);
    const std::size_t size = std::min(columns - column, count - offset);
    visit((first + offset) / columns, column, offset, size);
    offset += size;
  }
}

}  // namespace

template <typename A>
VectorSum<A>::VectorSum(std::uint64_t elements)
    : elements_(elements),
      whole_(elements < kUnit<A> ? 0 : elements / kUnit<A> * kLanes<Value>),
      singles_(elements % kUnit<A>) {}

template <typename A>
void VectorSum<A>::add_block(std::uint64_t first, const Value* values, std::size_t count) {
  const std::size_t units = count / kUnit<A>;
  if constexpr (kIsShort<A>) {
    std::vector<Value> folded(units * kLanes<Value>);
    fold_units<Value>(values, units, folded.data());
    whole_.add_block(first / 2, folded.data(), folded.size());
  } else {
    whole_.add_block(first, values, units * kUnit<A>);
  }
  std::copy(values + units * kUnit<A>, values + count, singles_.begin());
}

template <typename A>
typename A::Value VectorSum<A>::total() const {
  if (elements_ < kUnit<A>) return A::round(interleaved_sum<Value>(singles_));
  Value rest = 0;
  for (const Value value : singles_) rest += value;
  return A::round(whole_.total(rest));
}

template <typename A>
typename A::Value norm_of(const typename A::Value* values, std::size_t count) {
  VectorNorm<A> norm;
  norm.add(values, count);
  return norm.norm();
}

template <typename A>
typename A::Value sum_of(const typename A::Value* values, std::size_t count) {
  VectorSum<A> sum(count);
  for (std::size_t first = 0; first < count; first += kBlockElements) {
    sum.add_block(first, values + first, std::min(kBlockElements, count - first));
  }
  return sum.total();
}

template <typename Value>
ColumnCascade<Value>::ColumnCascade(std::uint64_t rows, std::size_t columns)
    : step_bits_(
          std::max(4U, static_cast<unsigned>(std::bit_width(std::max<std::uint64_t>(rows, 2) - 1)) /
                           static_cast<unsigned>(kLevels))),
      rows_(rows) {
  for (std::vector<Value>& level : levels_) level.resize(columns);
}

template <typename Value>
void ColumnCascade<Value>::add(std::uint64_t row, std::size_t column, const Value* values,
                               std::size_t count) {
  add_values<Value>(values, count, levels_[0].data() + column);
  const std::uint64_t step = 1ULL << step_bits_;
  std::uint64_t done = row + 1;
  for (std::size_t level = 1; level < kLevels && done % step == 0; ++level) {
    Value* lower = levels_[level - 1].data() + column;
    add_values<Value>(lower, count, levels_[level].data() + column);
    std::fill_n(lower, count, Value{0});
    done /= step;
  }
}

template <typename Value>
Value ColumnCascade<Value>::total(std::size_t column) const {
  return ((levels_[0][column] + levels_[1][column]) + levels_[2][column]) + levels_[3][column];
}

template <typename A>
ColumnSums<A>::ColumnSums(std::uint64_t rows, std::size_t columns)
    : rows_(rows),
      columns_(columns),
      interleaved_from_(columns >= kUnit<A> ? columns / (4 * kLanes<Value>)*(4 * kLanes<Value>)
                                            : columns / 4 * 4),
      plain_(rows, interleaved_from_),
      interleaved_(4, ColumnCascade<Value>(rows / 4, columns - interleaved_from_)),
      rest_((rows % 4) * (columns - interleaved_from_)) {}

template <typename A>
void ColumnSums<A>::add(std::uint64_t first, const Value* values, std::size_t count) {
  for_each_row(first, count, columns_,
               [&](std::uint64_t row, std::size_t column, std::size_t offset, std::size_t size) {
                 add_row(row, column, values + offset, size);
               });
}

template <typename A>
void ColumnSums<A>::add_row(std::uint64_t row, std::size_t column, const Value* values,
                            std::size_t count) {
  if (column < interleaved_from_) {
    const std::size_t plain = std::min(interleaved_from_ - column, count);
    plain_.add(row, column, values, plain);
    column += plain;
    values += plain;
    count -= plain;
  }
  if (count == 0) return;
  column -= interleaved_from_;
  const std::uint64_t whole = rows_ / 4 * 4;
  if (row < whole) {
    interleaved_[row % 4].add(row / 4, column, values, count);
  } else {
    const std::size_t width = columns_ - interleaved_from_;
    std::copy_n(values, count, rest_.data() + (row - whole) * width + column);
  }
}

template <typename A>
typename A::Value ColumnSums<A>::total(std::size_t column) const {
  if (column < interleaved_from_) return A::round(plain_.total(column));
  column -= interleaved_from_;
  Value sum = interleaved_[0].total(column);
  const std::size_t width = columns_ - interleaved_from_;
  for (std::size_t row = 0; row < rows_ % 4; ++row) sum += rest_[row * width + column];
  for (std::size_t part = 1; part < 4; ++part) sum += interleaved_[part].total(column);
  return A::round(sum);
}

template <typename A>
void ColumnNorms<A>::add(std::uint64_t first, const Value* values, std::size_t count) {
  for_each_row(first, count, sums_.size(),
               [&](std::uint64_t, std::size_t column, std::size_t offset, std::size_t size) {
                 add_squared<Value>(values + offset, size, sums_.data() + column);
               });
}

template <typename A>
typename A::Value ColumnNorms<A>::norm(std::size_t column) const {
  return A::round(std::sqrt(sums_[column]));
}

template <typename A>
DotProduct<A>::DotProduct(std::uint64_t elements)
    : by_pairs_(std::is_same_v<A, BF16> && elements > 4096) {}

template <typename A>
void DotProduct<A>::add(const Value* a, const Value* b, std::size_t count) {
  constexpr std::size_t kRow = kIsShort<A> ? 64 : 2 * kLanes<Value>;
  std::size_t whole = count / kRow * kRow;
  if (by_pairs_) {
    whole = count / 32 * 32;
    add_pairs<Value>(a, b, whole / 32, sums_.data());
  } else {
    add_products<Value, kRow>(a, b, whole / kRow, sums_.data());
  }
  for (std::size_t i = whole; i < count; ++i) tail_.push_back(a[i] * b[i]);
}

template <typename A>
typename A::Value DotProduct<A>::total() const {
  if constexpr (kIsShort<A>) return A::round(by_pairs_ ? pair_total() : register_total());
  return blas_total();
}

// Four registers of 16 bytes; what is left goes to the first two, then the first, then its lane 0.
template <typename A>
typename A::Value DotProduct<A>::blas_total() const {
  constexpr std::size_t kWidth = kLanes<Value> / 2;
  std::array<Value, 64> sums = sums_;
  std::size_t at = 0;
  if (kWidth == 4 && tail_.size() >= 2 * kWidth) {
    for (; at < 2 * kWidth; ++at) sums[at] += tail_[at];
  }
  for (; at + kWidth <= tail_.size(); at += kWidth) {
    for (std::size_t k = 0; k < kWidth; ++k) sums[k] += tail_[at + k];
  }
  for (; at < tail_.size(); ++at) sums[0] += tail_[at];
  std::array<Value, kWidth> lanes;
  for (std::size_t k = 0; k < kWidth; ++k) {
    lanes[k] = ((sums[k] + sums[kWidth + k]) + sums[2 * kWidth + k]) + sums[3 * kWidth + k];
  }
  return halve(lanes);
}

template <typename A>
typename A::Value DotProduct<A>::register_total() const {
  std::array<Value, 8> lanes{};
  const std::size_t whole = tail_.size() / 16 * 16;
  for (std::size_t i = 0; i < whole; ++i) lanes[i % 8] += tail_[i];
  Value sum = halve(sums_) + halve(lanes);
  for (std::size_t i = whole; i < tail_.size(); ++i) sum += tail_[i];
  return sum;
}

template <typename A>
typename A::Value DotProduct<A>::pair_total() const {
  std::array<Value, 4> lanes;
  std::array<Value, 32> tail{};
  std::ranges::copy(tail_, tail.begin());
  std::array<Value, 16> sums;
  for (std::size_t k = 0; k < 16; ++k) sums[k] = (sums_[k] + tail[2 * k + 1]) + tail[2 * k];
  for (std::size_t k = 0; k < 4; ++k) {
    lanes[k] = (sums[k] + sums[k + 8]) + (sums[k + 4] + sums[k + 12]);
  }
  return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

#define CRUCIBLE_REDUCTIONS(A)                                                  \
  template class VectorSum<A>;                                                  \
  template class ColumnSums<A>;                                                 \
  template class ColumnNorms<A>;                                                \
  template class DotProduct<A>;                                                 \
  template typename A::Value norm_of<A>(const typename A::Value*, std::size_t); \
  template typename A::Value sum_of<A>(const typename A::Value*, std::size_t)
CRUCIBLE_REDUCTIONS(F64);
CRUCIBLE_REDUCTIONS(F32);
CRUCIBLE_REDUCTIONS(BF16);
CRUCIBLE_REDUCTIONS(F16);
#undef CRUCIBLE_REDUCTIONS

}  // namespace crucible::method
