#include "merger/method/magnitude.hpp"

namespace crucible::method {
namespace {

// TIES (Yadav et al. 2023, arXiv:2306.01708): trim by magnitude, elect the sign of the weighted
// sum, merge what agrees with it.
class Ties : public TypedMethod<Ties> {
 public:
  bool accepts(std::size_t, bool has_base) const override { return has_base; }
  std::uint64_t statistics_bytes(std::size_t inputs) const override {
    return inputs * kHistogramBytes + kRescalingBytes;
  }
  std::uint64_t tensor_bytes(const TensorTask& task, std::uint64_t elements,
                             unsigned) const override {
    return ranking_bytes(task, elements);
  }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles, Mt19937&) const {
    auto vectors = read_task_vectors<A>(task, tiles.elements());
    vectors.elect_sign = true;
    std::vector<RankRange> ranges;
    for (const double density : vectors.densities)
      ranges.push_back(largest(density, tiles.elements()));
    auto sparsifier = prepare_ranked<A>(vectors, ranges, tiles, task.compatibility);
    if (!sparsifier) return fail(std::move(sparsifier.error()));
    vectors.sparsifier = std::move(*sparsifier);
    return rescale_and_apply<A>(std::move(vectors), tiles);
  }
};

}  // namespace

const MergeMethod& ties() {
  static const Ties kMethod;
  return kMethod;
}

}  // namespace crucible::method
