#include "merger/method/magnitude_selection.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>

#include "merger/method/mergekit_order.hpp"
#include "merger/tensor/simd.hpp"

namespace crucible::method {
namespace {

constexpr unsigned kDigitBits = 16;
constexpr std::size_t kBins = 1U << kDigitBits;
constexpr std::size_t kPiece = 2048;
constexpr std::size_t kSequencesAtOnce = 2;  // under compatibility

using Histogram = std::vector<std::uint64_t>;

template <typename Key>
CRUCIBLE_CPU_LEVELS std::uint64_t count_equal(const Key* keys, Key key, std::size_t count) {
  std::uint64_t equal = 0;
  for (std::size_t i = 0; i < count; ++i) equal += keys[i] == key ? 1 : 0;
  return equal;
}

template <typename Key>
CRUCIBLE_CPU_LEVELS void mark_between(const Key* keys, Key least, Key limit, std::uint8_t* keep,
                                      std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) keep[i] = keys[i] >= least && keys[i] < limit ? 1 : 0;
}

// As above, and equals of the two keys by their bits.
template <typename Key>
CRUCIBLE_CPU_LEVELS void mark_with_bits(const Key* keys, const Selection<Key>& selection,
                                        const std::uint32_t* bits, std::uint8_t* keep,
                                        std::size_t count) {
  const Key least = selection.least;
  const Key limit = selection.limit;
  const auto mark = [least, limit](Key key, std::uint32_t word, std::size_t bit) {
    const bool inside = key >= least && key < limit;
    return static_cast<std::uint8_t>(inside ? 1U : word >> bit & 1U);
  };
  const std::size_t whole = count / 32 * 32;
  for (std::size_t i = 0; i < whole; i += 32) {
    const std::uint32_t word = bits[i / 32];
    for (std::size_t bit = 0; bit < 32; ++bit) keep[i + bit] = mark(keys[i + bit], word, bit);
  }
  for (std::size_t i = whole; i < count; ++i) keep[i] = mark(keys[i], bits[i / 32], i % 32);
}

// The bin of the entry of rank `left` (from 1), from either end, and its rank within.
struct Rank {
  std::size_t bin = 0;
  std::uint64_t within = 0;
  std::uint64_t entries = 0;  // of the bin
};
Rank find_rank(const Histogram& counts, std::uint64_t left, RankOrder order) {
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::size_t bin = order == RankOrder::kAscending ? i : counts.size() - 1 - i;
    if (left <= counts[bin]) return {bin, left, counts[bin]};
    left -= counts[bin];
  }
  return {};
}

// A cut to find: the key of rank `rank` (from 1).
template <typename Key>
struct Request {
  std::size_t sequence = 0;
  RankOrder order = RankOrder::kAscending;
  RankCut<Key>* cut = nullptr;
  std::uint64_t left = 0;    // rank within the keys that begin with the digits found
  Key prefix = 0;            // the digits found
  std::uint64_t equals = 0;  // in the end: how many elements have the key
};

template <typename Value, typename Key>
class Selector {
 public:
  Selector(Tiles<Value>& tiles, std::span<const RankRange> ranges, unsigned key_bits,
           const FillKeys<Value, Key>& fill)
      : tiles_(tiles), ranges_(ranges), key_bits_(key_bits), fill_(fill) {
    for (const RankRange& range : ranges) start(range);
  }

  Result<std::vector<Selection<Key>>> by_histograms() {
    add_requests();
    unsigned left_bits = key_bits_;
    bool first = true;
    while (left_bits > 0 && !requests_.empty()) {
      const unsigned width = std::min(left_bits, kDigitBits);
      left_bits -= width;
      if (auto status = find_digit(left_bits, width, first); !status)
        return fail(std::move(status.error()));
      first = false;
    }
    for (Request<Key>& request : requests_) {
      request.cut->key = request.prefix;
      request.cut->quota = request.left;
    }
    if (auto status = count_equals(); !status) return fail(std::move(status.error()));
    set_bounds();
    return std::move(selections_);
  }

