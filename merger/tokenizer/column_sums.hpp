#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// Sums of many rows, column by column, in the order of torch's sum over the first dimension on one
// thread (128- and 256-bit builds): the mean row of a vocabulary comes out with torch's bits.
namespace crucible::tokenizer {

// A sum in up to four levels: every 2^p rows the lower level is added to the next and cleared.
template <typename Value>
class CascadeSum {
 public:
  CascadeSum(std::uint64_t rows, std::size_t width);
  void add(std::span<const Value> row);
  std::span<const Value> finish();

 private:
  static constexpr std::size_t kLevels = 4;
  std::uint64_t power_ = 4;
  std::uint64_t rows_ = 0;
  std::vector<Value> levels_[kLevels];
};

// Four cascades that take turns, for columns that fill no whole group of vectors.
template <typename Value>
class InterleavedSum {
 public:
  InterleavedSum(std::uint64_t rows, std::size_t width);
  void add(std::span<const Value> row);
  std::vector<Value> finish();

 private:
  static constexpr std::size_t kLanes = 4;
  std::uint64_t in_lanes_ = 0;  // rows that the lanes share; the rest is added to the first
  std::uint64_t rows_ = 0;
  std::vector<CascadeSum<Value>> lanes_;
  std::vector<std::vector<Value>> rest_;
};

// `width` columns of `rows` rows, rows given in order.
template <typename Value>
class ColumnSums {
 public:
  ColumnSums(std::uint64_t rows, std::size_t width);
  void add(std::span<const Value> row);  // width values
  std::vector<Value> finish();

 private:
  std::size_t split_;  // columns before it stand in whole groups
  CascadeSum<Value> head_;
  InterleavedSum<Value> tail_;
};

// The sum of a list of `count` values given in order.
template <typename Value>
class ListSum {
 public:
  explicit ListSum(std::uint64_t count);
  void add(Value value);
  Value finish();

 private:
  static constexpr std::size_t kLanes = 32 / sizeof(Value);  // of a vector
  std::uint64_t whole_;                                      // values in whole vectors
  std::uint64_t seen_ = 0;
  std::vector<Value> vector_;
  InterleavedSum<Value> sum_;
  Value tail_ = 0;
};

}  // namespace crucible::tokenizer
