#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace crucible::method {

// A key of up to 16 bits and an index below 2^16.
struct SmallRanked {
  std::uint32_t bits;
  SmallRanked() = default;
  SmallRanked(std::uint32_t key, std::uint32_t index) : bits(key << 16 | index) {}
  std::uint32_t key() const { return bits >> 16; }
  std::uint32_t index() const { return bits & 0xFFFFU; }
};

// Calls visit(rank, entry) for every entry, its rank by ascending key; among equal keys in the
// order in which they stand. Counts digits of 8 bits from the lowest. `key_bits`: how many lower
// bits of the keys are in use. Reorders the entries; `other` is room that is grown as needed.
template <unsigned key_bits, typename Entry, typename Visit>
void radix_rank(std::span<Entry> entries, std::vector<Entry>& other, const Visit& visit) {
  constexpr unsigned kDigitBits = 8;
  constexpr unsigned kDigits = (key_bits + kDigitBits - 1) / kDigitBits;
  const auto digit = [](const Entry& entry, unsigned number) {
    return static_cast<std::size_t>(entry.key() >> (number * kDigitBits) & 0xFFU);
  };
  std::array<std::array<std::uint32_t, 1U << kDigitBits>, kDigits> places{};
  for (const Entry& entry : entries) {
    for (unsigned number = 0; number < kDigits; ++number) ++places[number][digit(entry, number)];
  }
  for (auto& counts : places) {
    std::uint32_t next = 0;
    for (std::uint32_t& place : counts) next += std::exchange(place, next);
  }
  other.resize(entries.size());
  std::span<Entry> from = entries;
  std::span<Entry> to(other);
  for (unsigned number = 0; number + 1 < kDigits; ++number) {
    for (const Entry& entry : from) to[places[number][digit(entry, number)]++] = entry;
    std::swap(from, to);
  }
  for (const Entry& entry : from) visit(places[kDigits - 1][digit(entry, kDigits - 1)]++, entry);
}

}  // namespace crucible::method