  Result<std::vector<Selection<Key>>> by_reference(ReferenceChoice choice) {
    using Entry = std::conditional_t<sizeof(Key) == 4, Ranked, WideRanked>;
    if (tiles_.elements() > std::numeric_limits<std::uint32_t>::max()) {
      return fail(ErrorCode::kUnsupported,
                  "has 2^32 elements or more; mergekit's order is kept for smaller tensors only, "
                  "merge without that compatibility");
    }
    std::vector<std::size_t> todo;
    for (std::size_t s = 0; s < selections_.size(); ++s) {
      if (!selections_[s].keeps_all && !selections_[s].keeps_none) todo.push_back(s);
    }
    std::vector<std::unique_ptr<Entry[]>> room(std::min(todo.size(), kSequencesAtOnce));
    for (auto& entries : room) entries = std::make_unique_for_overwrite<Entry[]>(tiles_.elements());
    for (std::size_t next = 0; next < todo.size(); next += room.size()) {
      const std::span<const std::size_t> group(todo.data() + next,
                                               std::min(room.size(), todo.size() - next));
      if (auto status = collect<Entry>(group, room); !status)
        return fail(std::move(status.error()));
      std::vector<std::jthread> others;
      for (std::size_t i = 1; i < group.size(); ++i) {
        if (tiles_.workers() == 1) {
          choose<Entry>(group[i], room[i].get(), choice);
        } else {
          others.emplace_back([&, i] { choose<Entry>(group[i], room[i].get(), choice); });
        }
      }
      choose<Entry>(group[0], room[0].get(), choice);
    }
    set_bounds();
    return std::move(selections_);
  }

 private:
  void start(const RankRange& range) {
    Selection<Key> selection;
    const std::uint64_t elements = tiles_.elements();
    const std::uint64_t end = std::min(range.end, elements);
    selection.keeps_none = range.begin >= end;
    selection.keeps_all = range.begin == 0 && end == elements && !selection.keeps_none;
    const bool ascending = range.order == RankOrder::kAscending;
    if (!selection.keeps_none && !selection.keeps_all) {
      RankCut<Key>& begin_cut = ascending ? selection.low : selection.high;
      RankCut<Key>& end_cut = ascending ? selection.high : selection.low;
      begin_cut.active = range.begin > 0;
      end_cut.active = end < elements;
      end_cut.keeps_first = true;
    }
    selections_.push_back(std::move(selection));
  }

  void add_requests() {
    for (std::size_t s = 0; s < ranges_.size(); ++s) {
      const RankRange& range = ranges_[s];
      const bool ascending = range.order == RankOrder::kAscending;
      Selection<Key>& selection = selections_[s];
      for (RankCut<Key>* cut : {&selection.low, &selection.high}) {
        if (!cut->active) continue;
        const bool begins = (cut == &selection.low) == ascending;
        requests_.push_back({s, range.order, cut, begins ? range.begin : range.end, 0, 0});
      }
    }
  }

  // Calls visit(worker, request or sequence, keys) for every piece.
  template <typename Visit>
  Status for_each_piece(std::span<const std::size_t> sequences, const Visit& visit) {
    return tiles_.scan([&](unsigned worker, const Tile<Value>& tile) {
      alignas(64) std::array<Key, kPiece> keys;
      for (const std::size_t sequence : sequences) {
        for (std::size_t offset = 0; offset < tile.count; offset += kPiece) {
          const std::span<Key> piece(keys.data(), std::min(kPiece, tile.count - offset));
          fill_(tile, sequence, offset, piece);
          visit(worker, sequence, tile.index, tile.first + offset, piece);
        }
      }
    });
  }

  std::vector<std::size_t> requested_sequences() const {
    std::vector<std::size_t> sequences;
    for (const Request<Key>& request : requests_) {
      if (sequences.empty() || sequences.back() != request.sequence)
        sequences.push_back(request.sequence);
    }
    return sequences;
  }

  // The next digit of every request's key. Before the first digit all requests of a sequence share
  // one histogram.
  Status find_digit(unsigned shift, unsigned width, bool first) {
    const auto sequences = requested_sequences();
    const std::size_t histograms = first ? ranges_.size() : requests_.size();
    std::vector<std::vector<Histogram>> counts(tiles_.workers(),
                                               std::vector<Histogram>(histograms));
    const Key mask = static_cast<Key>((Key{1} << width) - 1);
    auto status =
        for_each_piece(sequences, [&](unsigned worker, std::size_t sequence, std::uint64_t,
                                      std::uint64_t, std::span<const Key> keys) {
          if (first) {
            Histogram& histogram = counts[worker][sequence];
            histogram.resize(kBins);
            for (const Key key : keys) ++histogram[key >> shift & mask];
            return;
          }
          for (std::size_t r = 0; r < requests_.size(); ++r) {
            if (requests_[r].sequence != sequence) continue;
            Histogram& histogram = counts[worker][r];
            histogram.resize(kBins);
            const Key prefix = requests_[r].prefix;
            for (const Key key : keys) {
              if (key >> (shift + width) == prefix) ++histogram[key >> shift & mask];
            }
          }
        });
    if (!status) return status;
    for (std::size_t r = 0; r < requests_.size(); ++r) {
      Request<Key>& request = requests_[r];
      const std::size_t number = first ? request.sequence : r;
      Histogram total(kBins);
      for (const auto& worker : counts) {
        for (std::size_t bin = 0; !worker[number].empty() && bin < kBins; ++bin)
          total[bin] += worker[number][bin];
      }
      const Rank rank = find_rank(total, request.left, request.order);
      request.prefix = static_cast<Key>(request.prefix << width | static_cast<Key>(rank.bin));
      request.left = rank.within;
      request.equals = rank.entries;
    }
    return {};
  }

