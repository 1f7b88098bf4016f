#include <atomic>
#include <memory>

#include "merger/method/magnitude_key.hpp"
#include "merger/method/mergekit_order.hpp"
#include "merger/method/pruning_draws.hpp"
#include "merger/method/radix_rank.hpp"
#include "merger/tensor/simd.hpp"

// DELLA (Deep et al. 2024, arXiv:2406.11617): within each row of a difference, elements are ranked
// by magnitude, and one of rank r in [0, 1] survives with probability
//   p = (density - epsilon) + 2 epsilon r,
// rounded to the type that is pruned in after every operation. Rows are along the second dimension;
// a vector is one row. Draws are those of DARE.
namespace crucible::method {
namespace {

// A tensor as units of whole rows that lie side by side: elements of one row are `stride` apart.
struct Rows {
  std::uint64_t length = 1;
  std::uint64_t stride = 1;
  std::uint64_t unit() const { return length * stride; }
};

Rows rows_of(const tensor::Shape& shape, std::uint64_t elements) {
  Rows rows;
  if (shape.size() < 2) {
    rows.length = std::max<std::uint64_t>(elements, 1);
    return rows;
  }
  rows.length = std::max<std::uint64_t>(shape[1], 1);
  for (std::size_t i = 2; i < shape.size(); ++i)
    rows.stride *= std::max<std::uint64_t>(shape[i], 1);
  return rows;
}

bool is_pruned(double density) { return density > 0 && density < 1; }

// p for every rank of a row.
template <typename In>
std::vector<float> probabilities(double density, double epsilon, std::uint64_t length) {
  // The number of a rank, from 1, minus that of the first.
  const auto step = [](std::uint64_t rank) {
    return In::round(In::round(In::round(static_cast<float>(rank)) + 1.0F) - 1.0F);
  };
  const float last = step(length - 1);
  const auto spread = static_cast<float>(epsilon);
  const float least = In::round(static_cast<float>(density - epsilon));
  std::vector<float> all;
  for (std::uint64_t rank = 0; rank < length; ++rank) {
    const float r = length == 1 ? 0.5F : In::round(step(rank) / last);
    all.push_back(In::round(In::round(In::round(r * 2.0F) * spread) + least));
  }
  return all;
}

// One bit an element. Ranges set at the same time must not overlap; they may share a word.
class BitMask {
 public:
  explicit BitMask(std::uint64_t elements) : words_(elements / 32 + 1) {}
  void set(std::uint64_t first, std::span<const std::uint8_t> keep) {
    for (std::size_t i = 0; i < keep.size();) {
      const std::uint64_t bit = (first + i) % 32;
      const std::size_t size = std::min<std::size_t>(32 - bit, keep.size() - i);
      std::uint32_t word = 0;
      for (std::size_t k = 0; k < size; ++k)
        word |= static_cast<std::uint32_t>(keep[i + k]) << (bit + k);
      std::atomic_ref(words_[(first + i) / 32]).fetch_or(word, std::memory_order_relaxed);
      i += size;
    }
  }
  const std::uint32_t* words(std::uint64_t first) const { return words_.data() + first / 32; }

 private:
  std::vector<std::uint32_t> words_;
};

template <typename Value>
CRUCIBLE_CPU_LEVELS void zero_unset(Value* delta, const std::uint32_t* words, std::size_t count) {
  const auto keep = [](Value value, std::uint32_t word, std::size_t bit) {
    const auto kept = static_cast<Value>(static_cast<float>(value));
    return (word >> bit & 1U) != 0 ? kept : Value{0};
  };
  const std::size_t whole = count / 32 * 32;
  for (std::size_t i = 0; i < whole; i += 32) {
    const std::uint32_t word = words[i / 32];
    for (std::size_t bit = 0; bit < 32; ++bit) delta[i + bit] = keep(delta[i + bit], word, bit);
  }
  for (std::size_t i = whole; i < count; ++i) delta[i] = keep(delta[i], words[i / 32], i % 32);
}

// Tiles and pieces begin at multiples of 32.
template <typename Value>
class MaskPruner : public Pruner<Value> {
 public:
  MaskPruner(const BitMask* mask, std::uint64_t first) : mask_(mask), next_(first) {}
  void prune(std::span<Value> delta) override {
    if (mask_ == nullptr) {
      std::ranges::fill(delta, Value{0});
      return;
    }
    zero_unset<Value>(delta.data(), mask_->words(next_), delta.size());
    next_ += delta.size();
  }

