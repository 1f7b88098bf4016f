#include <algorithm>
#include <cmath>

#include "merger/method/method.hpp"
#include "merger/method/reduce.hpp"
#include "merger/tensor/simd.hpp"

// Spherical interpolation between the base a and the other model b (Shoemake 1985), the whole
// tensor taken as one vector. With d = <a/|a|, b/|b|> and theta = acos d:
//   out = sin((1-t) theta)/sin theta * a + sin(t theta)/sin theta * b,
// or (1-t) a + t b when |d| > 0.9995. Computed in float32 (float64 for F64), rounded once.
namespace crucible::method {
namespace {

constexpr double kSmallestNorm = 1e-8;  // below it a vector is not normalised
constexpr double kColinear = 0.9995;

template <typename Value>
CRUCIBLE_CPU_LEVELS double sum_of_squares(const Value* values, std::size_t count) {
  Lanes lanes;
  std::size_t i = 0;
  for (; i + Lanes::kCount <= count; i += Lanes::kCount) {
    for (std::size_t lane = 0; lane < Lanes::kCount; ++lane) {
      const auto value = static_cast<double>(values[i + lane]);
      lanes.sum[lane] += value * value;
    }
  }
  for (; i < count; ++i) {
    const auto value = static_cast<double>(values[i]);
    lanes.sum[0] += value * value;
  }
  return lanes.total();
}

template <typename Value>
CRUCIBLE_CPU_LEVELS double dot_of_units(const Value* a, const Value* b, Value norm_a, Value norm_b,
                                        std::size_t count) {
  Lanes lanes;
  std::size_t i = 0;
  for (; i + Lanes::kCount <= count; i += Lanes::kCount) {
    for (std::size_t lane = 0; lane < Lanes::kCount; ++lane) {
      lanes.sum[lane] += static_cast<double>((a[i + lane] / norm_a) * (b[i + lane] / norm_b));
    }
  }
  for (; i < count; ++i) lanes.sum[0] += static_cast<double>((a[i] / norm_a) * (b[i] / norm_b));
  return lanes.total();
}

template <typename A>
CRUCIBLE_CPU_LEVELS void combine(const typename A::Value* a, const typename A::Value* b,
                                 typename A::Value factor_a, typename A::Value factor_b,
                                 typename A::Value* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = A::round(factor_a * a[i] + factor_b * b[i]);
}

template <typename Value>
Value norm_or_one(const BlockSum& squares) {
  const auto norm = static_cast<Value>(std::sqrt(squares.total()));
  return norm <= static_cast<Value>(kSmallestNorm) ? Value{1} : norm;
}

class Slerp : public TypedMethod<Slerp> {
 public:
  // A tensor that only one of the two has is copied.
  bool accepts(std::size_t inputs, bool) const override { return inputs == 1 || inputs == 2; }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles, Mt19937&) const {
    using Value = typename A::Value;
    if (task.models.size() == 1) {
      return
          [](const Tile<Value>& tile, Value* out) { std::copy_n(tile.inputs[0], tile.count, out); };
    }
    const std::size_t base = task.base.value_or(0);
    const std::size_t other = 1 - base;
    const auto dot = unit_dot<Value>(tiles, base, other);
    if (!dot) return fail(dot.error());
    const auto [factor_a, factor_b] = factors<Value>(*dot, task.shared.number("t"));
    return [=, a = factor_a, b = factor_b](const Tile<Value>& tile, Value* out) {
      combine<A>(tile.inputs[base], tile.inputs[other], a, b, out, tile.count);
    };
  }

 private:
  template <typename Value>
  static Result<Value> unit_dot(Tiles<Value>& tiles, std::size_t base, std::size_t other) {
    BlockSum squares_a(tiles.blocks());
    BlockSum squares_b(tiles.blocks());
    auto status = tiles.scan([&](unsigned, const Tile<Value>& tile) {
      const Value* a = tile.inputs[base];
      const Value* b = tile.inputs[other];
      squares_a.add_tile(
          tile, [a](std::size_t i, std::size_t n) { return sum_of_squares<Value>(a + i, n); });
      squares_b.add_tile(
          tile, [b](std::size_t i, std::size_t n) { return sum_of_squares<Value>(b + i, n); });
    });
    if (!status) return fail(std::move(status.error()));
    const Value norm_a = norm_or_one<Value>(squares_a);
    const Value norm_b = norm_or_one<Value>(squares_b);
    BlockSum dot(tiles.blocks());
    status = tiles.scan([&](unsigned, const Tile<Value>& tile) {
      dot.add_tile(tile, [&](std::size_t i, std::size_t n) {
        return dot_of_units<Value>(tile.inputs[base] + i, tile.inputs[other] + i, norm_a, norm_b,
                                   n);
      });
    });
    if (!status) return fail(std::move(status.error()));
    return std::clamp(static_cast<Value>(dot.total()), Value{-1}, Value{1});
  }

  template <typename Value>
  static std::pair<Value, Value> factors(Value dot, double t) {
    if (std::abs(dot) > static_cast<Value>(kColinear)) {
      return {static_cast<Value>(1 - t), static_cast<Value>(t)};
    }
    const Value theta = std::acos(dot);
    const Value sine = std::sin(theta);
    return {std::sin(static_cast<Value>(1 - t) * theta) / sine,
            std::sin(static_cast<Value>(t) * theta) / sine};
  }
};

}  // namespace

const MergeMethod& slerp() {
  static const Slerp kMethod;
  return kMethod;
}

}  // namespace crucible::method
