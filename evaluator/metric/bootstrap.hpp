#pragma once

#include <cstddef>
#include <functional>
#include <span>

namespace crucible::metric {

// A statistic of a resample, given as indices into the items.
using Statistic = std::function<double(std::span<const std::size_t> indices)>;

// Standard error by resampling items with replacement, as lm_eval.api.metrics.bootstrap_stderr does
// it: chunks of at most 1000 replicates, chunk i drawn by random.Random(i).choices, then the sample
// standard deviation of the replicates. Chunks run on all cores; the result does not depend on how
// many there are. `items` is at least 1.
double bootstrap_stderr(const Statistic& statistic, std::size_t items, std::size_t replicates);

}  // namespace crucible::metric
