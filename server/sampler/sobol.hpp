#pragma once

#include <cstdint>
#include <vector>

// The Sobol sequence, by point index.
namespace crucible::server::sampler {

// Point `index` of the sequence in base 2, direction numbers of Joe and Kuo ("Constructing Sobol
// sequences with better two-dimensional projections", SIAM J. Sci. Comput. 30, 2008), in Gray code
// order: every coordinate's first 32 binary digits. Index 0 is the origin. At most 1000 dimensions.
std::vector<std::uint32_t> sobol_point(std::size_t dimensions, std::uint64_t index);

// Nested uniform scrambling of 32 digits by a hash: Burley, "Practical Hash-based Owen Scrambling",
// JCGT 9(4), 2020, with the constants of Vegdahl. A bijection that keeps every dyadic interval
// together.
std::uint32_t owen_scramble(std::uint32_t digits, std::uint32_t seed);

}  // namespace crucible::server::sampler
