#include "merger/method/magnitude.hpp"

namespace crucible::method {
namespace {

// Model Breadcrumbs (Davari and Belilovsky 2023, arXiv:2312.06795): differences without the
// greatest and the least, then a weighted sum or TIES sign election.
class Breadcrumbs : public TypedMethod<Breadcrumbs> {
 public:
  explicit Breadcrumbs(bool elect_sign) : elect_sign_(elect_sign) {}
  bool accepts(std::size_t, bool has_base) const override { return has_base; }
  std::uint64_t statistics_bytes(std::size_t inputs) const override {
    return 2 * inputs * kHistogramBytes + kRescalingBytes;
  }
  std::uint64_t tensor_bytes(const TensorTask& task, std::uint64_t elements,
                             unsigned) const override {
    return ranking_bytes(task, elements);
  }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles, Mt19937&) const {
    auto vectors = read_task_vectors<A>(task, tiles.elements());
    vectors.elect_sign = elect_sign_;
    std::vector<RankRange> ranges;
    for (std::size_t m = 0; m < vectors.models.size(); ++m) {
      const double gamma = task.models[vectors.models[m]].number("gamma");
      ranges.push_back(without_extremes(vectors.densities[m], gamma, tiles.elements()));
    }
    auto sparsifier = prepare_ranked<A>(vectors, ranges, tiles, task.compatibility);
    if (!sparsifier) return fail(std::move(sparsifier.error()));
    vectors.sparsifier = std::move(*sparsifier);
    return rescale_and_apply<A>(std::move(vectors), tiles);
  }

 private:
  bool elect_sign_;
};

}  // namespace

const MergeMethod& breadcrumbs() {
  static const Breadcrumbs kMethod(false);
  return kMethod;
}

const MergeMethod& breadcrumbs_ties() {
  static const Breadcrumbs kMethod(true);
  return kMethod;
}

}  // namespace crucible::method