  // Equals in each tile, then in all tiles before it; where all of them lie on one side there is
  // nothing to count.
  Status count_equals() {
    std::vector<Request<Key>*> divided;
    std::vector<std::size_t> sequences;
    for (Request<Key>& request : requests_) {
      request.cut->before.assign(tiles_.count(), 0);
      if (request.left == request.equals) continue;
      divided.push_back(&request);
      if (sequences.empty() || sequences.back() != request.sequence)
        sequences.push_back(request.sequence);
    }
    if (tiles_.count() <= 1 || divided.empty()) return {};
    auto status = for_each_piece(sequences, [&](unsigned, std::size_t sequence, std::uint64_t tile,
                                                std::uint64_t, std::span<const Key> keys) {
      for (const Request<Key>* request : divided) {
        if (request->sequence != sequence) continue;
        request->cut->before[tile] += count_equal<Key>(keys.data(), request->cut->key, keys.size());
      }
    });
    if (!status) return status;
    for (Request<Key>* request : divided) {
      std::uint64_t before = 0;
      for (std::uint64_t& tile : request->cut->before) before += std::exchange(tile, before);
    }
    return {};
  }

  void set_bounds() {
    for (Selection<Key>& selection : selections_) {
      selection.least = selection.low.active ? static_cast<Key>(selection.low.key + 1) : Key{0};
      selection.limit =
          selection.high.active ? selection.high.key : std::numeric_limits<Key>::max();
    }
  }

  Key flip(Key key, RankOrder order) const {
    const Key greatest = static_cast<Key>((Key{1} << key_bits_) - 1);
    return order == RankOrder::kAscending ? key : static_cast<Key>(greatest - key);
  }

  template <typename Entry>
  Status collect(std::span<const std::size_t> group,
                 const std::vector<std::unique_ptr<Entry[]>>& room) {
    return for_each_piece(group, [&](unsigned, std::size_t sequence, std::uint64_t,
                                     std::uint64_t first, std::span<const Key> keys) {
      const auto slot = std::ranges::find(group, sequence) - group.begin();
      Entry* out = room[static_cast<std::size_t>(slot)].get() + first;
      const RankOrder order = ranges_[sequence].order;
      for (std::size_t i = 0; i < keys.size(); ++i)
        out[i] = Entry(flip(keys[i], order), static_cast<std::uint32_t>(first + i));
    });
  }

  // Divides the entries as the reference does and notes which equals of the two keys are kept.
  template <typename Entry>
  void choose(std::size_t sequence, Entry* entries, ReferenceChoice choice) {
    const RankRange& range = ranges_[sequence];
    const std::uint64_t elements = tiles_.elements();
    const std::uint64_t end = std::min(range.end, elements);
    if (choice == ReferenceChoice::kTop) {
      reference_top<Entry>({entries, elements}, end);
    } else {
      reference_sort_to<Entry>({entries, elements}, range.begin, end);
    }
    const auto greatest_of_first = [&](std::uint64_t count) {
      Key key = 0;
      for (std::uint64_t i = 0; i < count; ++i) key = std::max<Key>(key, entries[i].key());
      return key;
    };
    Selection<Key>& selection = selections_[sequence];
    const bool ascending = range.order == RankOrder::kAscending;
    const Key begin_key = range.begin > 0 ? greatest_of_first(range.begin) : 0;
    const Key end_key = end < elements ? greatest_of_first(end) : 0;
    (ascending ? selection.low : selection.high).key = flip(begin_key, range.order);
    (ascending ? selection.high : selection.low).key = flip(end_key, range.order);
    selection.kept_equals.assign(elements / 32 + 1, 0);
    for (std::uint64_t i = range.begin; i < end; ++i) {
      const Key key = entries[i].key();
      if (key != begin_key && key != end_key) continue;
      const std::uint64_t index = entries[i].index();
      selection.kept_equals[index / 32] |= 1U << (index % 32);
    }
  }

