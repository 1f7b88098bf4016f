#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>
#include <vector>

#include "merger/method/method.hpp"
#include "merger/method/offsets.hpp"
#include "merger/method/reductions.hpp"

// Model Stock (Jang et al. 2024, arXiv:2403.19522): how far to go from the base w_0 to the average
// of the models follows from the angle between their differences d_i to the base,
//   c = mean over pairs of <d_i, d_j> / (|d_i| |d_j|),   t = N c / (1 + (N-1) c)
//   out = t * mean(w_i) + (1-t) * w_0
// with one angle a tensor, or (`filter_wise`) one a row along the last extent. Every operation
// rounds to the work type. Where the denominator vanishes t is 0.
namespace crucible::method {
namespace {

constexpr double kSmallestNorms = 1e-6;
constexpr double kSingular = 1e-6;

template <typename A>
class Stock {
 public:
  using Value = typename A::Value;
  explicit Stock(const TensorTask& task)
      : offsets_(task), base_(task.base.value_or(0)), models_(offsets_.count()) {}

  Result<Apply<Value>> whole(Tiles<Value>& tiles) const {
    std::vector<VectorNorm<A>> norms(models_);
    std::vector<VectorSum<A>> dots(models_ * (models_ - 1) / 2, VectorSum<A>(tiles.elements()));
    auto rooms = room_for_workers<Value>(tiles, (models_ + 1) * kBlockElements);
    auto status = tiles.scan_folding(
        [&](unsigned worker, const Tile<Value>& tile) {
          for (std::size_t from = 0; from < tile.count; from += kBlockElements) {
            add_block(tile, from, std::min(kBlockElements, tile.count - from), rooms[worker].data(),
                      dots);
          }
        },
        [&](unsigned, const Tile<Value>& tile) {
          std::array<Value, kPiece> room;
          for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
            for (std::size_t m = 0; m < models_; ++m)
              norms[m].add(offsets_.piece(tile, m, offset, size, room.data()), size);
          });
        });
    if (!status) return fail(std::move(status.error()));
    std::vector<Value> lengths;
    for (const VectorNorm<A>& norm : norms) lengths.push_back(norm.norm());
    std::vector<Value> cosines;
    for (const VectorSum<A>& dot : dots) cosines.push_back(dot.total());
    divide_by_norms(lengths, cosines.data());
    const Value t = position(sum_of<Wide>(cosines.data(), cosines.size()), cosines.size());
    return [*this, t](const Tile<Value>& tile, Value* out) {
      for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
        interpolate(tile, offset, size, t, out + offset);
      });
    };
  }

  Result<Apply<Value>> rows(Tiles<Value>& tiles, std::uint64_t row) const {
    const std::size_t count = static_cast<std::size_t>(tiles.elements() / row);
    const std::size_t pairs = models_ * (models_ - 1) / 2;
    std::vector<Value> cosines(count * pairs);  // row-major
    auto rooms = room_for_workers<Value>(tiles, (models_ + 1) * static_cast<std::size_t>(row));
    auto status = tiles.scan_rows(row, [&](unsigned worker, const Tile<Value>& tile) {
      const auto size = static_cast<std::size_t>(row);
      for (std::size_t offset = 0; offset < tile.count; offset += size) {
        const auto index = static_cast<std::size_t>((tile.first + offset) / row);
        add_row(tile, offset, size, rooms[worker].data(), cosines.data() + index * pairs);
      }
    });
    if (!status) return fail(std::move(status.error()));
    ColumnSums<Wide> sums(pairs, count);  // over the pairs, one column a row of the tensor
    std::vector<Value> column(count);
    for (std::size_t pair = 0; pair < pairs; ++pair) {
      for (std::size_t i = 0; i < count; ++i) column[i] = cosines[i * pairs + pair];
      sums.add(pair * count, column.data(), count);
    }
    auto positions = std::make_shared<std::vector<Value>>();
    for (std::size_t i = 0; i < count; ++i) positions->push_back(position(sums.total(i), pairs));
    return [*this, positions, row](const Tile<Value>& tile, Value* out) {
      for_each_row_piece(
          tile.first, tile.count, row,
          [&](std::uint64_t index, std::size_t, std::size_t offset, std::size_t size) {
            interpolate(tile, offset, size, (*positions)[index], out + offset);
          });
    };
  }

 private:
  // A mean is taken in float32 and rounded once.
  using Wide = std::conditional_t<std::is_same_v<A, F64>, F64, F32>;

  // Products of all pairs of differences in one block; `room`: a block a model and one.
  void add_block(const Tile<Value>& tile, std::size_t from, std::size_t count, Value* room,
                 std::vector<VectorSum<A>>& dots) const {
    for (std::size_t m = 0; m < models_; ++m)
      offsets_.piece(tile, m, from, count, room + m * kBlockElements);
    Value* products = room + models_ * kBlockElements;
    std::size_t pair = 0;
    for (std::size_t i = 0; i < models_; ++i) {
      for (std::size_t j = i + 1; j < models_; ++j) {
        multiply<A>(room + i * kBlockElements, room + j * kBlockElements, products, count);
        dots[pair++].add_block(tile.first + from, products, count);
      }
    }
  }

  void add_row(const Tile<Value>& tile, std::size_t offset, std::size_t size, Value* room,
               Value* cosines) const {
    std::vector<Value> norms;
    for (std::size_t m = 0; m < models_; ++m) {
      offsets_.piece(tile, m, offset, size, room + m * size);
      norms.push_back(norm_of<A>(room + m * size, size));
    }
    Value* products = room + models_ * size;
    std::size_t pair = 0;
    for (std::size_t i = 0; i < models_; ++i) {
      for (std::size_t j = i + 1; j < models_; ++j) {
        multiply<A>(room + i * size, room + j * size, products, size);
        cosines[pair++] = sum_of<A>(products, size);
      }
    }
    divide_by_norms(norms, cosines);
  }

  void divide_by_norms(const std::vector<Value>& norms, Value* dots) const {
    std::size_t pair = 0;
    for (std::size_t i = 0; i < models_; ++i) {
      for (std::size_t j = i + 1; j < models_; ++j, ++pair) {
        const Value norm = std::max(A::round(norms[i] * norms[j]), coefficient<A>(kSmallestNorms));
        dots[pair] = std::clamp(A::round(dots[pair] / norm), Value{-1}, Value{1});
      }
    }
  }

  Value position(Value sum, std::size_t pairs) const {
    const auto models = static_cast<Value>(models_);
    const Value cosine = A::round(sum / static_cast<Value>(pairs));
    const Value denominator = A::round(Value{1} + A::round((models - 1) * cosine));
    if (std::abs(denominator) < coefficient<A>(kSingular)) return 0;
    return A::round(A::round(models * cosine) / denominator);
  }

  void interpolate(const Tile<Value>& tile, std::size_t offset, std::size_t size, Value t,
                   Value* out) const {
    std::array<Value, kPiece> room;
    std::copy_n(tile.inputs[offsets_.input(0)] + offset, size, out);
    for (std::size_t m = 1; m < models_; ++m)
      add<A>(out, tile.inputs[offsets_.input(m)] + offset, out, size);
    divide<A>(out, static_cast<Value>(models_), out, size);
    multiply<A>(out, t, out, size);
    multiply<A>(tile.inputs[base_] + offset, A::round(Value{1} - t), room.data(), size);
    add<A>(out, room.data(), out, size);
  }

  Offsets<A> offsets_;
  std::size_t base_;
  std::size_t models_;  // without the base
};

class ModelStock : public TypedMethod<ModelStock> {
 public:
  bool accepts(std::size_t inputs, bool has_base) const override {
    return has_base && inputs >= kLeastInputs;
  }
  Incomplete when_incomplete(std::size_t inputs, bool has_base) const override {
    if (inputs >= kLeastInputs) return Incomplete::kMerge;
    return inputs == 1 && has_base ? Incomplete::kCopy : Incomplete::kDrop;
  }
  std::uint64_t statistics_bytes(std::size_t inputs) const override {
    return inputs * kBlockElements * sizeof(double);
  }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles, Mt19937&) const {
    using Value = typename A::Value;
    if (task.models.size() == 1) return copy_input<Value>(0);
    const Stock<A> stock(task);
    const std::uint64_t row = task.shape.empty() ? 0 : task.shape.back();
    const bool by_row = task.shared.boolean("filter_wise") && row != 0;
    if (!by_row || row == tiles.elements()) return stock.whole(tiles);
    return stock.rows(tiles, row);
  }

 private:
  static constexpr std::size_t kLeastInputs = 3;
};

}  // namespace

const MergeMethod& model_stock() {
  static const ModelStock kMethod;
  return kMethod;
}

}  // namespace crucible::method
