#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

// Which of several equal keys comes first in the order of mergekit 0.1.5. Its sorts are torch's on
// a CPU, which are not stable: they are std::sort of libstdc++ over (value, index) pairs that
// compares values only, and for the largest k either std::nth_element or, below n / 64,
// std::partial_sort. The algorithms here make the same moves: introsort and introselect (Musser
// 1997, "Introspective sorting and selection algorithms") with the median of the second, middle and
// last element as pivot, Hoare's partition, a depth limit of 2 log2 n and insertion sort below 17
// elements. The standard library in use does not matter.
namespace crucible::method {

// A key of up to 32 bits and the element's number in one word.
struct Ranked {
  std::uint64_t bits;
  Ranked() = default;
  Ranked(std::uint32_t key, std::uint32_t index)
      : bits(static_cast<std::uint64_t>(key) << 32 | index) {}
  std::uint32_t key() const { return static_cast<std::uint32_t>(bits >> 32); }
  std::uint32_t index() const { return static_cast<std::uint32_t>(bits); }
};

// A key of 64 bits and the element's number.
struct WideRanked {
  std::uint64_t wide_key;
  std::uint64_t number;
  WideRanked() = default;
  WideRanked(std::uint64_t key, std::uint64_t index) : wide_key(key), number(index) {}
  std::uint64_t key() const { return wide_key; }
  std::uint64_t index() const { return number; }
};

// All by ascending key; a descending order is asked for by complemented keys. `Entry` is one of the
// two types above.

// Sorts as std::sort does.
template <typename Entry>
void reference_sort(std::span<Entry> entries);

// Does as much of that sort as decides which entries stand before each of the two cuts: afterwards
// the first `low` entries are, as a set, those that std::sort puts there, and so are the first
// `high`. Expected time is linear. low <= high <= entries.size().
template <typename Entry>
void reference_sort_to(std::span<Entry> entries, std::size_t low, std::size_t high);

// The first `count` entries afterwards are, as a set, torch.topk's choice. 0 < count <= size.
template <typename Entry>
void reference_top(std::span<Entry> entries, std::size_t count);

}  // namespace crucible::method
