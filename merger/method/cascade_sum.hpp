#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "merger/method/tiles.hpp"

// Reductions in the order in which torch takes them on an x86-64 CPU with one thread, so that
// norms, dot products and L1 sums come out to the last bit. (With several threads torch splits long
// sums, and its own last bits then depend on their number.)
namespace crucible::method {

// Elements in one 256-bit register, torch's unit for reductions.
template <typename Value>
inline constexpr std::size_t kLanes = 32 / sizeof(Value);

// The sum of `elements` values. A row is 4 registers; rows are added up in groups of `step` (16 or
// more), groups in groups of `step`, and so on (4 levels), each level starting from zero; what is
// left over is added last. Fewer values than a register has lanes go to four sums in turn. Groups
// are independent, so blocks can be added in any order, by several threads.
template <typename Value>
class CascadeSum {
 public:
  explicit CascadeSum(std::uint64_t elements);
  // Values [first, first + count): a block of kBlockElements, or the last and shorter one.
  void add_block(std::uint64_t first, const Value* values, std::size_t count);
  // Once every block is in. `rest` is added with what is left over.
  Value total(Value rest = 0) const;

 private:
  static constexpr std::size_t kRow = 4 * kLanes<Value>;
  static constexpr std::size_t kLevels = 4;
  using Row = std::array<Value, kRow>;
  void add_tail_rows(std::array<Row, kLevels>& sums) const;

  std::uint64_t elements_;
  std::uint64_t rows_;
  unsigned step_bits_;
  bool two_levels_;  // a group is step * step rows, else step
  std::uint64_t group_rows_;
  std::vector<Row> groups_;  // their sums
  std::vector<Value> tail_;  // the values after the last whole group
};

// The Euclidean norm of a vector as torch's vector norm has it: one running sum of squares a lane
// over the whole vector. `unit` values (a multiple of `lanes`) are loaded at once; those after the
// last whole unit are added singly. Pieces must come in order.
template <typename Value, std::size_t lanes = kLanes<Value>, std::size_t unit = lanes>
class LaneNorm {
 public:
  void add(const Value* values, std::size_t count);  // a multiple of `unit` but for the last piece
  Value norm() const;

 private:
  std::array<Value, lanes> sums_{};
  std::vector<Value> tail_;
};

}  // namespace crucible::method
