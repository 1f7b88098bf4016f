#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "merger/method/compatibility.hpp"
#include "merger/method/tiles.hpp"

// Which elements of a tensor are kept when its elements are ranked by a key and a range of ranks
// survives: top k, or all but the smallest and the largest. The keys at the ends of the range are
// found exactly by histograms over the bits of the keys, 16 at a time, in memory that does not grow
// with the tensor.
namespace crucible::method {

enum class RankOrder { kAscending, kDescending };

// How the reference picks among equal keys: by a whole sort, or by its selection of the largest k
// (then order is kDescending and begin 0).
enum class ReferenceChoice { kSort, kTop };

// Ranks [begin, end) are kept.
struct RankRange {
  RankOrder order = RankOrder::kAscending;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// An end of the range that falls among elements: those of exactly `key` divide there. By default
// the lower index is ranked first, so the first `quota` of them lie before the end.
template <typename Key>
struct RankCut {
  bool active = false;
  bool keeps_first = false;  // the first ones are kept, or the others
  Key key = 0;
  std::uint64_t quota = 0;
  std::vector<std::uint64_t> before;  // one a tile: equals in the tiles before it
};

template <typename Key>
struct Selection {
  bool keeps_all = false;
  bool keeps_none = false;
  Key least = 0;                           // keys in [least, limit) are kept whatever their index
  Key limit = 0;                           // all keys are below 2^(8 sizeof(Key)) - 1
  RankCut<Key> low, high;                  // at the lower and the upper end of these keys
  std::vector<std::uint32_t> kept_equals;  // compatibility: one bit an element, instead of quotas
};

// Reads a selection along one tile.
template <typename Key>
class SelectionCursor {
 public:
  SelectionCursor(const Selection<Key>& selection, std::uint64_t tile, std::uint64_t first);
  // The next keys.size() elements: keep[i] = 1 or 0. But for the last call, a multiple of 32.
  void mark(std::span<const Key> keys, std::uint8_t* keep);

 private:
  void mark_one_by_one(std::span<const Key> keys, std::uint8_t* keep);
  const Selection<Key>& selection_;
  std::uint64_t next_;  // element
  std::uint64_t low_seen_ = 0;
  std::uint64_t high_seen_ = 0;
};

// Fills `keys` with those of elements [offset, offset + keys.size()) of the tile, for one of the
// sequences that are ranked.
template <typename Value, typename Key>
using FillKeys = std::function<void(const Tile<Value>& tile, std::size_t sequence,
                                    std::size_t offset, std::span<Key> keys)>;

// What select_ranks takes in each worker and sequence.
inline constexpr std::uint64_t kHistogramBytes = (1U << 16) * sizeof(std::uint64_t);

// Of the whole tensor, under compatibility.
std::uint64_t selection_bytes(std::size_t sequences, std::uint64_t elements, std::size_t key_bytes);

// One range a sequence; key_bits: how many lower bits of the keys are in use. Errors: of the scan;
// kUnsupported for a tensor of 2^32 elements under compatibility.
template <typename Value, typename Key>
Result<std::vector<Selection<Key>>> select_ranks(Tiles<Value>& tiles,
                                                 std::span<const RankRange> ranges,
                                                 unsigned key_bits, Compatibility compatibility,
                                                 ReferenceChoice choice,
                                                 const FillKeys<Value, Key>& fill);

}  // namespace crucible::method
