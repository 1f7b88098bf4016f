#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "merger/method/tiles.hpp"

namespace crucible::method {

// Sum of a tensor's elements (or of a function of them) in double, by blocks in a fixed order.
class BlockSum {
 public:
  explicit BlockSum(std::uint64_t blocks) : partial_(blocks, 0.0) {}
  // `sum_of(offset, count)` gives the sum of part of the tile; called for each block of it.
  template <typename Value, typename SumOf>
  void add_tile(const Tile<Value>& tile, const SumOf& sum_of) {
    for (std::size_t offset = 0; offset < tile.count; offset += kBlockElements) {
      const std::size_t count = std::min(kBlockElements, tile.count - offset);
      partial_[(tile.first + offset) / kBlockElements] = sum_of(offset, count);
    }
  }
  void set(std::uint64_t first_element, double sum) {
    partial_[first_element / kBlockElements] = sum;
  }
  double total() const {
    double sum = 0;
    for (const double part : partial_) sum += part;
    return sum;
  }

 private:
  std::vector<double> partial_;
};

// Eight running sums, so that the loop vectorises with the same result at every width.
struct Lanes {
  static constexpr std::size_t kCount = 8;
  std::array<double, kCount> sum{};
  double total() const {
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
  }
};

}  // namespace crucible::method
