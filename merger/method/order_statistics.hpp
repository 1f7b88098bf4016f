#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "merger/method/offsets.hpp"
#include "merger/method/tiles.hpp"

// Three order statistics of values that are computed from a tensor piece by piece:
// compute(tile, offset, size, out) for at most kPiece elements. Exact, and in bounded memory.
namespace crucible::method {

template <typename Value>
using Key = std::conditional_t<sizeof(Value) == 8, std::uint64_t, std::uint32_t>;

// Bits in the order of the numbers; NaN is the largest.
template <typename Value>
Key<Value> key_of(Value value) {
  constexpr Key<Value> kSign = Key<Value>{1} << (8 * sizeof(Value) - 1);
  const auto bits = std::bit_cast<Key<Value>>(value);
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}
template <typename Value>
Value value_of(Key<Value> key) {
  constexpr Key<Value> kSign = Key<Value>{1} << (8 * sizeof(Value) - 1);
  return std::bit_cast<Value>((key & kSign) != 0 ? key & ~kSign : ~key);
}

inline constexpr std::size_t kDigits = 1U << 16;
// In each worker.
inline constexpr std::uint64_t kOrderStatisticsBytes = 3 * kDigits * sizeof(std::uint64_t);

// One statistic, narrowed down by 16 bits of its key in each pass.
struct OrderSearch {
  std::uint64_t rank = 0;    // among the values that share `prefix`
  std::uint64_t prefix = 0;  // upper bits of the key
  std::vector<std::uint64_t> histogram;

  void descend() {
    std::uint64_t digit = 0;
    while (rank >= histogram[digit]) rank -= histogram[digit++];
    prefix = prefix << 16 | digit;
  }
};

// The values at `ranks`, counted from 0 in ascending order.
template <typename A, typename Compute>
Result<std::array<typename A::Value, 3>> order_statistics(
    Tiles<typename A::Value>& tiles, const Compute& compute,
    const std::array<std::uint64_t, 3>& ranks) {
  using Value = typename A::Value;
  constexpr unsigned kBits = 8 * sizeof(Value);
  // The lower half of a bfloat16 that was widened is zero.
  constexpr unsigned kPasses = std::is_same_v<A, BF16> ? 1 : kBits / 16;
  std::array<OrderSearch, 3> found;
  for (std::size_t i = 0; i < ranks.size(); ++i) found[i].rank = ranks[i];
  for (unsigned pass = 0; pass < kPasses; ++pass) {
    const unsigned shift = kBits - 16 * (pass + 1);
    std::vector<std::array<std::vector<std::uint64_t>, 3>> counts(tiles.workers());
    for (auto& worker : counts) worker.fill(std::vector<std::uint64_t>(kDigits));
    auto status = tiles.scan([&](unsigned worker, const Tile<Value>& tile) {
      std::array<Value, kPiece> values;
      for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
        compute(tile, offset, size, values.data());
        for (std::size_t k = 0; k < size; ++k) {
          const std::uint64_t key = static_cast<std::uint64_t>(key_of(values[k])) >> shift;
          for (std::size_t i = 0; i < found.size(); ++i) {
            if (key >> 16 == found[i].prefix) ++counts[worker][i][key & (kDigits - 1)];
          }
        }
      });
    });
    if (!status) return fail(std::move(status.error()));
    for (std::size_t i = 0; i < found.size(); ++i) {
      found[i].histogram.assign(kDigits, 0);
      for (const auto& worker : counts) {
        for (std::size_t d = 0; d < kDigits; ++d) found[i].histogram[d] += worker[i][d];
      }
      found[i].descend();
    }
  }
  std::array<Value, 3> values;
  for (std::size_t i = 0; i < found.size(); ++i) {
    // A negative key is inverted, and so are the lower bits that no pass has looked at.
    const auto upper = static_cast<Key<Value>>(found[i].prefix << (kBits - 16 * kPasses));
    const bool negative = upper >> (kBits - 1) == 0;
    const auto rest = static_cast<Key<Value>>((std::uint64_t{1} << (kBits - 16 * kPasses)) - 1);
    values[i] = value_of<Value>(negative ? upper | rest : upper);
  }
  return values;
}

// The same of a sample: the elements `indices`, which may repeat.
template <typename Value, typename Compute>
Result<std::array<Value, 3>> sampled_order_statistics(Tiles<Value>& tiles, const Compute& compute,
                                                      std::vector<std::uint64_t> indices,
                                                      const std::array<std::uint64_t, 3>& ranks) {
  std::ranges::sort(indices);
  std::vector<Key<Value>> sample(indices.size());
  auto status = tiles.scan([&](unsigned, const Tile<Value>& tile) {
    std::array<Value, kPiece> values;
    for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
      auto at = std::ranges::lower_bound(indices, tile.first + offset);
      if (at == indices.end() || *at >= tile.first + offset + size) return;
      compute(tile, offset, size, values.data());
      for (; at != indices.end() && *at < tile.first + offset + size; ++at) {
        sample[static_cast<std::size_t>(at - indices.begin())] =
            key_of(values[*at - tile.first - offset]);
      }
    });
  });
  if (!status) return fail(std::move(status.error()));
  std::array<Value, 3> found;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const auto nth = sample.begin() + static_cast<std::ptrdiff_t>(ranks[i]);
    std::ranges::nth_element(sample, nth);
    found[i] = value_of<Value>(*nth);
  }
  return found;
}

}  // namespace crucible::method