  Tiles<Value>& tiles_;
  std::span<const RankRange> ranges_;
  unsigned key_bits_;
  const FillKeys<Value, Key>& fill_;
  std::vector<Selection<Key>> selections_;
  std::vector<Request<Key>> requests_;  // by sequence
};

}  // namespace

template <typename Key>
SelectionCursor<Key>::SelectionCursor(const Selection<Key>& selection, std::uint64_t tile,
                                      std::uint64_t first)
    : selection_(selection), next_(first) {
  if (!selection.low.before.empty()) low_seen_ = selection.low.before[tile];
  if (!selection.high.before.empty()) high_seen_ = selection.high.before[tile];
}

template <typename Key>
void SelectionCursor<Key>::mark(std::span<const Key> keys, std::uint8_t* keep) {
  if (selection_.keeps_none || selection_.keeps_all) {
    std::fill_n(keep, keys.size(), static_cast<std::uint8_t>(selection_.keeps_all ? 1 : 0));
    return;
  }
  if (!selection_.kept_equals.empty()) {
    mark_with_bits<Key>(keys.data(), selection_, selection_.kept_equals.data() + next_ / 32, keep,
                        keys.size());
    next_ += keys.size();
    return;
  }
  Key least = selection_.least;
  Key limit = selection_.limit;
  bool divided = false;
  const auto settle = [&](const RankCut<Key>& cut, std::uint64_t seen) -> std::uint64_t {
    if (!cut.active) return 0;
    const std::uint64_t equal = count_equal<Key>(keys.data(), cut.key, keys.size());
    const bool all_first = seen + equal <= cut.quota;
    divided = divided || (!all_first && seen < cut.quota);
    if (all_first == cut.keeps_first) (&cut == &selection_.low ? least : limit) = cut.key;
    if (all_first == cut.keeps_first && &cut == &selection_.high) ++limit;
    return equal;
  };
  const std::uint64_t low_equal = settle(selection_.low, low_seen_);
  const std::uint64_t high_equal = settle(selection_.high, high_seen_);
  const bool same =
      selection_.low.active && selection_.high.active && selection_.low.key == selection_.high.key;
  if (divided || (same && low_equal > 0)) {
    mark_one_by_one(keys, keep);
    return;
  }
  mark_between<Key>(keys.data(), least, limit, keep, keys.size());
  low_seen_ += low_equal;
  high_seen_ += high_equal;
}

template <typename Key>
void SelectionCursor<Key>::mark_one_by_one(std::span<const Key> keys, std::uint8_t* keep) {
  const RankCut<Key>& low = selection_.low;
  const RankCut<Key>& high = selection_.high;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    bool kept = true;
    if (low.active) {
      const bool equal = keys[i] == low.key;
      kept = keys[i] > low.key || (equal && (low_seen_ < low.quota) == low.keeps_first);
      low_seen_ += equal ? 1 : 0;
    }
    if (high.active) {
      const bool equal = keys[i] == high.key;
      kept =
          kept && (keys[i] < high.key || (equal && (high_seen_ < high.quota) == high.keeps_first));
      high_seen_ += equal ? 1 : 0;
    }
    keep[i] = kept ? 1 : 0;
  }
}

std::uint64_t selection_bytes(std::size_t sequences, std::uint64_t elements,
                              std::size_t key_bytes) {
  return elements * 2 * key_bytes * std::min(sequences, kSequencesAtOnce) +
         sequences * (elements / 8);
}

template <typename Value, typename Key>
Result<std::vector<Selection<Key>>> select_ranks(Tiles<Value>& tiles,
                                                 std::span<const RankRange> ranges,
                                                 unsigned key_bits, Compatibility compatibility,
                                                 ReferenceChoice choice,
                                                 const FillKeys<Value, Key>& fill) {
  Selector<Value, Key> selector(tiles, ranges, key_bits, fill);
  if (compatibility == Compatibility::kMergekit) return selector.by_reference(choice);
  return selector.by_histograms();
}

#define CRUCIBLE_INSTANTIATE(Value, Key)                                                   \
  template Result<std::vector<Selection<Key>>> select_ranks<Value, Key>(                   \
      Tiles<Value>&, std::span<const RankRange>, unsigned, Compatibility, ReferenceChoice, \
      const FillKeys<Value, Key>&)
CRUCIBLE_INSTANTIATE(float, std::uint32_t);
CRUCIBLE_INSTANTIATE(double, std::uint32_t);
CRUCIBLE_INSTANTIATE(double, std::uint64_t);
#undef CRUCIBLE_INSTANTIATE
template class SelectionCursor<std::uint32_t>;
template class SelectionCursor<std::uint64_t>;

}  // namespace crucible::method
