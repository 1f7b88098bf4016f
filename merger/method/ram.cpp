#include <cmath>
#include <memory>

#include "merger/method/task_vector.hpp"
#include "merger/tensor/simd.hpp"

// RAM, Reinforced Agent Merging (arXiv:2601.13572): a difference is active where its magnitude
// exceeds epsilon. Where one model is active, its difference is taken whole; where several are, the
// average of theirs:
//   out = base + sum over active models of d_i / max(number of active models, 1)
// RAM+ (tensor-local) strengthens what is unique to a model by how much it shares with others:
//   d_i * (1 + r * clamp(shared_i / max(unique_i, epsilon), 0, alpha))
// with numbers of elements of one tensor, in float32.
namespace crucible::method {
namespace {

template <typename Value>
CRUCIBLE_CPU_LEVELS void mark_active(Value* delta, Value epsilon, Value* counts, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    const bool active = std::abs(delta[i]) > epsilon;
    counts[i] += active ? Value{1} : Value{0};
    delta[i] = active ? delta[i] : Value{0};
  }
}

template <typename A>
struct ActiveDifferences {
  using Value = typename A::Value;
  explicit ActiveDifferences(std::size_t models)
      : values(models * kPieceElements), rows(models), counts(kPieceElements) {
    for (std::size_t m = 0; m < models; ++m) rows[m] = row(m);
  }
  Value* row(std::size_t m) { return values.data() + m * kPieceElements; }

  // Inactive differences become zero.
  void read(const Tile<Value>& tile, std::size_t base, Value epsilon, std::size_t offset,
            std::size_t size) {
    std::fill_n(counts.data(), size, Value{0});
    std::size_t m = 0;
    for (std::size_t i = 0; i < tile.inputs.size(); ++i) {
      if (i == base) continue;
      subtract<A>(tile.inputs[i] + offset, tile.inputs[base] + offset, row(m), size);
      mark_active<Value>(row(m++), epsilon, counts.data(), size);
    }
  }

  std::vector<Value> values;  // model-major
  std::vector<const Value*> rows;
  std::vector<Value> counts;  // of active models
};

// Divides what is shared; multiplies what is unique to the model. The work type rounds the former.
template <typename A>
CRUCIBLE_CPU_LEVELS void share(typename A::Value* delta, const typename A::Value* counts,
                               typename A::Value unique_factor, std::size_t size) {
  using Value = typename A::Value;
  for (std::size_t i = 0; i < size; ++i) {
    const Value count = counts[i];
    const Value shared = A::round(delta[i] / (count > Value{1} ? A::round(count) : Value{1}));
    delta[i] = count > Value{1} ? shared : delta[i] * unique_factor;
  }
}

template <typename Value>
CRUCIBLE_CPU_LEVELS void count_shared(const Value* delta, Value epsilon, const Value* counts,
                                      std::size_t size, std::uint64_t& shared,
                                      std::uint64_t& unique) {
  std::uint64_t together = 0;
  std::uint64_t alone = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const bool active = std::abs(delta[i]) > epsilon;
    together += active && counts[i] > Value{1} ? 1 : 0;
    alone += active && counts[i] == Value{1} ? 1 : 0;
  }
  shared += together;
  unique += alone;
}

template <typename A>
CRUCIBLE_CPU_LEVELS void add(const typename A::Value* a, const typename A::Value* b,
                             typename A::Value* out, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) out[i] = A::round(a[i] + b[i]);
}

