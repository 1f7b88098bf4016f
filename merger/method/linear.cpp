#include <cmath>
#include <vector>

#include "merger/method/method.hpp"
#include "merger/tensor/simd.hpp"

// Weighted average of the models ("model soups", Wortsman et al. 2022, arXiv:2203.05482):
//   out = round(sum_i w_i x_i / sum_i w_i)
// accumulated in float32 (float64 for F64) by fused multiply-add in model order, rounded once.
namespace crucible::method {
namespace {

constexpr std::size_t kPiece = 4096;  // elements whose sums stay in the cache

template <typename Value>
CRUCIBLE_CPU_LEVELS void accumulate(Value* sum, const Value* input, Value weight,
                                    std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) sum[i] = std::fma(weight, input[i], sum[i]);
}

template <typename A>
CRUCIBLE_CPU_LEVELS void divide_and_round(typename A::Value* sum, typename A::Value divisor,
                                          std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) sum[i] = A::round(sum[i] / divisor);
}

class Linear : public TypedMethod<Linear> {
 public:
  bool accepts(std::size_t inputs, bool) const override { return inputs >= 1; }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task, Tiles<typename A::Value>&,
                                              Mt19937&) const {
    using Value = typename A::Value;
    std::vector<Value> weights;
    Value divisor = 0;
    for (const ParameterValues& model : task.models) {
      weights.push_back(static_cast<Value>(model.number("weight")));
      divisor += weights.back();
    }
    if (!task.shared.boolean("normalize")) divisor = 1;
    return [weights, divisor](const Tile<Value>& tile, Value* out) {
      for (std::size_t begin = 0; begin < tile.count; begin += kPiece) {
        const std::size_t count = std::min(kPiece, tile.count - begin);
        std::fill_n(out + begin, count, Value{0});
        for (std::size_t i = 0; i < weights.size(); ++i) {
          accumulate<Value>(out + begin, tile.inputs[i] + begin, weights[i], count);
        }
        divide_and_round<A>(out + begin, divisor, count);
      }
    };
  }
};

}  // namespace

const MergeMethod& linear() {
  static const Linear kMethod;
  return kMethod;
}

}  // namespace crucible::method
