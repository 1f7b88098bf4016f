#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "merger/method/method.hpp"
#include "merger/method/offsets.hpp"
#include "merger/tensor/simd.hpp"

// Consensus task arithmetic with TALL masks (Wang et al. 2024, arXiv:2405.07813). With the weighted
// differences tau_i = w_i (x_i - base) and their sum tau, the mask of a model marks the elements
// that matter to it,
//   m_i = |tau_i| >= mask_threshold_i * |tau - tau_i|     (the paper's lambda_t)
// and elements that fewer than `least_masks` masks mark (the paper's k) are useless to all but a
// few and dropped:  out = base + lambda * tau where sum_i m_i >= least_masks, else base.
// Every operation rounds to the work type.
namespace crucible::method {
namespace {

template <typename A>
CRUCIBLE_CPU_LEVELS void count_masks(const typename A::Value* vector, const typename A::Value* sum,
                                     typename A::Value threshold, std::uint32_t* masks,
                                     std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto others = std::abs(A::round(sum[i] - vector[i]));
    masks[i] += std::abs(vector[i]) >= A::round(threshold * others) ? 1 : 0;
  }
}

template <typename Value>
CRUCIBLE_CPU_LEVELS void drop_rare(Value* values, const std::uint32_t* masks, double least,
                                   std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<double>(masks[i]) >= least ? values[i] : Value{0};
  }
}

class ConsensusTaskArithmetic : public TypedMethod<ConsensusTaskArithmetic> {
 public:
  bool accepts(std::size_t, bool has_base) const override { return has_base; }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles, Mt19937&) const {
    using Value = typename A::Value;
    const Offsets<A> vectors(task);
    const std::size_t models = vectors.count();
    if (models == 0) return copy_input<Value>(0);
    std::vector<Value> weights;
    std::vector<Value> thresholds;
    for (std::size_t m = 0; m < models; ++m) {
      const ParameterValues& own = task.models[vectors.input(m)];
      weights.push_back(static_cast<Value>(own.number("weight")));
      thresholds.push_back(static_cast<Value>(own.number("mask_threshold")));
    }
    const auto lambda = static_cast<Value>(task.shared.number("lambda"));
    const double least = task.shared.number("least_masks");
    const RowSum<A> sum(models, tiles.elements());
    return [=](const Tile<Value>& tile, Value* out) {
      std::vector<Value> room(models * kPiece);
      std::vector<const Value*> rows;
      for (std::size_t m = 0; m < models; ++m) rows.push_back(room.data() + m * kPiece);
      for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
        std::array<std::uint32_t, kPiece> masks{};
        Value* result = out + offset;
        for (std::size_t m = 0; m < models; ++m) {
          Value* vector = room.data() + m * kPiece;
          multiply<A>(vectors.piece(tile, m, offset, size, vector), weights[m], vector, size);
        }
        sum.sum(rows, tile.first + offset, result, size);
        for (std::size_t m = 0; m < models; ++m)
          count_masks<A>(rows[m], result, thresholds[m], masks.data(), size);
        drop_rare<Value>(result, masks.data(), least, size);
        multiply<A>(result, lambda, result, size);
        vectors.add_base(tile, offset, size, result);
      });
    };
  }
};

}  // namespace

const MergeMethod& consensus_ta() {
  static const ConsensusTaskArithmetic kMethod;
  return kMethod;
}

}  // namespace crucible::method