// Sum: the arithmetic of the sum over the models and of the result.
template <typename A, typename Sum>
Apply<typename A::Value> apply_active(const TensorTask& task, std::uint64_t elements,
                                      std::vector<typename A::Value> factors) {
  using Value = typename A::Value;
  const std::size_t base = task.base.value_or(0);
  const Value epsilon = coefficient<A>(task.shared.number("epsilon"));
  return [=, factors = std::move(factors)](const Tile<Value>& tile, Value* out) {
    const std::size_t models = factors.size();
    if (models == 0) {
      std::copy_n(tile.inputs[base], tile.count, out);
      return;
    }
    ActiveDifferences<A> piece(models);
    const RowSum<Sum> row_sum(models, elements);
    std::vector<Value> sum(kPieceElements);
    for (std::size_t offset = 0; offset < tile.count; offset += kPieceElements) {
      const std::size_t size = std::min(kPieceElements, tile.count - offset);
      piece.read(tile, base, epsilon, offset, size);
      for (std::size_t m = 0; m < models; ++m)
        share<A>(piece.row(m), piece.counts.data(), factors[m], size);
      row_sum.sum(piece.rows, tile.first + offset, sum.data(), size);
      add<Sum>(tile.inputs[base] + offset, sum.data(), out + offset, size);
    }
  };
}

class Ram : public TypedMethod<Ram> {
 public:
  bool accepts(std::size_t, bool has_base) const override { return has_base; }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles, Mt19937&) const {
    return apply_active<A, A>(task, tiles.elements(),
                              std::vector<typename A::Value>(task.models.size() - 1, 1));
  }
};

// The sum over the models, and with it the result, is float32 for the 16-bit types.
class RamPlus : public TypedMethod<RamPlus> {
 public:
  bool accepts(std::size_t, bool has_base) const override { return has_base; }
  tensor::DType result_dtype(tensor::DType work) const override {
    return work == tensor::DType::kF64 ? work : tensor::DType::kF32;
  }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles, Mt19937&) const {
    using Value = typename A::Value;
    using Sum = std::conditional_t<std::is_same_v<A, F64>, F64, F32>;
    auto factors = unique_factors<A>(task, tiles);
    if (!factors) return fail(std::move(factors.error()));
    return apply_active<A, Sum>(task, tiles.elements(),
                                std::vector<Value>(factors->begin(), factors->end()));
  }

 private:
  template <typename A>
  static Result<std::vector<float>> unique_factors(const TensorTask& task,
                                                   Tiles<typename A::Value>& tiles) {
    using Value = typename A::Value;
    struct Count {
      std::uint64_t shared = 0;
      std::uint64_t unique = 0;
    };
    const std::size_t models = task.models.size() - 1;
    const double epsilon = task.shared.number("epsilon");
    const Value least = coefficient<A>(epsilon);
    std::vector<std::vector<Count>> counts(tiles.workers(), std::vector<Count>(models));
    auto status = tiles.scan([&](unsigned worker, const Tile<Value>& tile) {
      ActiveDifferences<A> piece(models);
      for (std::size_t offset = 0; offset < tile.count; offset += kPieceElements) {
        const std::size_t size = std::min(kPieceElements, tile.count - offset);
        piece.read(tile, task.base.value_or(0), least, offset, size);
        for (std::size_t m = 0; m < models; ++m) {
          Count& count = counts[worker][m];
          count_shared<Value>(piece.row(m), least, piece.counts.data(), size, count.shared,
                              count.unique);
        }
      }
    });
    if (!status) return fail(std::move(status.error()));
    const auto r = static_cast<float>(task.shared.number("r"));
    const auto alpha = static_cast<float>(task.shared.number("alpha"));
    std::vector<float> factors;
    for (std::size_t m = 0; m < models; ++m) {
      Count all;
      for (const auto& worker : counts) {
        all.shared += worker[m].shared;
        all.unique += worker[m].unique;
      }
      const float unique = std::max(static_cast<float>(all.unique), static_cast<float>(epsilon));
      const float rho = static_cast<float>(all.shared) / unique;
      factors.push_back(1.0F + r * std::min(std::max(rho, 0.0F), alpha));
    }
    return factors;
  }
};

}  // namespace

const MergeMethod& ram() {
  static const Ram kMethod;
  return kMethod;
}

const MergeMethod& ramplus_tl() {
  static const RamPlus kMethod;
  return kMethod;
}

}  // namespace crucible::method