 private:
  const BitMask* mask_;
  std::uint64_t next_;
};

template <typename Value>
class MaskSparsifier : public Sparsifier<Value> {
 public:
  MaskSparsifier(const std::vector<double>& densities, std::size_t tile_elements)
      : masks_(densities.size()), tile_elements_(tile_elements) {
    for (const double density : densities) keeps_all_.push_back(density >= 1);
  }
  void add(std::size_t model, std::uint64_t elements) {
    masks_[model] = std::make_unique<BitMask>(elements);
  }
  BitMask* mask(std::size_t model) const { return masks_[model].get(); }
  std::unique_ptr<Pruner<Value>> begin(std::size_t model, std::uint64_t tile) const override {
    if (keeps_all_[model]) return nullptr;
    return std::make_unique<MaskPruner<Value>>(masks_[model].get(), tile * tile_elements_);
  }

 private:
  std::vector<std::unique_ptr<BitMask>> masks_;  // none: all or nothing is kept
  std::vector<bool> keeps_all_;
  std::size_t tile_elements_;
};

// Draws the masks of one tensor.
template <typename A>
class RowPruning {
 public:
  using Value = typename A::Value;
  using Key = typename MagnitudeKey<A>::Key;
  using Entry = std::conditional_t<sizeof(Key) == 4, Ranked, WideRanked>;

  RowPruning(const TaskVectors<A>& vectors, Rows rows, Compatibility compatibility)
      : vectors_(vectors), rows_(rows), compatibility_(compatibility) {}

  // p: probability by rank, for each model; empty for one that is not pruned at random.
  Status draw(Tiles<Value>& tiles, const std::vector<std::vector<float>>& p, Mt19937& random,
              const MaskSparsifier<Value>& masks) {
    std::vector<bool> draws;
    for (const auto& probabilities : p) draws.push_back(!probabilities.empty());
    const std::uint64_t units =
        std::max<std::uint64_t>(tiles.tile_elements() / rows_.unit(), 1) * rows_.unit();
    const PruningDraws stream(draws, tiles.elements(), units, random);
    std::vector<Room> rooms(tiles.workers());
    return tiles.scan_rows(rows_.unit(), [&](unsigned worker, const Tile<Value>& tile) {
      for (std::size_t m = 0; m < p.size(); ++m) {
        if (p[m].empty()) continue;
        Mt19937 draws_of_tile = stream.start(m, tile.index);
        for (std::size_t offset = 0; offset < tile.count; offset += rows_.unit()) {
          draw_unit(tile, m, offset, p[m], draws_of_tile, rooms[worker]);
          masks.mask(m)->set(tile.first + offset, rooms[worker].keep);
        }
      }
    });
  }

  static std::uint64_t room_bytes(Rows rows) {
    return rows.unit() * (sizeof(Value) + sizeof(std::uint32_t) + 1) +
           rows.length * 2 * sizeof(Entry);
  }

 private:
  struct Room {
    std::vector<Value> delta;
    std::vector<std::uint32_t> draws;
    std::vector<std::uint8_t> keep;
    std::vector<Entry> entries, other;
    std::vector<SmallRanked> small, other_small;
  };

  void draw_unit(const Tile<Value>& tile, std::size_t m, std::size_t offset,
                 const std::vector<float>& p, Mt19937& random, Room& room) const {
    room.delta.resize(rows_.unit());
    room.draws.resize(rows_.unit());
    room.keep.resize(rows_.unit());
    subtract<A>(tile.inputs[vectors_.models[m]] + offset, tile.inputs[vectors_.base] + offset,
                room.delta.data(), room.delta.size());
    random.draw(room.draws);
    constexpr unsigned kBits = MagnitudeKey<A>::kBits;
    for (std::uint64_t column = 0; column < rows_.stride; ++column) {
      const auto visit = [&](std::uint64_t rank, const auto& entry) {
        const std::uint64_t at = column + entry.index() * rows_.stride;
        room.keep[at] = uniform_of(room.draws[at]) < p[rank] ? 1 : 0;
      };
      if (compatibility_ == Compatibility::kMergekit) {
        fill(column, room.delta, room.entries);
        reference_sort<Entry>(room.entries);
        for (std::uint64_t rank = 0; rank < rows_.length; ++rank) visit(rank, room.entries[rank]);
        continue;
      }
      if constexpr (kBits <= 16) {
        if (rows_.length <= 1U << 16) {
          fill(column, room.delta, room.small);
          radix_rank<kBits, SmallRanked>(room.small, room.other_small, visit);
          continue;
        }
      }
      fill(column, room.delta, room.entries);
      radix_rank<kBits, Entry>(room.entries, room.other, visit);
    }
  }

