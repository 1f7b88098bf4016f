#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "merger/method/combine.hpp"
#include "merger/method/elementwise.hpp"
#include "merger/method/method.hpp"

namespace crucible::method {

// The vectors that a geometric method works on: the inputs other than the base, as they are or,
// where there is a base, as differences to it, rounded to the type.
template <typename A>
class Offsets {
 public:
  using Value = typename A::Value;
  explicit Offsets(const TensorTask& task) : base_(task.base) {
    for (std::size_t i = 0; i < task.models.size(); ++i) {
      if (i != base_) inputs_.push_back(i);
    }
  }

  std::size_t count() const { return inputs_.size(); }
  std::size_t input(std::size_t vector) const { return inputs_[vector]; }
  bool from_base() const { return base_.has_value(); }

  // `count` elements of a vector from `offset` of the tile; computed ones go to `room`.
  const Value* piece(const Tile<Value>& tile, std::size_t vector, std::size_t offset,
                     std::size_t count, Value* room) const {
    const Value* values = tile.inputs[inputs_[vector]] + offset;
    if (!base_) return values;
    subtract<A>(values, tile.inputs[*base_] + offset, room, count);
    return room;
  }

  // Adds the base, if there is one, to a piece of the result.
  void add_base(const Tile<Value>& tile, std::size_t offset, std::size_t count,
                Value* result) const {
    if (base_) add<A>(tile.inputs[*base_] + offset, result, result, count);
  }

 private:
  std::optional<std::size_t> base_;
  std::vector<std::size_t> inputs_;
};

// Calls visit(offset, size) for successive pieces of [first, first + count).
template <typename Visit>
void for_each_piece(std::size_t first, std::size_t count, const Visit& visit) {
  for (std::size_t offset = first; offset < first + count; offset += kPiece) {
    visit(offset, std::min(kPiece, first + count - offset));
  }
}

// As above, cutting also where rows of `row` elements end: visit(index of the row in the tensor,
// place in it, offset, size). The tile begins at element `first` of the tensor.
template <typename Visit>
void for_each_row_piece(std::uint64_t first, std::size_t count, std::uint64_t row,
                        const Visit& visit) {
  for (std::size_t offset = 0; offset < count;) {
    const std::uint64_t place = (first + offset) % row;
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>({kPiece, count - offset, row - place}));
    visit((first + offset) / row, static_cast<std::size_t>(place), offset, size);
    offset += size;
  }
}

// One input as it is.
template <typename Value>
Apply<Value> copy_input(std::size_t input) {
  return [input](const Tile<Value>& tile, Value* out) {
    std::copy_n(tile.inputs[input], tile.count, out);
  };
}

// Room for `count` values in each worker.
template <typename Value>
std::vector<std::vector<Value>> room_for_workers(const Tiles<Value>& tiles, std::size_t count) {
  return std::vector<std::vector<Value>>(tiles.workers(), std::vector<Value>(count));
}

}  // namespace crucible::method
