#include <algorithm>
#include <array>
#include <cmath>

#include "merger/method/cascade_sum.hpp"
#include "merger/method/magnitude_key.hpp"
#include "merger/method/magnitude_selection.hpp"
#include "merger/method/task_vector.hpp"
#include "merger/tensor/simd.hpp"

// SCE (Wan et al. 2024, "FuseChat", arXiv:2408.07990): select the elements whose differences vary
// most among the models, calculate each model's weight from its mean squared difference, erase what
// disagrees with the sign of the sum:
//   out = base + sum(d_i w_i a_i) / max(sum(w_i a_i), 1e-6),  a_i = 1 where d_i has the sign
namespace crucible::method {
namespace {

constexpr double kSmallest = 1e-6;  // of a sum of weights

constexpr std::size_t kVarianceElements = 512;  // what is computed at a time

// One of Welford's steps in double: the n-th model's differences join mean and sum of squares.
template <typename A>
CRUCIBLE_CPU_LEVELS void add_model(const typename A::Value* model, const typename A::Value* base,
                                   double n, double* mean, double* squares, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<double>(A::round(model[i] - base[i]));
    const double delta = value - mean[i];
    mean[i] += delta / n;
    squares[i] += delta * (value - mean[i]);
  }
}

// The variance, rounded once, as a key.
template <typename A>
CRUCIBLE_CPU_LEVELS void variance_keys(const double* squares, double n,
                                       typename MagnitudeKey<A>::Key* keys, std::size_t count) {
  using Value = typename A::Value;
  for (std::size_t i = 0; i < count; ++i)
    keys[i] = MagnitudeKey<A>::of(A::round(static_cast<Value>(squares[i] / n)));
}

template <typename A>
CRUCIBLE_CPU_LEVELS void square(const typename A::Value* values, typename A::Value* squares,
                                std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) squares[i] = A::round(values[i] * values[i]);
}

template <typename A>
CRUCIBLE_CPU_LEVELS void weigh(const typename A::Value* row, typename A::Value* weights,
                               std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) weights[i] = A::round(row[i] * weights[i]);
}

template <typename A>
CRUCIBLE_CPU_LEVELS void finish(const typename A::Value* base, const typename A::Value* sum,
                                const typename A::Value* divisor, typename A::Value least,
                                typename A::Value* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const typename A::Value bounded = divisor[i] < least ? least : divisor[i];
    out[i] = A::round(base[i] + A::round(sum[i] / bounded));
  }
}

// The differences of one piece of a tile, with what was not selected set to zero.
template <typename A>
struct Differences {
  using Value = typename A::Value;
  using Key = typename MagnitudeKey<A>::Key;

  explicit Differences(std::size_t models)
      : values(models * kPieceElements), rows(models), keys(kPieceElements), keep(kPieceElements) {
    for (std::size_t m = 0; m < models; ++m) rows[m] = row(m);
  }
  Value* row(std::size_t m) { return values.data() + m * kPieceElements; }

  void read(const Tile<Value>& tile, std::size_t base, std::size_t offset, std::size_t size) {
    std::size_t m = 0;
    for (std::size_t i = 0; i < tile.inputs.size(); ++i) {
      if (i == base) continue;
      subtract<A>(tile.inputs[i] + offset, tile.inputs[base] + offset, row(m++), size);
    }
  }
  void select(std::span<const Key> variances, SelectionCursor<Key>& cursor) {
    cursor.mark(variances, keep.data());
    for (std::size_t m = 0; m < rows.size(); ++m)
      zero_unmarked<Value>(row(m), keep.data(), variances.size());
  }

  std::vector<Value> values;  // model-major
  std::vector<const Value*> rows;
  std::vector<Key> keys;
  std::vector<std::uint8_t> keep;
};

template <typename A>
class Fusion {
 public:
  using Value = typename A::Value;
  using Key = typename MagnitudeKey<A>::Key;

  Fusion(const TensorTask& task, std::uint64_t elements)
      : base_(task.base.value_or(0)),
        models_(task.models.size() - 1),
        compatibility_(task.compatibility),
        elements_(elements) {}

