#include <array>

#include "merger/method/pruning_draws.hpp"
#include "merger/tensor/simd.hpp"

// DARE (Yu et al. 2023, arXiv:2311.03099): each element of a difference survives with probability
// `density`. A model with density >= 1 draws nothing.
namespace crucible::method {
namespace {

template <typename Value>
CRUCIBLE_CPU_LEVELS void zero_dropped(Value* delta, const std::uint32_t* draws, float density,
                                      std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto kept = static_cast<Value>(static_cast<float>(delta[i]));
    delta[i] = uniform_of(draws[i]) < density ? kept : Value{0};
  }
}

template <typename Value>
class RandomPruner : public Pruner<Value> {
 public:
  RandomPruner(const Mt19937& random, float density) : random_(random), density_(density) {}
  void prune(std::span<Value> delta) override {
    alignas(64) std::array<std::uint32_t, kPieceElements> draws;
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

template <typename Value>
class RandomSparsifier : public Sparsifier<Value> {
 public:
  // probabilities: the densities as numbers of the type that is pruned in.
  RandomSparsifier(PruningDraws draws, std::vector<float> probabilities)
      : draws_(std::move(draws)), probabilities_(std::move(probabilities)) {}
  std::unique_ptr<Pruner<Value>> begin(std::size_t model, std::uint64_t tile) const override {
    if (!draws_.has(model)) return nullptr;
    return std::make_unique<RandomPruner<Value>>(draws_.start(model, tile), probabilities_[model]);
  }

 private:
  PruningDraws draws_;
  std::vector<float> probabilities_;
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
    std::vector<bool> draws;
    for (const double density : vectors.densities) {
      probabilities.push_back(coefficient<In>(density));
      draws.push_back(density < 1);
    }
    vectors.sparsifier = std::make_shared<const RandomSparsifier<Value>>(
        PruningDraws(draws, tiles.elements(), tiles.tile_elements(), random),
        std::move(probabilities));
    return rescale_and_apply<A, In>(std::move(vectors), tiles);
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
