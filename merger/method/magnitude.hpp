#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "merger/method/task_vector.hpp"

// Pruning by magnitude: the k = trunc(density * n) elements of largest |delta| survive, at least
// one when density > 0. The k-th magnitude is found exactly by two histograms over the bits of
// |delta| as float32 (whose order is the numbers' order). Among equals at the threshold, lower
// indices are kept.
namespace crucible::method {

// What decides for one model: greater magnitudes are kept, equal ones while the tile's quota lasts.
struct MagnitudeThreshold {
  bool keeps_all = false;
  bool keeps_none = false;
  std::uint32_t bits = 0;                    // of the k-th largest magnitude
  std::uint64_t equals_kept = 0;             // how many of exactly that magnitude survive
  std::vector<std::uint64_t> equals_before;  // one a tile: equals in the tiles before it
};

// What the search for one model's threshold takes in each worker.
inline constexpr std::uint64_t kHistogramBytes = ((1U << 16) + 1) * sizeof(std::uint64_t);

// Number of elements that survive.
std::uint64_t kept_count(double density, std::uint64_t elements);

template <typename A>
Result<std::shared_ptr<const Sparsifier<typename A::Value>>> prepare_magnitude(
    const TaskVectors<A>& vectors, Tiles<typename A::Value>& tiles);

}  // namespace crucible::method
