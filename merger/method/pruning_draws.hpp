#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "merger/method/mt19937.hpp"
#include "merger/method/task_vector.hpp"

namespace crucible::method {

// The draws of random pruning, torch's: one 32-bit number of MT19937 an element, row-major, model
// after model; u = (x mod 2^24) / 2^24, kept when u < p. Remembers where in the stream each tile
// begins, so that tiles can be drawn in any order and more than once: 2.5 kB a tile and model.
class PruningDraws {
 public:
  // draws: which models draw, and so advance `random`. Tiles are of `tile_elements`.
  PruningDraws(const std::vector<bool>& draws, std::uint64_t elements, std::uint64_t tile_elements,
               Mt19937& random)
      : starts_(draws.size()) {
    for (std::size_t m = 0; m < draws.size(); ++m) {
      for (std::uint64_t first = 0; draws[m] && first < elements; first += tile_elements) {
        starts_[m].push_back(random);
        random.skip(std::min(tile_elements, elements - first));
      }
    }
  }
  bool has(std::size_t model) const { return !starts_[model].empty(); }
  const Mt19937& start(std::size_t model, std::uint64_t tile) const { return starts_[model][tile]; }

 private:
  std::vector<std::vector<Mt19937>> starts_;  // [model][tile]
};

inline float uniform_of(std::uint32_t draw) {
  return static_cast<float>(static_cast<std::int32_t>(draw & 0xFFFFFFU)) * 0x1p-24F;
}

// The type that random pruning and its rescaling work in: float32, but bfloat16 for bfloat16. A
// float64 difference that is pruned loses its lower bits.
template <typename A>
struct PruneIn {
  using Type = F32;
};
template <>
struct PruneIn<BF16> {
  using Type = BF16;
};

}  // namespace crucible::method
