#include "merger/method/magnitude.hpp"

#include <bit>
#include <cmath>

#include "merger/tensor/simd.hpp"

namespace crucible::method {
namespace {

constexpr std::uint32_t kMagnitudeMask = 0x7FFFFFFFU;
constexpr unsigned kLowBits = 15;  // the second histogram's; the first has the upper 16 of 31 bits
constexpr std::size_t kHighBins = 1U << 16;
constexpr std::size_t kLowBins = 1U << kLowBits;

template <typename Value>
std::uint32_t magnitude_bits(Value value) {
  return std::bit_cast<std::uint32_t>(static_cast<float>(value)) & kMagnitudeMask;
}

using Histogram = std::vector<std::uint64_t>;

// Where the k-th largest entry lies: its bin, and how many of the bin's entries are among the k.
struct Rank {
  std::uint32_t bin = 0;
  std::uint64_t within = 0;
};
Rank find_rank(const Histogram& counts, std::uint64_t k) {
  std::uint64_t left = k;
  for (std::size_t bin = counts.size(); bin-- > 0;) {
    if (left <= counts[bin]) return {static_cast<std::uint32_t>(bin), left};
    left -= counts[bin];
  }
  return {0, left};
}

template <typename Value>
CRUCIBLE_CPU_LEVELS std::uint64_t count_equal(const Value* delta, std::uint32_t bits,
                                              std::size_t count) {
  std::uint64_t equal = 0;
  for (std::size_t i = 0; i < count; ++i) equal += magnitude_bits(delta[i]) == bits ? 1 : 0;
  return equal;
}

template <typename Value>
CRUCIBLE_CPU_LEVELS void zero_below(Value* delta, std::uint32_t bits, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    delta[i] = magnitude_bits(delta[i]) >= bits ? delta[i] : Value{0};
}

template <typename Value>
class MagnitudePruner : public Pruner<Value> {
 public:
  // `quota`: how many elements of exactly the threshold this tile may keep.
  MagnitudePruner(const MagnitudeThreshold& threshold, std::uint64_t quota)
      : threshold_(threshold), quota_(quota) {}

  void prune(std::span<Value> delta) override {
    if (threshold_.keeps_none) {
      std::ranges::fill(delta, Value{0});
      return;
    }
    zero_below<Value>(delta.data(), threshold_.bits, delta.size());
    const std::uint64_t equal = count_equal<Value>(delta.data(), threshold_.bits, delta.size());
    if (equal <= quota_) {
      quota_ -= equal;
      return;
    }
    for (Value& value : delta) {
      if (magnitude_bits(value) != threshold_.bits) continue;
      if (quota_ > 0) {
        --quota_;
      } else {
        value = Value{0};
      }
    }
  }

 private:
  const MagnitudeThreshold& threshold_;
  std::uint64_t quota_;
};

template <typename Value>
class MagnitudeSparsifier : public Sparsifier<Value> {
 public:
  explicit MagnitudeSparsifier(std::vector<MagnitudeThreshold> thresholds)
      : thresholds_(std::move(thresholds)) {}
  std::unique_ptr<Pruner<Value>> begin(std::size_t model, std::uint64_t tile) const override {
    const MagnitudeThreshold& threshold = thresholds_[model];
    if (threshold.keeps_all) return nullptr;
    const std::uint64_t before = threshold.keeps_none ? 0 : threshold.equals_before[tile];
    const std::uint64_t quota = threshold.equals_kept > before ? threshold.equals_kept - before : 0;
    return std::make_unique<MagnitudePruner<Value>>(threshold, quota);
  }

