#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace crucible::server::sampler {

// The Philox4x32-10 block function: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
// SC'11. Any counter may be asked for, in any order.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key);

// A counter-based generator. Its whole state is two numbers, the seed and how many numbers were
// drawn, so a stored sampler continues its stream exactly. The conversions to floating point are
// its own: those of <random> differ between standard libraries. Not for secrets; one thread.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t position = 0)
      : seed_(seed), position_(position) {}

  std::uint64_t next();              // all 64 bits uniform
  double uniform();                  // in [0, 1), a multiple of 2^-53
  double normal();                   // mean 0, variance 1, by inversion: one draw each
  std::size_t below(std::size_t n);  // in [0, n); n at least 1
  bool flip(double probability) { return uniform() < probability; }
  std::vector<std::size_t> permutation(std::size_t n);  // of 0 .. n-1, by Fisher and Yates

  std::uint64_t seed() const { return seed_; }
  std::uint64_t position() const { return position_; }

 private:
  std::uint64_t seed_;
  std::uint64_t position_;
};

}  // namespace crucible::server::sampler
