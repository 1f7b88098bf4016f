#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "merger/base/error.hpp"

// How a method sees one tensor: as tiles, the same element range of every input at a time, so that
// a tensor of any size is merged in bounded memory.
namespace crucible::method {

// Sums over a tensor are taken over blocks of this many elements and then added in block order, so
// the result depends neither on the tile size nor on the threads. Tiles hold whole blocks.
inline constexpr std::size_t kBlockElements = 1U << 16;

// Some sums go by chunks of this many elements, in element order within one. A tile is never larger
// and divides it.
inline constexpr std::size_t kChunkElements = 1U << 20;

template <typename Value>
struct Tile {
  std::uint64_t index = 0;               // of the tile
  std::uint64_t first = 0;               // element
  std::size_t count = 0;                 // elements; tile_elements() but for the last tile
  std::span<const Value* const> inputs;  // in the order of TensorTask; already in the work type
};

// Passes over all tiles of one tensor.
template <typename Value>
class Tiles {
 public:
  virtual ~Tiles() = default;
  virtual std::uint64_t elements() const = 0;
  virtual std::size_t tile_elements() const = 0;
  std::uint64_t count() const { return (elements() + tile_elements() - 1) / tile_elements(); }
  std::uint64_t chunks() const { return (elements() + kChunkElements - 1) / kChunkElements; }
  std::uint64_t blocks() const { return (elements() + kBlockElements - 1) / kBlockElements; }
  virtual unsigned workers() const = 0;

  // Calls visit once for every tile, several at the same time; worker < workers() is the caller's
  // number. Tiles of one chunk (kChunkElements) come in order, one after the other, where
  // `in_order`. Errors: reading the inputs, kCancelled.
  using Visit = std::function<void(unsigned worker, const Tile<Value>& tile)>;
  virtual Status scan(const Visit& visit, bool in_order = false) = 0;

  // For sums that go through the tensor from its first element to its last: after visit, which runs
  // for several tiles at the same time, calls fold for one tile after the other, in order.
  virtual Status scan_folding(const Visit& visit, const Visit& fold) = 0;

  // As scan, but tiles end where rows of `row_elements` end: each has as many whole rows as
  // tile_elements() holds, and at least one. For statistics of rows; several at the same time.
  virtual Status scan_rows(std::uint64_t row_elements, const Visit& visit) = 0;
};

// Computes one tile of the output into `out` (tile.count values, rounded to the work type). Called
// for every tile once, several at the same time.
template <typename Value>
using Apply = std::function<void(const Tile<Value>& tile, Value* out)>;

}  // namespace crucible::method