  std::size_t models() const { return models_; }

  Status select(double share, Tiles<Value>& tiles) {
    const auto kept = count_selected(share, tiles);
    if (!kept) return fail(kept.error());
    const RankRange range{RankOrder::kDescending, 0, *kept};
    const FillKeys<Value, Key> fill = [this](const Tile<Value>& tile, std::size_t,
                                             std::size_t offset, std::span<Key> keys) {
      find_keys(tile, offset, keys);
    };
    auto found = select_ranks<Value, Key>(tiles, {&range, 1}, MagnitudeKey<A>::kBits,
                                          compatibility_, ReferenceChoice::kTop, fill);
    if (!found) return fail(std::move(found.error()));
    selection_ = std::move(found->front());
    tile_elements_ = tiles.tile_elements();
    selects_ = true;
    return {};
  }

  // Mean squares over their sum; equal where that is next to nothing.
  Status weigh_models(Tiles<Value>& tiles) {
    std::vector<CascadeSum<Value>> sums(models_, CascadeSum<Value>(elements_));
    auto status = tiles.scan([&](unsigned, const Tile<Value>& tile) {
      std::vector<std::vector<Value>> squares(models_, std::vector<Value>(kBlockElements));
      for_each_piece(tile, [&](std::size_t offset, std::size_t size, Differences<A>& piece) {
        const std::size_t in_block = offset % kBlockElements;
        const bool ends = in_block + size == kBlockElements || offset + size == tile.count;
        for (std::size_t m = 0; m < models_; ++m) {
          square<A>(piece.row(m), squares[m].data() + in_block, size);
          if (ends)
            sums[m].add_block(tile.first + offset - in_block, squares[m].data(), in_block + size);
        }
      });
    });
    if (!status) return status;
    CascadeSum<Value> sum(models_);
    for (const auto& squares : sums)
      weights_.push_back(A::round(squares.total() / static_cast<Value>(elements_)));
    sum.add_block(0, weights_.data(), weights_.size());
    const Value total = A::round(sum.total());
    const bool uniform = std::abs(static_cast<double>(total)) < kSmallest;
    for (Value& weight : weights_) {
      weight = A::round(uniform ? Value{1} / static_cast<Value>(models_) : weight / total);
    }
    return {};
  }

  void apply(const Tile<Value>& tile, Value* out) const {
    const RowSum<A> row_sum(models_, elements_);
    const Value least = coefficient<A>(kSmallest);
    std::vector<Value> elected(kPieceElements), sum(kPieceElements), divisor(kPieceElements);
    std::vector<Value> agreeing(models_ * kPieceElements), weights(models_ * kPieceElements);
    std::vector<const Value*> weight_rows(models_), agreeing_rows(models_);
    for_each_piece(tile, [&](std::size_t offset, std::size_t size, Differences<A>& piece) {
      row_sum.sum(piece.rows, tile.first + offset, elected.data(), size);
      for (std::size_t m = 0; m < models_; ++m) {
        Value* kept = agreeing.data() + m * kPieceElements;
        Value* kept_weights = weights.data() + m * kPieceElements;
        keep_agreeing<Value>(piece.row(m), elected.data(), weights_[m], piece.row(m), kept,
                             kept_weights, size);
        weight_rows[m] = kept_weights;
        agreeing_rows[m] = kept;
      }
      row_sum.sum(weight_rows, tile.first + offset, divisor.data(), size);
      for (std::size_t m = 0; m < models_; ++m)
        weigh<A>(agreeing_rows[m], weights.data() + m * kPieceElements, size);
      row_sum.sum(weight_rows, tile.first + offset, sum.data(), size);
      finish<A>(tile.inputs[base_] + offset, sum.data(), divisor.data(), least, out + offset, size);
    });
  }

