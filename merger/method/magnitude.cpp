#include "merger/method/magnitude.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "merger/method/magnitude_key.hpp"
#include "merger/tensor/simd.hpp"

namespace crucible::method {
namespace {

template <typename A>
CRUCIBLE_CPU_LEVELS void keys_of(const typename A::Value* values, std::uint32_t* keys,
                                 std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) keys[i] = Float32Key<A>::of(values[i]);
}

template <typename A>
CRUCIBLE_CPU_LEVELS void keys_of_difference(const typename A::Value* a, const typename A::Value* b,
                                            std::uint32_t* keys, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) keys[i] = Float32Key<A>::of(A::round(a[i] - b[i]));
}

template <typename A>
class RankPruner : public Pruner<typename A::Value> {
 public:
  using Value = typename A::Value;
  RankPruner(const Selection<std::uint32_t>& selection, std::uint64_t tile, std::uint64_t first)
      : cursor_(selection, tile, first) {}

  void prune(std::span<Value> delta) override {
    alignas(64) std::array<std::uint32_t, kPieceElements> keys;
    alignas(64) std::array<std::uint8_t, kPieceElements> keep;
    while (!delta.empty()) {
      const std::size_t size = std::min(keys.size(), delta.size());
      keys_of<A>(delta.data(), keys.data(), size);
      cursor_.mark(std::span(keys).first(size), keep.data());
      zero_unmarked<Value>(delta.data(), keep.data(), size);
      delta = delta.subspan(size);
    }
  }

 private:
  SelectionCursor<std::uint32_t> cursor_;
};

template <typename A>
class RankSparsifier : public Sparsifier<typename A::Value> {
 public:
  using Value = typename A::Value;
  RankSparsifier(std::vector<Selection<std::uint32_t>> selections, std::size_t tile_elements)
      : selections_(std::move(selections)), tile_elements_(tile_elements) {}
  std::unique_ptr<Pruner<Value>> begin(std::size_t model, std::uint64_t tile) const override {
    if (selections_[model].keeps_all) return nullptr;
    return std::make_unique<RankPruner<A>>(selections_[model], tile, tile * tile_elements_);
  }

 private:
  std::vector<Selection<std::uint32_t>> selections_;
  std::size_t tile_elements_;
};

// trunc(share * elements) as a signed number, kept in a range in which sums do not overflow.
std::int64_t truncated_share(double share, std::uint64_t elements) {
  constexpr double kBound = 0x1p60;
  return static_cast<std::int64_t>(
      std::clamp(share * static_cast<double>(elements), -kBound, kBound));
}

}  // namespace

RankRange largest(double density, std::uint64_t elements) {
  RankRange range{RankOrder::kDescending, 0, elements};
  if (density >= 1) return range;
  const std::int64_t kept = truncated_share(density, elements);
  range.end = density > 0 ? static_cast<std::uint64_t>(std::max<std::int64_t>(kept, 1)) : 0;
  return range;
}

RankRange without_extremes(double density, double gamma, std::uint64_t elements) {
  RankRange range{RankOrder::kAscending, 0, elements};
  if (density >= 1) return range;
  const std::int64_t kept = std::max<std::int64_t>(truncated_share(density, elements), 0);
  const std::int64_t top = truncated_share(gamma, elements);
  const std::int64_t bottom =
      std::max<std::int64_t>(static_cast<std::int64_t>(elements) - kept - top, 0);
  range.begin = static_cast<std::uint64_t>(bottom);
  range.end = static_cast<std::uint64_t>(bottom + kept);
  return range;
}

template <typename A>
Result<std::shared_ptr<const Sparsifier<typename A::Value>>> prepare_ranked(
    const TaskVectors<A>& vectors, std::span<const RankRange> ranges,
    Tiles<typename A::Value>& tiles, Compatibility compatibility) {
  using Value = typename A::Value;
  const FillKeys<Value, std::uint32_t> fill = [&vectors](const Tile<Value>& tile, std::size_t model,
                                                         std::size_t offset,
                                                         std::span<std::uint32_t> keys) {
    keys_of_difference<A>(tile.inputs[vectors.models[model]] + offset,
                          tile.inputs[vectors.base] + offset, keys.data(), keys.size());
  };
  auto selections = select_ranks<Value, std::uint32_t>(tiles, ranges, Float32Key<A>::kBits,
                                                       compatibility, ReferenceChoice::kSort, fill);
  if (!selections) return fail(std::move(selections.error()));
  return std::make_shared<const RankSparsifier<A>>(std::move(*selections), tiles.tile_elements());
}

std::uint64_t ranking_bytes(const TensorTask& task, std::uint64_t elements) {
  if (task.compatibility != Compatibility::kMergekit || task.models.empty()) return 0;
  return selection_bytes(task.models.size() - 1, elements, sizeof(std::uint32_t));
}

#define CRUCIBLE_INSTANTIATE(A)                                                   \
  template Result<std::shared_ptr<const Sparsifier<A::Value>>> prepare_ranked<A>( \
      const TaskVectors<A>&, std::span<const RankRange>, Tiles<A::Value>&, Compatibility)
CRUCIBLE_INSTANTIATE(F64);
CRUCIBLE_INSTANTIATE(F32);
CRUCIBLE_INSTANTIATE(BF16);
CRUCIBLE_INSTANTIATE(F16);
#undef CRUCIBLE_INSTANTIATE

}  // namespace crucible::method
