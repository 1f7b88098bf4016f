#include <array>

#include "merger/method/task_vector.hpp"
#include "merger/tensor/simd.hpp"

// DARE (Yu et al. 2023, arXiv:2311.03099): each element of a difference survives with probability
// `density`. The draws are torch's: one 32-bit number of MT19937 an element, row-major, model after
// model; u = (x mod 2^24) / 2^24, kept when u < density. A model with density >= 1 draws nothing.
// Pruning and rescaling happen in float32, but in bfloat16 for bfloat16: a float64 difference that
// is pruned loses its lower bits.
namespace crucible::method {
namespace {

template <typename Value>
CRUCIBLE_CPU_LEVELS void zero_dropped(Value* delta, const std::uint32_t* draws, float density,
                                      std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const float u = static_cast<float>(static_cast<std::int32_t>(draws[i] & 0xFFFFFFU)) * 0x1p-24F;
    const auto kept = static_cast<Value>(static_cast<float>(delta[i]));
    delta[i] = u < density ? kept : Value{0};
  }
}

template <typename Value>
class RandomPruner : public Pruner<Value> {
 public:
  RandomPruner(const Mt19937& random, float density) : random_(random), density_(density) {}
  void prune(std::span<Value> delta) override {
    std::array<std::uint32_t, 2048> draws;
    while (!delta.empty()) {
      const std::size_t size = std::min(draws.size(), delta.size());
      random_.draw(std::span(draws).first(size));
      zero_dropped<Value>(delta.data(), draws.data(), density_, size);
      delta = delta.subspan(size);
    }
  }

 private:
  Mt19937 random_;
  float density_;
};

// Remembers where in the stream each tile begins, so that tiles can be drawn in any order and more
// than once: 2.5 kB a tile instead of a mask.
template <typename Value>
class RandomSparsifier : public Sparsifier<Value> {
 public:
  // probabilities: the densities as numbers of the type that is pruned in.
  RandomSparsifier(std::span<const double> densities, std::vector<float> probabilities,
                   const Tiles<Value>& tiles, Mt19937& random)
      : probabilities_(std::move(probabilities)), starts_(densities.size()) {
    for (std::size_t m = 0; m < densities.size(); ++m) {
      if (densities[m] >= 1) continue;
      for (std::uint64_t tile = 0; tile < tiles.count(); ++tile) {
        starts_[m].push_back(random);
        const std::uint64_t left = tiles.elements() - tile * tiles.tile_elements();
        random.skip(std::min<std::uint64_t>(tiles.tile_elements(), left));
      }
    }
  }
  std::unique_ptr<Pruner<Value>> begin(std::size_t model, std::uint64_t tile) const override {
    if (starts_[model].empty()) return nullptr;
    return std::make_unique<RandomPruner<Value>>(starts_[model][tile], probabilities_[model]);
  }

 private:
  std::vector<float> probabilities_;
  std::vector<std::vector<Mt19937>> starts_;  // [model][tile]
};

template <typename A>
struct PruneIn {
  using Type = F32;
};
template <>
struct PruneIn<BF16> {
  using Type = BF16;
};

class Dare : public TypedMethod<Dare> {
 public:
  explicit Dare(bool elect_sign) : elect_sign_(elect_sign) {}
  bool accepts(std::size_t, bool has_base) const override { return has_base; }
  std::uint64_t statistics_bytes(std::size_t) const override { return kRescalingBytes; }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles,
                                              Mt19937& random) const {
    using Value = typename A::Value;
    using In = typename PruneIn<A>::Type;
    auto vectors = read_task_vectors<A>(task, tiles.elements());
    vectors.elect_sign = elect_sign_;
    std::vector<float> probabilities;
    for (const double density : vectors.densities) {
      probabilities.push_back(coefficient<In>(density));
    }
    vectors.sparsifier = std::make_shared<const RandomSparsifier<Value>>(
        vectors.densities, std::move(probabilities), tiles, random);
    if (vectors.rescale) {
      if (auto status = compute_rescaling<A, In>(vectors, tiles); !status)
        return fail(std::move(status.error()));
    }
    return apply_task_vectors<A>(std::move(vectors));
  }

 private:
  bool elect_sign_;
};

}  // namespace

const MergeMethod& dare_linear() {
  static const Dare kMethod(false);
  return kMethod;
}

const MergeMethod& dare_ties() {
  static const Dare kMethod(true);
  return kMethod;
}

}  // namespace crucible::method
