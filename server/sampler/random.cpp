#include "server/sampler/random.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "server/sampler/normal.hpp"

namespace crucible::server::sampler {
namespace {

constexpr std::uint64_t kMultiplier0 = 0xD2511F53;
constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;

std::uint32_t low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }
std::uint32_t high(std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); }

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0];
    const std::uint64_t product1 = kMultiplier1 * counter[2];
    counter = {high(product1) ^ counter[1] ^ key[0], low(product1),
               high(product0) ^ counter[3] ^ key[1], low(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

std::uint64_t Random::next() {
  const auto block = philox({low(position_), high(position_), 0, 0}, {low(seed_), high(seed_)});
  ++position_;
  return (std::uint64_t{block[1]} << 32) | block[0];
}

double Random::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

// Midpoints of 2^52 equal cells, so that neither 0 nor 1 is ever inverted.
double Random::normal() {
  return normal_quantile((static_cast<double>(next() >> 12) + 0.5) * 0x1p-52);
}

std::size_t Random::below(std::size_t n) {
  return std::min(static_cast<std::size_t>(uniform() * static_cast<double>(n)), n - 1);
}

std::vector<std::size_t> Random::permutation(std::size_t n) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[below(i)]);
  return order;
}

}  // namespace crucible::server::sampler