 private:
  std::vector<MagnitudeThreshold> thresholds_;
};

// One pass that adds every |delta| of the models that need it to per-worker histograms.
// bin_of(model, bits) gives the bin, or `bins` for "does not count".
template <typename A, typename BinOf>
Result<std::vector<Histogram>> histograms(const TaskVectors<A>& vectors,
                                          Tiles<typename A::Value>& tiles,
                                          const std::vector<MagnitudeThreshold>& thresholds,
                                          std::size_t bins, const BinOf& bin_of) {
  using Value = typename A::Value;
  const std::size_t models = vectors.models.size();
  std::vector<std::vector<Histogram>> counts(tiles.workers(), std::vector<Histogram>(models));
  auto status = tiles.scan([&](unsigned worker, const Tile<Value>& tile) {
    for (std::size_t m = 0; m < models; ++m) {
      if (thresholds[m].keeps_all || thresholds[m].keeps_none) continue;
      Histogram& histogram = counts[worker][m];
      histogram.resize(bins + 1);
      for_each_delta<A>(vectors, tile, m, 0, tile.count, [&](std::size_t, std::span<Value> delta) {
        for (const Value value : delta) ++histogram[bin_of(m, magnitude_bits(value))];
      });
    }
  });
  if (!status) return fail(std::move(status.error()));
  std::vector<Histogram> total(models, Histogram(bins));
  for (const auto& worker : counts) {
    for (std::size_t m = 0; m < models; ++m) {
      for (std::size_t bin = 0; !worker[m].empty() && bin < bins; ++bin)
        total[m][bin] += worker[m][bin];
    }
  }
  return total;
}

template <typename A>
Status find_thresholds(const TaskVectors<A>& vectors, Tiles<typename A::Value>& tiles,
                       std::vector<MagnitudeThreshold>& thresholds) {
  const std::size_t models = vectors.models.size();
  const auto high = histograms<A>(vectors, tiles, thresholds, kHighBins,
                                  [](std::size_t, std::uint32_t bits) { return bits >> kLowBits; });
  if (!high) return fail(high.error());
  std::vector<Rank> ranks(models);
  for (std::size_t m = 0; m < models; ++m) {
    ranks[m] = find_rank((*high)[m], kept_count(vectors.densities[m], vectors.elements));
  }
  const auto low = histograms<A>(
      vectors, tiles, thresholds, kLowBins, [&ranks](std::size_t m, std::uint32_t bits) {
        return bits >> kLowBits == ranks[m].bin ? bits & (kLowBins - 1)
                                                : static_cast<std::uint32_t>(kLowBins);
      });
  if (!low) return fail(low.error());
  for (std::size_t m = 0; m < models; ++m) {
    const Rank rank = find_rank((*low)[m], ranks[m].within);
    thresholds[m].bits = ranks[m].bin << kLowBits | rank.bin;
    thresholds[m].equals_kept = rank.within;
  }
  return {};
}

// Equals in each tile, then in all tiles before it.
template <typename A>
Status count_equals(const TaskVectors<A>& vectors, Tiles<typename A::Value>& tiles,
                    std::vector<MagnitudeThreshold>& thresholds) {
  using Value = typename A::Value;
  for (MagnitudeThreshold& threshold : thresholds) threshold.equals_before.assign(tiles.count(), 0);
  if (tiles.count() > 1) {
    auto status = tiles.scan([&](unsigned, const Tile<Value>& tile) {
      for (std::size_t m = 0; m < thresholds.size(); ++m) {
        std::uint64_t equal = 0;
        for_each_delta<A>(
            vectors, tile, m, 0, tile.count, [&](std::size_t, std::span<Value> delta) {
              equal += count_equal<Value>(delta.data(), thresholds[m].bits, delta.size());
            });
        thresholds[m].equals_before[tile.index] = equal;
      }
    });
    if (!status) return status;
  }
  for (MagnitudeThreshold& threshold : thresholds) {
    std::uint64_t before = 0;
    for (std::uint64_t& tile : threshold.equals_before) before += std::exchange(tile, before);
  }
  return {};
}

}  // namespace

std::uint64_t kept_count(double density, std::uint64_t elements) {
  if (density <= 0 || elements == 0) return 0;
  const auto kept = static_cast<std::uint64_t>(density * static_cast<double>(elements));
  return std::clamp<std::uint64_t>(kept, 1, elements);
}

template <typename A>
Result<std::shared_ptr<const Sparsifier<typename A::Value>>> prepare_magnitude(
    const TaskVectors<A>& vectors, Tiles<typename A::Value>& tiles) {
  using Value = typename A::Value;
  std::vector<MagnitudeThreshold> thresholds(vectors.models.size());
  bool any = false;
  for (std::size_t m = 0; m < thresholds.size(); ++m) {
    thresholds[m].keeps_all = vectors.densities[m] >= 1;
    thresholds[m].keeps_none = vectors.densities[m] <= 0;
    any = any || (!thresholds[m].keeps_all && !thresholds[m].keeps_none);
  }
  if (any) {
    auto status = find_thresholds<A>(vectors, tiles, thresholds);
    if (status) status = count_equals<A>(vectors, tiles, thresholds);
    if (!status) return fail(std::move(status.error()));
  }
  return std::make_shared<const MagnitudeSparsifier<Value>>(std::move(thresholds));
}

template Result<std::shared_ptr<const Sparsifier<double>>> prepare_magnitude<F64>(
    const TaskVectors<F64>&, Tiles<double>&);
template Result<std::shared_ptr<const Sparsifier<float>>> prepare_magnitude<F32>(
    const TaskVectors<F32>&, Tiles<float>&);
template Result<std::shared_ptr<const Sparsifier<float>>> prepare_magnitude<BF16>(
    const TaskVectors<BF16>&, Tiles<float>&);
template Result<std::shared_ptr<const Sparsifier<float>>> prepare_magnitude<F16>(
    const TaskVectors<F16>&, Tiles<float>&);

}  // namespace crucible::method
