#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <memory>
#include <type_traits>
#include <vector>

#include "merger/method/method.hpp"
#include "merger/method/offsets.hpp"
#include "merger/method/order_statistics.hpp"
#include "merger/method/reductions.hpp"
#include "merger/method/softmax.hpp"

// Arcee Fusion (Arcee 2025): only the important part of the other model's difference to the base is
// taken over. The importance of an element is |b - a| times the Kullback-Leibler divergence of its
// row, KL = sum p ln(p/q) with p = softmax(b) + 1e-8, q = softmax(a) + 1e-8 along the last extent;
//   out = a + (b - a) where importance >= median + 1.5 (q3 - q1), else a
// Importance and threshold round to the work type after every operation; the result is float32
// (float64 for F64).
//
// The quantiles are those of all elements. The reference takes them from a random sample of 10^6
// elements in larger tensors; so does Compatibility::kMergekit, with the same random numbers.
namespace crucible::method {
namespace {

constexpr double kSmallestShare = 1e-8;
constexpr double kSpread = 1.5;
constexpr std::uint64_t kSample = 1'000'000;

template <typename Value>
void logarithms(Value* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = std::log(values[i]);
}

template <typename A>
class Fusion {
 public:
  using Value = typename A::Value;
  Fusion(const TensorTask& task, std::uint64_t elements)
      : base_(task.base.value_or(0)),
        elements_(elements),
        row_(task.shape.empty() ? 1 : task.shape.back()),
        samples_(task.compatibility == Compatibility::kMergekit && elements > kSample) {}

  Status find_divergences(Tiles<Value>& tiles) {
    const auto size = static_cast<std::size_t>(row_);
    divergences_.resize(elements_ / row_);
    auto rooms = room_for_workers<Value>(tiles, 2 * size);
    return tiles.scan_rows(row_, [&](unsigned worker, const Tile<Value>& tile) {
      Value* p = rooms[worker].data();
      for (std::size_t offset = 0; offset < tile.count; offset += size) {
        shares(tile.inputs[1 - base_] + offset, size, p);
        shares(tile.inputs[base_] + offset, size, p + size);
        divergences_[(tile.first + offset) / row_] = divergence(p, p + size, size);
      }
    });
  }

  Status find_threshold(Tiles<Value>& tiles, Mt19937& random) {
    const auto importance = [this](const Tile<Value>& tile, std::size_t offset, std::size_t size,
                                   Value* out) { this->importance(tile, offset, size, out); };
    const std::uint64_t count = samples_ ? kSample : elements_;
    std::array<std::uint64_t, 3> ranks;
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      const float share = 0.25F * static_cast<float>(i + 1);
      ranks[i] = static_cast<std::uint64_t>(share * static_cast<float>(count - 1));
    }
    auto found =
        samples_ ? sampled_order_statistics<Value>(tiles, importance, draw_indices(random), ranks)
                 : order_statistics<A>(tiles, importance, ranks);
    if (!found) return fail(std::move(found.error()));
    const auto [first, median, third] = *found;
    const Value spread = A::round(third - first);
    threshold_ = A::round(median + A::round(static_cast<Value>(kSpread) * spread));
    return {};
  }

  void apply(const Tile<Value>& tile, Value* out) const {
    std::array<Value, kPiece> important;
    for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
      const Value* a = tile.inputs[base_] + offset;
      Value* result = out + offset;
      importance(tile, offset, size, important.data());
      subtract<A>(tile.inputs[1 - base_] + offset, a, result, size);
      for (std::size_t i = 0; i < size; ++i)
        result[i] = a[i] + result[i] * (important[i] >= threshold_ ? Value{1} : Value{0});
    });
  }

 private:
  static void shares(const Value* values, std::size_t size, Value* out) {
    softmax<A>(values, size, out);
    for (std::size_t i = 0; i < size; ++i)
      out[i] = A::round(out[i] + coefficient<A>(kSmallestShare));
  }

  static Value divergence(const Value* p, Value* q, std::size_t size) {
    divide<A>(p, q, q, size);
    logarithms(q, size);
    for (std::size_t i = 0; i < size; ++i) q[i] = A::round(p[i] * A::round(q[i]));
    return sum_of<A>(q, size);
  }

  // Of one piece, at most kPiece elements.
  void importance(const Tile<Value>& tile, std::size_t offset, std::size_t size, Value* out) const {
    subtract<A>(tile.inputs[1 - base_] + offset, tile.inputs[base_] + offset, out, size);
    for (std::size_t i = 0; i < size; ++i) out[i] = std::abs(out[i]);
    for_each_row_piece(tile.first + offset, size, row_,
                       [&](std::uint64_t index, std::size_t, std::size_t at, std::size_t count) {
                         multiply<A>(out + at, divergences_[index], out + at, count);
                       });
  }

  // As torch.randint draws below 2^28; beyond that it takes two numbers, the upper half first.
  std::vector<std::uint64_t> draw_indices(Mt19937& random) const {
    const bool wide = elements_ >= 1ULL << 28;
    std::vector<std::uint32_t> draws(wide ? 2 * kSample : kSample);
    random.draw(draws);
    std::vector<std::uint64_t> indices(kSample);
    for (std::size_t i = 0; i < kSample; ++i) {
      const std::uint64_t draw =
          wide ? static_cast<std::uint64_t>(draws[2 * i]) << 32 | draws[2 * i + 1] : draws[i];
      indices[i] = draw % elements_;
    }
    return indices;
  }

  std::size_t base_;
  std::uint64_t elements_;
  std::uint64_t row_;
  bool samples_;
  std::vector<Value> divergences_;  // one a row
  Value threshold_ = 0;
};

class ArceeFusion : public TypedMethod<ArceeFusion> {
 public:
  bool accepts(std::size_t inputs, bool has_base) const override { return has_base && inputs == 2; }
  Incomplete when_incomplete(std::size_t inputs, bool) const override {
    return inputs == 1 ? Incomplete::kCopy : Incomplete::kMerge;
  }
  std::uint64_t statistics_bytes(std::size_t) const override { return kOrderStatisticsBytes; }
  tensor::DType result_dtype(tensor::DType work) const override {
    return work == tensor::DType::kF64 ? work : tensor::DType::kF32;
  }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles,
                                              Mt19937& random) const {
    using Value = typename A::Value;
    if (task.models.size() == 1 || tiles.elements() == 0) return copy_input<Value>(0);
    auto fusion = std::make_shared<Fusion<A>>(task, tiles.elements());
    if (auto status = fusion->find_divergences(tiles); !status)
      return fail(std::move(status.error()));
    if (auto status = fusion->find_threshold(tiles, random); !status)
      return fail(std::move(status.error()));
    return [fusion](const Tile<Value>& tile, Value* out) { fusion->apply(tile, out); };
  }
};

}  // namespace

const MergeMethod& arcee_fusion() {
  static const ArceeFusion kMethod;
  return kMethod;
}

}  // namespace crucible::method