  template <typename Ranked>
  void fill(std::uint64_t column, const std::vector<Value>& delta,
            std::vector<Ranked>& entries) const {
    entries.resize(rows_.length);
    for (std::uint64_t i = 0; i < rows_.length; ++i) {
      const Key key = MagnitudeKey<A>::of(delta[column + i * rows_.stride]);
      entries[i] = Ranked(key, static_cast<std::uint32_t>(i));
    }
  }

  const TaskVectors<A>& vectors_;
  Rows rows_;
  Compatibility compatibility_;
};

class Della : public TypedMethod<Della> {
 public:
  explicit Della(bool elect_sign) : elect_sign_(elect_sign) {}
  bool accepts(std::size_t, bool has_base) const override { return has_base; }
  std::uint64_t statistics_bytes(std::size_t) const override { return kRescalingBytes; }

  // Masks, and in each worker one unit of rows of all inputs.
  std::uint64_t tensor_bytes(const TensorTask& task, std::uint64_t elements,
                             unsigned workers) const override {
    const Rows rows = rows_of(task.shape, elements);
    const bool wide = task.dtype == tensor::DType::kF64;
    const std::uint64_t room =
        wide ? RowPruning<F64>::room_bytes(rows) : RowPruning<F32>::room_bytes(rows);
    const std::uint64_t inputs = task.models.size() * rows.unit() * (wide ? 8 : 4);
    return task.models.size() * (elements / 8) + workers * (room + inputs);
  }

  Status check(const TensorTask& task) const override {
    for (std::size_t i = 0; i < task.models.size(); ++i) {
      if (i == task.base) continue;
      const double density = task.models[i].number("density");
      const double epsilon = task.models[i].number("epsilon");
      if (!is_pruned(density)) continue;
      if (density + epsilon >= 1 || density - epsilon <= 0) {
        return fail(ErrorCode::kInvalidArgument,
                    "epsilon must leave density - epsilon above 0 and density + epsilon below 1");
      }
      if (task.compatibility != Compatibility::kMergekit) continue;
      std::uint64_t elements = 1;
      for (const std::uint64_t extent : task.shape) elements *= extent;
      if (elements > 0 && rows_of(task.shape, elements).length == 1) {
        return fail(ErrorCode::kInvalidArgument,
                    "its rows have one element, which mergekit cannot rank; give the tensor "
                    "density 1 by a filter, or merge without mergekit's order");
      }
    }
    return {};
  }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles,
                                              Mt19937& random) const {
    using In = typename PruneIn<A>::Type;
    if (auto status = check(task); !status) return fail(std::move(status.error()));
    auto vectors = read_task_vectors<A>(task, tiles.elements());
    vectors.elect_sign = elect_sign_;
    const Rows rows = rows_of(task.shape, tiles.elements());
    auto masks = std::make_shared<MaskSparsifier<typename A::Value>>(vectors.densities,
                                                                     tiles.tile_elements());
    std::vector<std::vector<float>> p(vectors.models.size());
    bool any = false;
    for (std::size_t m = 0; m < p.size(); ++m) {
      if (!is_pruned(vectors.densities[m]) || tiles.elements() == 0) continue;
      const double epsilon = task.models[vectors.models[m]].number("epsilon");
      p[m] = probabilities<In>(vectors.densities[m], epsilon, rows.length);
      masks->add(m, tiles.elements());
      any = true;
    }
    if (any) {
      RowPruning<A> pruning(vectors, rows, task.compatibility);
      if (auto status = pruning.draw(tiles, p, random, *masks); !status)
        return fail(std::move(status.error()));
    }
    vectors.sparsifier = std::move(masks);
    return rescale_and_apply<A, In>(std::move(vectors), tiles);
  }

 private:
  bool elect_sign_;
};

}  // namespace

const MergeMethod& della() {
  static const Della kMethod(true);
  return kMethod;
}

const MergeMethod& della_linear() {
  static const Della kMethod(false);
  return kMethod;
}

}  // namespace crucible::method
