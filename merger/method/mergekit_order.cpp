#include "merger/method/mergekit_order.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <type_traits>
#include <utility>

#include "merger/tensor/simd.hpp"

namespace crucible::method {
namespace {

constexpr std::ptrdiff_t kInsertionSize = 16;

unsigned depth_limit(std::ptrdiff_t size) {
  return 2 * static_cast<unsigned>(std::bit_width(static_cast<std::size_t>(size)) - 1);
}

template <typename Entry>
bool less(const Entry& a, const Entry& b) {
  return a.key() < b.key();
}

// Places of up to 16 entries in their stable order: how many come before each of them. Unused
// words are the greatest.
using Few = std::array<std::uint64_t, kInsertionSize>;
CRUCIBLE_CPU_LEVELS void count_before(const Few& words, Few& places) {
  Few counts{};
  for (std::size_t j = 0; j < words.size(); ++j) {
    const std::uint64_t word = words[j];
    for (std::size_t i = 0; i < words.size(); ++i) counts[i] += word < words[i] ? 1 : 0;
  }
  places = counts;
}

// What insertion sort does, without its branches.
void sort_few(Ranked* entries, std::size_t count) {
  Few words;
  Few places;
  std::array<Ranked, kInsertionSize> copy;
  words.fill(UINT64_MAX);
  for (std::size_t i = 0; i < count; ++i) {
    copy[i] = entries[i];
    words[i] = static_cast<std::uint64_t>(entries[i].key()) << 32 | i;
  }
  count_before(words, places);
  for (std::size_t i = 0; i < count; ++i) entries[places[i]] = copy[i];
}

// A stable sort of at most kInsertionSize entries.
template <typename Entry>
void insertion_sort(Entry* first, Entry* last) {
  if constexpr (std::is_same_v<Entry, Ranked>) {
    if (last - first > 3) return sort_few(first, static_cast<std::size_t>(last - first));
  }
  for (Entry* next = first; next < last; ++next) {
    const Entry entry = *next;
    Entry* hole = next;
    for (; hole > first && less(entry, hole[-1]); --hole) *hole = hole[-1];
    *hole = entry;
  }
}

// Lets `entry` sink from `hole` in a heap with the greatest on top: the hole first goes all the way
// down along the greater children, then the entry rises from there.
template <typename Entry>
void sift(Entry* heap, std::ptrdiff_t size, std::ptrdiff_t hole, Entry entry) {
  const std::ptrdiff_t top = hole;
  std::ptrdiff_t child = hole;
  while (child < (size - 1) / 2) {
    child = 2 * (child + 1);
    if (less(heap[child], heap[child - 1])) --child;
    heap[hole] = heap[child];
    hole = child;
  }
  if (size % 2 == 0 && child == (size - 2) / 2) {
    child = 2 * child + 1;
    heap[hole] = heap[child];
    hole = child;
  }
  for (std::ptrdiff_t parent = (hole - 1) / 2; hole > top && less(heap[parent], entry);
       parent = (hole - 1) / 2) {
    heap[hole] = heap[parent];
    hole = parent;
  }
  heap[hole] = entry;
}

template <typename Entry>
void make_heap(Entry* first, Entry* last) {
  const std::ptrdiff_t size = last - first;
  for (std::ptrdiff_t parent = size / 2; parent-- > 0;) sift(first, size, parent, first[parent]);
}

// The smallest entries end up, as a heap, in [first, middle).
template <typename Entry>
void heap_select(Entry* first, Entry* middle, Entry* last) {
  make_heap(first, middle);
  for (Entry* next = middle; next < last; ++next) {
    if (!less(*next, *first)) continue;
    const Entry entry = *next;
    *next = *first;
    sift(first, middle - first, 0, entry);
  }
}

template <typename Entry>
void heap_sort(Entry* first, Entry* last) {
  make_heap(first, last);
  while (last - first > 1) {
    --last;
    const Entry entry = *last;
    *last = *first;
    sift(first, last - first, 0, entry);
  }
}

// Exchanges the median of the three with *first.
template <typename Entry>
void median_to_first(Entry* first, Entry* a, Entry* b, Entry* c) {
  Entry* median = b;
  if (less(*a, *b)) {
    if (!less(*b, *c)) median = less(*a, *c) ? c : a;
  } else if (less(*a, *c)) {
    median = a;
  } else if (less(*b, *c)) {
    median = c;
  }
  std::swap(*first, *median);
}

constexpr std::ptrdiff_t kBlock = 128;

// Places at which one of Hoare's two scans stops, for a block of entries at a time: found without
// branches (Edelkamp and Weiss 2016, "BlockQuicksort", arXiv:1604.06697). The k-th stop from the
// left is exchanged with the k-th from the right, as in the plain loop.
struct Stops {
  std::array<std::uint8_t, kBlock> offsets;
  unsigned next = 0;
  unsigned count = 0;
  bool empty() const { return next == count; }
};

template <typename Entry>
void find_left(const Entry* block, const Entry& pivot, Stops& stops) {
  stops.next = stops.count = 0;
  for (unsigned i = 0; i < kBlock; ++i) {
    stops.offsets[stops.count] = static_cast<std::uint8_t>(i);
    stops.count += less(block[i], pivot) ? 0 : 1;
  }
}

// Offset i stands for block_end[-1 - i].
template <typename Entry>
void find_right(const Entry* block_end, const Entry& pivot, Stops& stops) {
  stops.next = stops.count = 0;
  for (unsigned i = 0; i < kBlock; ++i) {
    stops.offsets[stops.count] = static_cast<std::uint8_t>(i);
    stops.count += less(pivot, block_end[-1 - static_cast<std::ptrdiff_t>(i)]) ? 0 : 1;
  }
}

// Hoare's partition of [first, last); there are sentinels on both sides. Returns where the right
// part begins.
template <typename Entry>
Entry* partition(Entry* first, Entry* last, const Entry pivot) {
  Stops left;
  Stops right;
  // Whole blocks as long as the scans cannot meet within them.
  while (last - first > 2 * kBlock) {
    if (left.empty()) find_left(first, pivot, left);
    if (right.empty()) find_right(last, pivot, right);
    while (!left.empty() && !right.empty()) {
      std::swap(first[left.offsets[left.next++]], last[-1 - right.offsets[right.next++]]);
    }
    if (left.empty()) first += kBlock;
    if (right.empty()) last -= kBlock;
  }
  if (!left.empty()) first += left.offsets[left.next];
  if (!right.empty()) last -= right.offsets[right.next];
  while (true) {
    while (less(*first, pivot)) ++first;
    --last;
    while (less(pivot, *last)) --last;
    if (first >= last) return first;
    std::swap(*first, *last);
    ++first;
  }
}

template <typename Entry>
Entry* partition_by_median(Entry* first, Entry* last) {
  median_to_first(first, first + 1, first + (last - first) / 2, last - 1);
  return partition(first + 1, last, *first);
}

// What is left to sort: segments for which `wanted` holds.
template <typename Entry, typename Wanted>
void introsort(Entry* first, Entry* last, unsigned depth, const Wanted& wanted) {
  while (wanted(first, last)) {
    if (last - first <= kInsertionSize) return insertion_sort(first, last);
    if (depth == 0) return heap_sort(first, last);
    --depth;
    Entry* cut = partition_by_median(first, last);
    introsort(cut, last, depth, wanted);
    last = cut;
  }
}

}  // namespace

template <typename Entry>
void reference_sort(std::span<Entry> entries) {
  if (entries.empty()) return;
  Entry* first = entries.data();
  introsort(first, first + entries.size(), depth_limit(std::ssize(entries)),
            [](const Entry* from, const Entry* to) { return to - from > 1; });
}

template <typename Entry>
void reference_sort_to(std::span<Entry> entries, std::size_t low, std::size_t high) {
  if (entries.empty()) return;
  Entry* first = entries.data();
  const Entry* cuts[] = {first + low, first + high};
  introsort(first, first + entries.size(), depth_limit(std::ssize(entries)),
            [&cuts](const Entry* from, const Entry* to) {
              return (from < cuts[0] && cuts[0] < to) || (from < cuts[1] && cuts[1] < to);
            });
}

template <typename Entry>
void reference_top(std::span<Entry> entries, std::size_t count) {
  Entry* first = entries.data();
  Entry* last = first + entries.size();
  if (count * 64 <= entries.size()) {
    heap_select(first, first + count, last);
    return;
  }
  const Entry* nth = first + (count - 1);
  unsigned depth = depth_limit(std::ssize(entries));
  while (last - first > 3) {
    if (depth == 0) {
      heap_select(first, first + (nth - first) + 1, last);
      return;
    }
    --depth;
    Entry* cut = partition_by_median(first, last);
    if (cut <= nth) {
      first = cut;
    } else {
      last = cut;
    }
  }
  insertion_sort(first, last);
}

#define CRUCIBLE_INSTANTIATE(Entry)                                                   \
  template void reference_sort<Entry>(std::span<Entry>);                              \
  template void reference_sort_to<Entry>(std::span<Entry>, std::size_t, std::size_t); \
  template void reference_top<Entry>(std::span<Entry>, std::size_t)
CRUCIBLE_INSTANTIATE(Ranked);
CRUCIBLE_INSTANTIATE(WideRanked);
#undef CRUCIBLE_INSTANTIATE

}  // namespace crucible::method