 private:
  // Keys of the variances over the models.
  void find_keys(const Tile<Value>& tile, std::size_t offset, std::span<Key> keys) const {
    alignas(64) std::array<double, kVarianceElements> mean;
    alignas(64) std::array<double, kVarianceElements> squares;
    for (std::size_t from = 0; from < keys.size(); from += kVarianceElements) {
      const std::size_t size = std::min(kVarianceElements, keys.size() - from);
      std::fill_n(mean.data(), size, 0.0);
      std::fill_n(squares.data(), size, 0.0);
      double n = 0;
      for (std::size_t i = 0; i < tile.inputs.size(); ++i) {
        if (i == base_) continue;
        add_model<A>(tile.inputs[i] + offset + from, tile.inputs[base_] + offset + from, ++n,
                     mean.data(), squares.data(), size);
      }
      variance_keys<A>(squares.data(), n, keys.data() + from, size);
    }
  }

  // visit(offset, size, differences) for successive pieces of the tile.
  template <typename Visit>
  void for_each_piece(const Tile<Value>& tile, const Visit& visit) const {
    Differences<A> piece(models_);
    SelectionCursor<Key> cursor(selection_, tile.index, tile.index * tile_elements_);
    for (std::size_t offset = 0; offset < tile.count; offset += kPieceElements) {
      const std::size_t size = std::min(kPieceElements, tile.count - offset);
      piece.read(tile, base_, offset, size);
      if (selects_) {
        const std::span<Key> keys(piece.keys.data(), size);
        find_keys(tile, offset, keys);
        piece.select(keys, cursor);
      }
      visit(offset, size, piece);
    }
  }

  // trunc(share * elements that vary at all), the product in float32.
  Result<std::uint64_t> count_selected(double share, Tiles<Value>& tiles) const {
    if (share <= 0) return std::uint64_t{0};
    std::vector<std::uint64_t> varying(tiles.workers());
    auto status = tiles.scan([&](unsigned worker, const Tile<Value>& tile) {
      std::array<Key, kPieceElements> keys;
      std::ptrdiff_t constant = 0;
      for (std::size_t offset = 0; offset < tile.count; offset += kPieceElements) {
        const std::span<Key> piece(keys.data(), std::min(kPieceElements, tile.count - offset));
        find_keys(tile, offset, piece);
        constant += std::ranges::count(piece, Key{0});
      }
      varying[worker] += tile.count - static_cast<std::uint64_t>(constant);
    });
    if (!status) return fail(std::move(status.error()));
    std::uint64_t all = 0;
    for (const std::uint64_t part : varying) all += part;
    return static_cast<std::uint64_t>(static_cast<float>(all) * static_cast<float>(share));
  }

  std::size_t base_;
  std::size_t models_;
  Compatibility compatibility_;
  std::uint64_t elements_;
  bool selects_ = false;
  Selection<Key> selection_;
  std::size_t tile_elements_ = 0;
  std::vector<Value> weights_;
};

class Sce : public TypedMethod<Sce> {
 public:
  bool accepts(std::size_t, bool has_base) const override { return has_base; }
  std::uint64_t statistics_bytes(std::size_t inputs) const override {
    return kHistogramBytes + (inputs + 1) * kBlockElements * sizeof(double);
  }
  std::uint64_t tensor_bytes(const TensorTask& task, std::uint64_t elements,
                             unsigned) const override {
    if (task.compatibility != Compatibility::kMergekit || task.shared.number("select_topk") >= 1)
      return 0;
    return selection_bytes(1, elements, task.dtype == tensor::DType::kF64 ? 8 : 4);
  }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles, Mt19937&) const {
    using Value = typename A::Value;
    auto fusion = std::make_shared<Fusion<A>>(task, tiles.elements());
    if (fusion->models() == 0) {
      return [](const Tile<Value>& tile, Value* out) {
        std::copy_n(tile.inputs.front(), tile.count, out);
      };
    }
    const double share = task.shared.number("select_topk");
    if (share < 1) {
      if (auto status = fusion->select(share, tiles); !status)
        return fail(std::move(status.error()));
    }
    if (auto status = fusion->weigh_models(tiles); !status) return fail(std::move(status.error()));
    return [fusion](const Tile<Value>& tile, Value* out) { fusion->apply(tile, out); };
  }
};

}  // namespace

const MergeMethod& sce() {
  static const Sce kMethod;
  return kMethod;
}

}  // namespace crucible::method
