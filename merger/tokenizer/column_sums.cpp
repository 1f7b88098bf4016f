#include "merger/tokenizer/column_sums.hpp"

#include <algorithm>
#include <bit>

namespace crucible::tokenizer {
namespace {

std::uint64_t ceil_log2(std::uint64_t value) {
  return value <= 2 ? 1 : static_cast<std::uint64_t>(std::bit_width(value - 1));
}

// Columns in groups of four vectors; narrower matrices are summed without vectors.
template <typename Value>
std::size_t whole_groups(std::size_t width) {
  constexpr std::size_t kVector = 32 / sizeof(Value);
  const std::size_t group = width >= kVector ? 4 * kVector : 4;
  return width / group * group;
}

template <typename Value>
void add_to(std::vector<Value>& sums, std::span<const Value> row) {
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += row[i];
}

}  // namespace

template <typename Value>
CascadeSum<Value>::CascadeSum(std::uint64_t rows, std::size_t width)
    : power_(std::max<std::uint64_t>(4, ceil_log2(rows) / kLevels)) {
  for (auto& level : levels_) level.assign(width, Value(0));
}

template <typename Value>
void CascadeSum<Value>::add(std::span<const Value> row) {
  add_to(levels_[0], row);
  ++rows_;
  const std::uint64_t mask = (1ULL << power_) - 1;
  if ((rows_ & mask) != 0) return;
  for (std::size_t j = 1; j < kLevels; ++j) {
    add_to(levels_[j], std::span<const Value>(levels_[j - 1]));
    std::ranges::fill(levels_[j - 1], Value(0));
    if ((rows_ & (mask << (j * power_))) != 0) break;
  }
}

template <typename Value>
std::span<const Value> CascadeSum<Value>::finish() {
  for (std::size_t j = 1; j < kLevels; ++j) add_to(levels_[0], std::span<const Value>(levels_[j]));
  return levels_[0];
}

template <typename Value>
InterleavedSum<Value>::InterleavedSum(std::uint64_t rows, std::size_t width)
    : in_lanes_(rows / kLanes * kLanes) {
  for (std::size_t k = 0; k < kLanes; ++k) lanes_.emplace_back(rows / kLanes, width);
}

template <typename Value>
void InterleavedSum<Value>::add(std::span<const Value> row) {
  if (rows_ < in_lanes_) {
    lanes_[rows_ % kLanes].add(row);
  } else {
    rest_.emplace_back(row.begin(), row.end());
  }
  ++rows_;
}

template <typename Value>
std::vector<Value> InterleavedSum<Value>::finish() {
  const std::span<const Value> first = lanes_[0].finish();
  std::vector<Value> sums(first.begin(), first.end());
  for (const auto& row : rest_) add_to(sums, std::span<const Value>(row));
  for (std::size_t k = 1; k < kLanes; ++k) add_to(sums, lanes_[k].finish());
  return sums;
}

template <typename Value>
ColumnSums<Value>::ColumnSums(std::uint64_t rows, std::size_t width)
    : split_(whole_groups<Value>(width)), head_(rows, split_), tail_(rows, width - split_) {}

template <typename Value>
void ColumnSums<Value>::add(std::span<const Value> row) {
  head_.add(row.first(split_));
  tail_.add(row.subspan(split_));
}

template <typename Value>
std::vector<Value> ColumnSums<Value>::finish() {
  const std::span<const Value> head = head_.finish();
  std::vector<Value> sums(head.begin(), head.end());
  const std::vector<Value> tail = tail_.finish();
  sums.insert(sums.end(), tail.begin(), tail.end());
  return sums;
}

template <typename Value>
ListSum<Value>::ListSum(std::uint64_t count)
    : whole_(count / kLanes * kLanes), sum_(count / kLanes, kLanes) {
  vector_.reserve(kLanes);
}

template <typename Value>
void ListSum<Value>::add(Value value) {
  if (seen_++ >= whole_) {
    tail_ += value;
    return;
  }
  vector_.push_back(value);
  if (vector_.size() < kLanes) return;
  sum_.add(vector_);
  vector_.clear();
}

template <typename Value>
Value ListSum<Value>::finish() {
  Value total = tail_;
  for (const Value lane : sum_.finish()) total += lane;
  return total;
}

template class CascadeSum<float>;
template class CascadeSum<double>;
template class InterleavedSum<float>;
template class InterleavedSum<double>;
template class ColumnSums<float>;
template class ColumnSums<double>;
template class ListSum<float>;
template class ListSum<double>;

}  // namespace crucible::tokenizer
