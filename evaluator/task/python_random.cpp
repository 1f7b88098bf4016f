#include "evaluator/task/python_random.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <span>
#include <unordered_set>

namespace crucible::task {
namespace {

constexpr std::size_t kWords = 624;

// init_by_array of the Mersenne Twister's authors, as a seed sequence: std::mt19937 takes the
// state it writes as it is.
class ArraySeed {
 public:
  using result_type = std::uint32_t;  // NOLINT(readability-identifier-naming): std asks for it
  explicit ArraySeed(std::vector<std::uint32_t> key) : key_(std::move(key)) {}

  template <typename Iterator>
  void generate(Iterator begin, Iterator end) const {
    std::array<std::uint32_t, kWords> state{};
    state[0] = 19650218U;
    for (std::size_t i = 1; i < kWords; ++i) {
      state[i] =
          1812433253U * (state[i - 1] ^ (state[i - 1] >> 30)) + static_cast<std::uint32_t>(i);
    }
    std::size_t i = 1;
    std::size_t j = 0;
    const auto next = [&] {
      if (++i < kWords) return;
      state[0] = state[kWords - 1];
      i = 1;
    };
    for (std::size_t k = std::max(kWords, key_.size()); k > 0; --k) {
      state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) * 1664525U)) + key_[j] +
                 static_cast<std::uint32_t>(j);
      next();
      if (++j == key_.size()) j = 0;
    }
    for (std::size_t k = kWords - 1; k > 0; --k) {
      state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) * 1566083941U)) -
                 static_cast<std::uint32_t>(i);
      next();
    }
    state[0] = 0x80000000U;
    std::copy(state.begin(), state.begin() + (end - begin), begin);
  }

 private:
  std::vector<std::uint32_t> key_;
};

std::mt19937 seeded(std::vector<std::uint32_t> key) {
  while (key.size() > 1 && key.back() == 0) key.pop_back();
  ArraySeed seed(std::move(key));
  return std::mt19937(seed);
}

// An integer's bytes, most significant first, as 32-bit words from the least significant on.
std::vector<std::uint32_t> words_of(std::span<const unsigned char> big_endian) {
  std::vector<std::uint32_t> words((big_endian.size() + 3) / 4);
  for (std::size_t i = 0; i < big_endian.size(); ++i) {
    const std::size_t place = big_endian.size() - 1 - i;
    words[place / 4] |= static_cast<std::uint32_t>(big_endian[i]) << (8 * (place % 4));
  }
  return words;
}

// Text and its SHA-512 read as one big integer (Lib/random.py, seed version 2).
std::vector<std::uint32_t> text_key(std::string_view text) {
  std::vector<unsigned char> bytes(text.begin(), text.end());
  std::array<unsigned char, SHA512_DIGEST_LENGTH> digest{};
  SHA512(bytes.data(), bytes.size(), digest.data());
  bytes.insert(bytes.end(), digest.begin(), digest.end());
  return words_of(bytes);
}

}  // namespace

PythonRandom::PythonRandom(std::uint64_t seed)
    : generator_(
          seeded({static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)})) {}

PythonRandom::PythonRandom(std::string_view text) : generator_(seeded(text_key(text))) {}

double PythonRandom::random() {
  const double high = word() >> 5;
  const double low = word() >> 6;
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

std::uint64_t PythonRandom::getrandbits(unsigned bits) {
  if (bits <= 32) return word() >> (32 - bits);
  const std::uint64_t low = word();
  return low | static_cast<std::uint64_t>(word() >> (64 - bits)) << 32;
}

std::uint64_t PythonRandom::below(std::uint64_t bound) {
  const auto bits = static_cast<unsigned>(std::bit_width(bound));
  std::uint64_t value = getrandbits(bits);
  while (value >= bound) value = getrandbits(bits);
  return value;
}

std::vector<std::size_t> PythonRandom::sample(std::size_t n, std::size_t k) {
  std::vector<std::size_t> drawn;
  drawn.reserve(k);
  double set_size = 21;  // below it a list is smaller than a set
  if (k > 5) set_size += std::pow(4, std::ceil(std::log(static_cast<double>(k) * 3) / std::log(4)));
  if (static_cast<double>(n) <= set_size) {
    std::vector<std::size_t> pool(n);
    std::iota(pool.begin(), pool.end(), std::size_t{0});
    for (std::size_t i = 0; i < k; ++i) {
      const auto j = static_cast<std::size_t>(below(n - i));
      drawn.push_back(pool[j]);
      pool[j] = pool[n - i - 1];
    }
    return drawn;
  }
  std::unordered_set<std::size_t> seen;
  while (drawn.size() < k) {
    const auto j = static_cast<std::size_t>(below(n));
    if (seen.insert(j).second) drawn.push_back(j);
  }
  return drawn;
}

std::vector<std::size_t> PythonRandom::choices(std::size_t n, std::size_t k) {
  std::vector<std::size_t> drawn(k);
  for (std::size_t& index : drawn) {
    index = static_cast<std::size_t>(random() * static_cast<double>(n));
  }
  return drawn;
}

std::vector<std::size_t> numpy_permutation(std::uint32_t seed, std::size_t n) {
  std::mt19937 generator(seed);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = n; i-- > 1;) {
    const std::uint32_t mask = std::bit_ceil(static_cast<std::uint32_t>(i) + 1U) - 1U;
    std::uint32_t j = static_cast<std::uint32_t>(generator()) & mask;
    while (j > i) j = static_cast<std::uint32_t>(generator()) & mask;
    std::swap(order[i], order[j]);
  }
  return order;
}

}  // namespace crucible::task
