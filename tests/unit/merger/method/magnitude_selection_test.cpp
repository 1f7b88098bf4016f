#include "merger/method/magnitude_selection.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "vector_tiles.hpp"

namespace crucible::method {
namespace {

using test::Inputs;
using test::Values;
using test::VectorTiles;
using Keys = std::vector<std::uint32_t>;
using Kept = std::vector<std::uint8_t>;

// Keys travel as float values, which hold them exactly.
Keys random_keys(std::size_t count, std::uint32_t distinct, unsigned seed) {
  std::mt19937 random(seed);
  Keys keys(count);
  for (std::uint32_t& key : keys) key = static_cast<std::uint32_t>(random()) % distinct;
  return keys;
}

Kept kept_of(const std::vector<std::size_t>& order, std::uint64_t begin, std::uint64_t end) {
  Kept kept(order.size());
  for (std::uint64_t i = begin; i < std::min<std::uint64_t>(end, order.size()); ++i)
    kept[order[i]] = 1;
  return kept;
}

template <typename Sort>
Kept reference(const Keys& keys, const RankRange& range, const Sort& sort) {
  std::vector<std::size_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0U);
  sort(order, [&](std::size_t a, std::size_t b) {
    return range.order == RankOrder::kAscending ? keys[a] < keys[b] : keys[a] > keys[b];
  });
  return kept_of(order, range.begin, range.end);
}

Kept selected(const Keys& keys, const RankRange& range, unsigned bits, std::size_t tile,
              Compatibility compatibility, ReferenceChoice choice) {
  Inputs inputs(1, Values(keys.begin(), keys.end()));
  VectorTiles tiles(inputs, tile);
  const FillKeys<float, std::uint32_t> fill = [](const Tile<float>& part, std::size_t,
                                                 std::size_t offset, std::span<std::uint32_t> out) {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<std::uint32_t>(part.inputs[0][offset + i]);
  };
  const auto found =
      select_ranks<float, std::uint32_t>(tiles, {&range, 1}, bits, compatibility, choice, fill);
  EXPECT_TRUE(found);
  Kept kept(keys.size());
  for (std::uint64_t first = 0; first < keys.size(); first += tile) {
    SelectionCursor<std::uint32_t> cursor(found->front(), first / tile, first);
    const std::uint64_t end = std::min<std::uint64_t>(first + tile, keys.size());
    for (std::uint64_t at = first; at < end; at += 512) {
      const std::size_t size = std::min<std::uint64_t>(512, end - at);
      cursor.mark(std::span(keys).subspan(at, size), kept.data() + at);
    }
  }
  return kept;
}

std::vector<RankRange> ranges_of(std::uint64_t count) {
  std::vector<RankRange> ranges;
  for (const RankOrder order : {RankOrder::kAscending, RankOrder::kDescending}) {
    for (const auto& [begin, end] : {std::pair{std::uint64_t{0}, count / 2},
                                     {count / 3, count - count / 50},
                                     {0, count},
                                     {count / 2, count / 2},
                                     {count / 5, count * 2},
                                     {count / 2, count / 2 + 1}}) {
      ranges.push_back({order, begin, end});
    }
  }
  return ranges;
}

constexpr std::size_t kTile = 1U << 12;

TEST(Selection, RanksTheLowerIndexFirstByDefault) {
  for (const std::uint32_t distinct : {1U, 3U, 200U, 30000U}) {
    for (const std::size_t count : {1UL, 31UL, kTile, 5 * kTile + 77}) {
      const Keys keys = random_keys(count, distinct, 5);
      for (const RankRange& range : ranges_of(count)) {
        const auto stable = [](auto& order, const auto& less) {
          std::ranges::stable_sort(order, less);
        };
        ASSERT_EQ(selected(keys, range, 15, kTile, Compatibility::kNone, ReferenceChoice::kSort),
                  reference(keys, range, stable))
            << distinct << " " << count << " " << range.begin << " " << range.end;
      }
    }
  }
}

TEST(Selection, FindsKeysOfMoreThanOneDigit) {
  const Keys keys = random_keys(3 * kTile, 1U << 24, 6);
  for (const RankRange& range : ranges_of(keys.size())) {
    const auto stable = [](auto& order, const auto& less) {
      std::ranges::stable_sort(order, less);
    };
    ASSERT_EQ(selected(keys, range, 24, kTile, Compatibility::kNone, ReferenceChoice::kSort),
              reference(keys, range, stable));
  }
}

TEST(Selection, RanksAsMergekitUnderCompatibility) {
  for (const std::uint32_t distinct : {1U, 3U, 200U, 30000U}) {
    const Keys keys = random_keys(3 * kTile + 5, distinct, 7);
    for (const RankRange& range : ranges_of(keys.size())) {
      const auto sort = [](auto& order, const auto& less) {
        std::sort(order.begin(), order.end(), less);
      };
      ASSERT_EQ(selected(keys, range, 15, kTile, Compatibility::kMergekit, ReferenceChoice::kSort),
                reference(keys, range, sort))
          << distinct << " " << range.begin << " " << range.end;
    }
  }
}

TEST(Selection, TakesTheLargestAsMergekitUnderCompatibility) {
  const Keys keys = random_keys(3 * kTile + 5, 50, 8);
  for (const std::uint64_t top : {std::uint64_t{1}, std::uint64_t{100}, std::uint64_t{6000}}) {
    const RankRange range{RankOrder::kDescending, 0, top};
    const auto select = [&](auto& order, const auto& less) {
      const auto nth = order.begin() + static_cast<std::ptrdiff_t>(top);
      if (top * 64 <= order.size()) {
        std::partial_sort(order.begin(), nth, order.end(), less);
      } else {
        std::nth_element(order.begin(), nth - 1, order.end(), less);
      }
    };
    ASSERT_EQ(selected(keys, range, 15, kTile, Compatibility::kMergekit, ReferenceChoice::kTop),
              reference(keys, range, select));
  }
}

}  // namespace
}  // namespace crucible::method
