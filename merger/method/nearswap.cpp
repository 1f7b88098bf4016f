#include <algorithm>
#include <cmath>
#include <vector>

#include "merger/method/method.hpp"
#include "merger/method/offsets.hpp"
#include "merger/tensor/simd.hpp"

// NearSwap (alchemonaut 2024): the base a moves to the other model b where the two are near,
//   w = clamp(t / |a - b|, 0, 1),   out = w * b + (1-w) * a
// with the reciprocal rounded first, as every operation is.
namespace crucible::method {
namespace {

constexpr double kSmallestDifference = 1e-6;

template <typename A>
CRUCIBLE_CPU_LEVELS void swap_near(const typename A::Value* a, const typename A::Value* b,
                                   typename A::Value t, typename A::Value* out, std::size_t count) {
  using Value = typename A::Value;
  const Value smallest = coefficient<A>(kSmallestDifference);
  for (std::size_t i = 0; i < count; ++i) {
    const Value difference = std::abs(A::round(a[i] - b[i]));
    const Value divisor = difference < smallest ? smallest : difference;
    const Value quotient = A::round(A::round(Value{1} / divisor) * t);
    const Value positive = quotient < Value{0} ? Value{0} : quotient;
    const Value weight = positive > Value{1} ? Value{1} : positive;
    const Value rest = A::round(Value{1} - weight);
    out[i] = A::round(A::round(weight * b[i]) + A::round(rest * a[i]));
  }
}

class Nearswap : public TypedMethod<Nearswap> {
 public:
  bool accepts(std::size_t inputs, bool has_base) const override { return has_base && inputs == 2; }
  Incomplete when_incomplete(std::size_t inputs, bool has_base) const override {
    return inputs == 1 && has_base ? Incomplete::kCopy : Incomplete::kMerge;
  }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task, Tiles<typename A::Value>&,
                                              Mt19937&) const {
    using Value = typename A::Value;
    if (task.models.size() == 1) return copy_input<Value>(0);
    const std::size_t base = task.base.value_or(0);
    const auto t = static_cast<Value>(task.shared.number("t"));
    return [base, t](const Tile<Value>& tile, Value* out) {
      swap_near<A>(tile.inputs[base], tile.inputs[1 - base], t, out, tile.count);
    };
  }
};

}  // namespace

const MergeMethod& nearswap() {
  static const Nearswap kMethod;
  return kMethod;
}

}  // namespace crucible::method
