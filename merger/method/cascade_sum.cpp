#include "merger/method/cascade_sum.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

#include "merger/tensor/simd.hpp"

namespace crucible::method {
namespace {

// Adds `count` rows of `width` values to `sum`.
template <typename Value, std::size_t width>
CRUCIBLE_CPU_LEVELS void add_rows(const Value* values, std::uint64_t count, Value* sum) {
  std::array<Value, width> running;
  for (std::size_t k = 0; k < width; ++k) running[k] = sum[k];
  for (std::uint64_t row = 0; row < count; ++row) {
    for (std::size_t k = 0; k < width; ++k) running[k] += values[row * width + k];
  }
  for (std::size_t k = 0; k < width; ++k) sum[k] = running[k];
}

template <typename Value, std::size_t width>
CRUCIBLE_CPU_LEVELS void add_squares(const Value* values, std::size_t count, Value* sum) {
  std::array<Value, width> running;
  for (std::size_t k = 0; k < width; ++k) running[k] = sum[k];
  for (std::size_t row = 0; row < count; ++row) {
    for (std::size_t k = 0; k < width; ++k)
      running[k] += values[row * width + k] * values[row * width + k];
  }
  for (std::size_t k = 0; k < width; ++k) sum[k] = running[k];
}

template <typename Row>
void move_up(Row& from, Row& to) {
  for (std::size_t k = 0; k < from.size(); ++k) to[k] += from[k];
  from.fill(0);
}

template <typename Value>
Value interleaved_sum(std::span<const Value> values) {
  std::array<Value, 4> parts{};
  const std::size_t whole = values.size() / parts.size() * parts.size();
  for (std::size_t i = 0; i < values.size(); ++i) parts[i < whole ? i % 4 : 0] += values[i];
  return ((parts[0] + parts[1]) + parts[2]) + parts[3];
}

unsigned ceil_log2(std::uint64_t value) {
  return value <= 2 ? 1 : static_cast<unsigned>(std::bit_width(value - 1));
}

}  // namespace

template <typename Value>
CascadeSum<Value>::CascadeSum(std::uint64_t elements)
    : elements_(elements),
      rows_(elements / kRow),
      step_bits_(std::max(4U, ceil_log2(rows_) / static_cast<unsigned>(kLevels))),
      two_levels_((kRow << (2 * step_bits_)) <= kBlockElements),
      group_rows_(1ULL << (two_levels_ ? 2 * step_bits_ : step_bits_)),
      groups_(rows_ / group_rows_, Row{}),
      tail_(elements - groups_.size() * group_rows_ * kRow) {}

template <typename Value>
void CascadeSum<Value>::add_block(std::uint64_t first, const Value* values, std::size_t count) {
  const std::uint64_t group_elements = group_rows_ * kRow;
  const std::uint64_t step = 1ULL << step_bits_;
  std::size_t offset = 0;
  std::uint64_t group = first / group_elements;
  for (; group < groups_.size() && offset + group_elements <= count; ++group) {
    Row& sum = groups_[group];
    for (std::uint64_t row = 0; row < group_rows_; row += step) {
      Row part{};
      add_rows<Value, kRow>(values + offset + row * kRow, step, part.data());
      move_up(part, sum);
    }
    offset += group_elements;
  }
  if (offset == count) return;
  const std::uint64_t tail_begin = groups_.size() * group_elements;
  std::copy(values + offset, values + count,
            tail_.begin() + static_cast<std::ptrdiff_t>(first + offset - tail_begin));
}

// The rows after the last whole group, level by level as before.
template <typename Value>
void CascadeSum<Value>::add_tail_rows(std::array<Row, kLevels>& sums) const {
  const std::uint64_t step = 1ULL << step_bits_;
  const Value* values = tail_.data();
  std::uint64_t row = groups_.size() * group_rows_;
  while (row + step <= rows_) {
    add_rows<Value, kRow>(values, step, sums[0].data());
    values += step * kRow;
    row += step;
    for (std::size_t level = 1; level < kLevels; ++level) {
      move_up(sums[level - 1], sums[level]);
      if ((row >> (level * step_bits_) & (step - 1)) != 0) break;
    }
  }
  add_rows<Value, kRow>(values, rows_ - row, sums[0].data());
}

template <typename Value>
Value CascadeSum<Value>::total(Value rest) const {
  if (elements_ < kLanes<Value>) return rest + interleaved_sum<Value>(tail_);
  const std::uint64_t step = 1ULL << step_bits_;
  std::array<Row, kLevels> sums{};
  const std::size_t first_level = two_levels_ ? 2 : 1;
  for (std::uint64_t group = 0; group < groups_.size(); ++group) {
    Row sum = groups_[group];
    move_up(sum, sums[first_level]);
    std::uint64_t done = group + 1;
    for (std::size_t level = first_level + 1; level < kLevels && done % step == 0; ++level) {
      move_up(sums[level - 1], sums[level]);
      done /= step;
    }
  }
  add_tail_rows(sums);
  for (std::size_t level = 1; level < kLevels; ++level) {
    for (std::size_t k = 0; k < kRow; ++k) sums[0][k] += sums[level][k];
  }
  // Whole registers after the last row, then the four registers of the row, then single values.
  constexpr std::size_t kWidth = kLanes<Value>;
  const std::uint64_t row_end = (rows_ - groups_.size() * group_rows_) * kRow;
  const std::uint64_t whole = (tail_.size() - row_end) / kWidth;
  add_rows<Value, kWidth>(tail_.data() + row_end, whole, sums[0].data());
  for (std::size_t part = 1; part < 4; ++part) {
    for (std::size_t k = 0; k < kWidth; ++k) sums[0][k] += sums[0][part * kWidth + k];
  }
  Value sum = rest;
  for (std::uint64_t i = row_end + whole * kWidth; i < tail_.size(); ++i) sum += tail_[i];
  for (std::size_t k = 0; k < kWidth; ++k) sum += sums[0][k];
  return sum;
}

template <typename Value, std::size_t lanes, std::size_t unit>
void LaneNorm<Value, lanes, unit>::add(const Value* values, std::size_t count) {
  const std::size_t whole = count / unit * unit;
  add_squares<Value, lanes>(values, whole / lanes, sums_.data());
  tail_.insert(tail_.end(), values + whole, values + count);
}

template <typename Value, std::size_t lanes, std::size_t unit>
Value LaneNorm<Value, lanes, unit>::norm() const {
  Value sum = sums_[0];
  for (std::size_t k = 1; k < sums_.size(); ++k) sum += sums_[k];
  // Four at a time are multiplied as a register; only those after them are fused.
  const std::size_t plain = tail_.size() / 4 * 4;
  for (std::size_t i = 0; i < plain; ++i) sum += tail_[i] * tail_[i];
  for (std::size_t i = plain; i < tail_.size(); ++i) sum = std::fma(tail_[i], tail_[i], sum);
  return std::sqrt(sum);
}

template class CascadeSum<float>;
template class CascadeSum<double>;
template class LaneNorm<float>;
template class LaneNorm<double>;
template class LaneNorm<float, 8, 16>;
template class LaneNorm<float, 1>;

}  // namespace crucible::method
