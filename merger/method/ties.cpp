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

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles, Mt19937&) const {
    auto vectors = read_task_vectors<A>(task, tiles.elements());
    vectors.elect_sign = true;
    auto sparsifier = prepare_magnitude<A>(vectors, tiles);
    if (!sparsifier) return fail(std::move(sparsifier.error()));
    vectors.sparsifier = std::move(*sparsifier);
    if (vectors.rescale) {
      if (auto status = compute_rescaling<A>(vectors, tiles); !status)
        return fail(std::move(status.error()));
    }
    return apply_task_vectors<A>(std::move(vectors));
  }
};

}  // namespace

const MergeMethod& ties() {
  static const Ties kMethod;
  return kMethod;
}

}  // namespace crucible::method
