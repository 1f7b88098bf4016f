#include <algorithm>
#include <cmath>
#include <vector>

#include "merger/method/cascade_sum.hpp"
#include "merger/method/method.hpp"
#include "merger/method/offsets.hpp"
#include "merger/method/torch_math.hpp"

#include "merger/tensor/simd.hpp"

// Spherical interpolation between the base a and the other model b (Shoemake 1985), the whole
// tensor taken as one vector. With d = <a/|a|, b/|b|> and theta = acos d:
//   out = sin((1-t) theta)/sin theta * a + sin(t theta)/sin theta * b,
// or (1-t) a + t b when |d| > 0.9995; t beyond 0 and 1 extrapolates. Computed in float32 (float64
// for F64), rounded once. Norms and the dot product go by chunks of 2^20 elements.
namespace crucible::method {
namespace {

constexpr double kSmallestNorm = 1e-8;  // below it a vector is not normalised
constexpr double kColinear = 0.9995;

template <typename Value>
CRUCIBLE_CPU_LEVELS void multiply_units(const Value* a, const Value* b, Value norm_a, Value norm_b,
                                        Value* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = (a[i] / norm_a) * (b[i] / norm_b);
}

template <typename A>
CRUCIBLE_CPU_LEVELS void combine(const typename A::Value* a, const typename A::Value* b,
                                 typename A::Value factor_a, typename A::Value factor_b,
                                 typename A::Value* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = A::round(factor_a * a[i] + factor_b * b[i]);
}

template <typename Value>
Value sum_of(const std::vector<Value>& values) {
  CascadeSum<Value> sum(values.size());
  for (std::size_t i = 0; i < values.size(); i += kBlockElements) {
    sum.add_block(i, values.data() + i, std::min(kBlockElements, values.size() - i));
  }
  return sum.total();
}

// The norm of a tensor from the norms of its chunks.
template <typename Value>
Value norm_or_one(const std::vector<LaneNorm<Value>>& chunks) {
  std::vector<Value> squares;
  for (const LaneNorm<Value>& chunk : chunks) squares.push_back(chunk.norm() * chunk.norm());
  const Value norm = std::sqrt(sum_of(squares));
  return norm <= static_cast<Value>(kSmallestNorm) ? Value{1} : norm;
}

// Products of a tile's elements, summed chunk by chunk.
template <typename Value>
class UnitDot {
 public:
  explicit UnitDot(const Tiles<Value>& tiles)
      : room_(tiles.workers(), std::vector<Value>(kBlockElements)) {
    for (std::uint64_t begin = 0; begin < tiles.elements(); begin += kChunkElements) {
      chunks_.emplace_back(std::min<std::uint64_t>(kChunkElements, tiles.elements() - begin));
    }
  }
  void add(unsigned worker, const Tile<Value>& tile, const Value* a, const Value* b, Value norm_a,
           Value norm_b) {
    CascadeSum<Value>& chunk = chunks_[tile.first / kChunkElements];
    for (std::size_t offset = 0; offset < tile.count; offset += kBlockElements) {
      const std::size_t count = std::min(kBlockElements, tile.count - offset);
      multiply_units<Value>(a + offset, b + offset, norm_a, norm_b, room_[worker].data(), count);
      chunk.add_block(tile.first % kChunkElements + offset, room_[worker].data(), count);
    }
  }
  Value total() const {
    std::vector<Value> sums;
    for (const CascadeSum<Value>& chunk : chunks_) sums.push_back(chunk.total());
    return sum_of(sums);
  }

 private:
  std::vector<CascadeSum<Value>> chunks_;
  std::vector<std::vector<Value>> room_;  // one block a worker
};

class Slerp : public TypedMethod<Slerp> {
 public:
  bool accepts(std::size_t inputs, bool has_base) const override { return has_base && inputs == 2; }
  Incomplete when_incomplete(std::size_t inputs, bool) const override {
    return inputs == 1 ? Incomplete::kCopy : Incomplete::kMerge;
  }
  std::uint64_t statistics_bytes(std::size_t) const override {
    return kBlockElements * sizeof(double);
  }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles, Mt19937&) const {
    using Value = typename A::Value;
    if (task.models.size() == 1) return copy_input<Value>(0);
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
    std::vector<LaneNorm<Value>> norms_a(tiles.chunks());
    std::vector<LaneNorm<Value>> norms_b(tiles.chunks());
    constexpr bool kInOrder = true;
    auto status = tiles.scan(
        [&](unsigned, const Tile<Value>& tile) {
          norms_a[tile.first / kChunkElements].add(tile.inputs[base], tile.count);
          norms_b[tile.first / kChunkElements].add(tile.inputs[other], tile.count);
        },
        kInOrder);
    if (!status) return fail(std::move(status.error()));
    const Value norm_a = norm_or_one<Value>(norms_a);
    const Value norm_b = norm_or_one<Value>(norms_b);
    UnitDot<Value> dot(tiles);
    status = tiles.scan([&](unsigned worker, const Tile<Value>& tile) {
      dot.add(worker, tile, tile.inputs[base], tile.inputs[other], norm_a, norm_b);
    });
    if (!status) return fail(std::move(status.error()));
    return std::clamp(dot.total(), Value{-1}, Value{1});
  }

  template <typename Value>
  static std::pair<Value, Value> factors(Value dot, double position) {
    const auto t = static_cast<Value>(position);
    const Value rest = Value{1} - t;
    if (std::abs(dot) > static_cast<Value>(kColinear)) return {rest, t};
    const Value theta = acos_as_torch(dot);
    const Value sine = sin_as_torch(theta);
    return {sin_as_torch(rest * theta) / sine, sin_as_torch(t * theta) / sine};
  }
};

}  // namespace

const MergeMethod& slerp() {
  static const Slerp kMethod;
  return kMethod;
}

}  // namespace crucible::method
