#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "merger/method/magnitude_selection.hpp"
#include "merger/method/task_vector.hpp"

// Pruning by magnitude: of each model's differences, those whose |delta| has a rank within a range
// survive. Magnitudes are compared as float32.
namespace crucible::method {

// The k = trunc(density * n) largest (TIES): at least one when density > 0, everything from 1 on.
RankRange largest(double density, std::uint64_t elements);

// Without the trunc(gamma * n) largest and so many of the smallest that trunc(density * n) are
// left, as far as that is possible (Model Breadcrumbs); everything from density 1 on.
RankRange without_extremes(double density, double gamma, std::uint64_t elements);

// One range a model. Tensor memory: ranking_bytes.
template <typename A>
Result<std::shared_ptr<const Sparsifier<typename A::Value>>> prepare_ranked(
    const TaskVectors<A>& vectors, std::span<const RankRange> ranges,
    Tiles<typename A::Value>& tiles, Compatibility compatibility);

std::uint64_t ranking_bytes(const TensorTask& task, std::uint64_t elements);

}  // namespace crucible::method
