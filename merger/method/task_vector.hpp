#pragma once

#include <algorithm>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "merger/method/combine.hpp"
#include "merger/method/magnitude_sum.hpp"
#include "merger/method/method.hpp"
#include "merger/method/sparsifier.hpp"

// What the task-vector methods share (Task Arithmetic, Ilharco et al. 2022, arXiv:2212.04089, and
// its sparsifying relatives):
//   delta_i = x_i - base;  prune;  optionally rescale to the L1 norm from before
//   d_i = w_i * delta_i
//   merged = sum of d_i, or of those that agree with the elected sign (TIES, arXiv:2306.01708)
//   out = base + lambda * merged, merged divided by the sum of weights when `normalize`
// Every line rounds to the work type.
namespace crucible::method {

inline constexpr std::size_t kPieceElements = 2048;  // what is computed at a time, in the cache

template <typename A>
struct TaskVectors {
  using Value = typename A::Value;
  std::size_t base = 0;
  std::vector<std::size_t> models;  // input numbers, without the base
  std::vector<Value> weights;       // one a model
  std::vector<Value> factors;       // rescaling; 1 = none
  std::vector<double> densities;
  bool elect_sign = false;
  bool normalize = false;
  bool rescale = false;
  double lambda = 1;
  std::uint64_t elements = 0;
  bool rescale_in_float32 = false;  // pruned differences were cut to float32: the product is, too
  std::shared_ptr<const Sparsifier<Value>> sparsifier;  // nullptr: nothing is pruned
};

template <typename A>
TaskVectors<A> read_task_vectors(const TensorTask& task, std::uint64_t elements) {
  TaskVectors<A> vectors;
  vectors.base = task.base.value_or(0);
  vectors.elements = elements;
  for (std::size_t i = 0; i < task.models.size(); ++i) {
    if (i == vectors.base) continue;
    vectors.models.push_back(i);
    vectors.weights.push_back(coefficient<A>(task.models[i].number("weight")));
    vectors.densities.push_back(task.models[i].number("density"));
    vectors.factors.push_back(1);
  }
  vectors.normalize = task.shared.boolean("normalize");
  vectors.rescale = task.shared.boolean("rescale");
  vectors.lambda = task.shared.number("lambda");
  return vectors;
}

// What compute_rescaling takes in each worker.
inline constexpr std::uint64_t kRescalingBytes = 3 * kBlockElements * sizeof(double);

// Fills `factors` with sum|delta| / sum|pruned delta|, both rounded to the work type (`Sum`: the
// type that the pruning is done in, float32 for float16 under random pruning).
template <typename A, typename Sum = A>
Status compute_rescaling(TaskVectors<A>& vectors, Tiles<typename A::Value>& tiles) {
  using Value = typename A::Value;
  struct Room {
    std::vector<Value> block, pruned;
    std::vector<typename Sum::Value> scratch;
  };
  const std::size_t count = vectors.models.size();
  std::vector<MagnitudeSum<Sum>> before(count, MagnitudeSum<Sum>(tiles.elements()));
  std::vector<MagnitudeSum<Sum>> after(count, MagnitudeSum<Sum>(tiles.elements()));
  std::vector<Room> rooms(tiles.workers());
  auto status = tiles.scan([&](unsigned worker, const Tile<Value>& tile) {
    Room& room = rooms[worker];
    for (std::size_t m = 0; m < count; ++m) {
      const auto pruner = vectors.sparsifier->begin(m, tile.index);
      if (pruner == nullptr) continue;
      for (std::size_t from = 0; from < tile.count; from += kBlockElements) {
        room.block.resize(std::min(kBlockElements, tile.count - from));
        subtract<A>(tile.inputs[vectors.models[m]] + from, tile.inputs[vectors.base] + from,
                    room.block.data(), room.block.size());
        room.pruned = room.block;
        pruner->prune(room.pruned);
        before[m].template add_block<Value>(tile.first + from, room.block, room.scratch);
        after[m].template add_block<Value>(tile.first + from, room.pruned, room.scratch);
      }
    }
  });
  if (!status) return status;
  constexpr double kSmallestSum = 1e-7;
  for (std::size_t m = 0; m < count; ++m) {
    const auto all = before[m].total();
    const auto kept = after[m].total();
    if (static_cast<double>(all) < kSmallestSum || static_cast<double>(kept) < kSmallestSum)
      continue;
    vectors.factors[m] = static_cast<Value>(Sum::round(all / kept));
  }
  return {};
}

// delta *= factor of model m.
template <typename A>
void rescale(const TaskVectors<A>& vectors, std::size_t m, typename A::Value* delta,
             std::size_t count) {
  using Value = typename A::Value;
  const Value factor = vectors.factors[m];
  if (factor == Value{1}) return;
  if constexpr (std::is_same_v<A, F64>) {
    if (vectors.rescale_in_float32) {
      const auto narrow = static_cast<float>(factor);
      for (std::size_t i = 0; i < count; ++i)
        delta[i] = static_cast<double>(static_cast<float>(delta[i]) * narrow);
      return;
    }
  }
  scale<A>(delta, factor, count);
}

// The tile function, once pruning and rescaling are known.
template <typename A>
Apply<typename A::Value> apply_task_vectors(TaskVectors<A> vectors) {
  using Value = typename A::Value;
  return [vectors = std::move(vectors)](const Tile<Value>& tile, Value* out) {
    const std::size_t count = vectors.models.size();
    const Value* base = tile.inputs[vectors.base];
    if (count == 0) {
      std::copy_n(base, tile.count, out);
      return;
    }
    std::vector<std::unique_ptr<Pruner<Value>>> pruners(count);
    if (vectors.sparsifier != nullptr) {
      for (std::size_t m = 0; m < count; ++m) pruners[m] = vectors.sparsifier->begin(m, tile.index);
    }
    std::vector<Value> weighted(count * kPieceElements);
    std::vector<const Value*> rows(count);
    for (std::size_t m = 0; m < count; ++m) rows[m] = weighted.data() + m * kPieceElements;
    Combiner<A> combiner(vectors.weights, vectors.elect_sign, vectors.normalize, vectors.lambda,
                         vectors.elements);
    for (std::size_t offset = 0; offset < tile.count; offset += kPieceElements) {
      const std::size_t size = std::min(kPieceElements, tile.count - offset);
      for (std::size_t m = 0; m < count; ++m) {
        Value* delta = weighted.data() + m * kPieceElements;
        subtract<A>(tile.inputs[vectors.models[m]] + offset, base + offset, delta, size);
        if (pruners[m] != nullptr) pruners[m]->prune(std::span<Value>(delta, size));
        rescale<A>(vectors, m, delta, size);
        scale<A>(delta, vectors.weights[m], size);
      }
      combiner.combine(rows, base + offset, tile.first + offset, out + offset, size);
    }
  };
}

// The last steps of every pruning method. `In`: the type that it prunes in.
template <typename A, typename In = A>
Result<Apply<typename A::Value>> rescale_and_apply(TaskVectors<A> vectors,
                                                   Tiles<typename A::Value>& tiles) {
  vectors.rescale_in_float32 = std::is_same_v<A, F64> && std::is_same_v<In, F32>;
  if (vectors.rescale) {
    if (auto status = compute_rescaling<A, In>(vectors, tiles); !status)
      return fail(std::move(status.error()));
  }
  return apply_task_vectors<A>(std::move(vectors));
}

}  // namespace crucible::method
