#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "merger/method/method.hpp"
#include "merger/method/offsets.hpp"
#include "merger/method/reductions.hpp"

// Spherical interpolation (Shoemake 1985) between two models, or between their differences to a
// base model, at t = w1 / (w0 + w1). With d the cosine between two vectors and theta = acos d:
//   out = (sin((1-t) theta) * v0 + sin(t theta) * v1) / sin theta,
// or (1-t) v0 + t v1 where 1 - d^2 vanishes. A vector is the whole tensor, or one row along its
// last extent, or (`nuslerp_row_wise`) one column along its first extent. Every operation rounds to
// the work type.
namespace crucible::method {
namespace {

constexpr double kSmallestNorm = 1e-7;
constexpr double kColinear = 1e-16;
constexpr double kNoWeight = 1e-6;  // below it t is 0.5

// out = (a * v0 + b * v1) / divisor.
template <typename Value>
struct Arc {
  Value a, b, divisor;
};
// One a vector, as arrays.
template <typename Value>
struct Arcs {
  std::vector<Value> a, b, divisor;
  explicit Arcs(std::size_t count) : a(count), b(count), divisor(count) {}
  void set(std::size_t i, const Arc<Value>& arc) {
    a[i] = arc.a;
    b[i] = arc.b;
    divisor[i] = arc.divisor;
  }
  Arc<Value> at(std::size_t i) const { return {a[i], b[i], divisor[i]}; }
};

template <typename A>
Arc<typename A::Value> arc_of(typename A::Value dot, double t) {
  using Value = typename A::Value;
  const auto from = static_cast<Value>(1 - t);
  const auto to = static_cast<Value>(t);
  const Value cosine = std::clamp(dot, Value{-1}, Value{1});
  const Value rest = A::round(Value{1} - A::round(cosine * cosine));
  if (rest <= static_cast<Value>(kColinear)) return {from, to, 1};
  const Value theta = arc_cosine<A>(cosine);
  return {sine<A>(A::round(from * theta)), sine<A>(A::round(to * theta)), sine<A>(theta)};
}

template <typename A>
typename A::Value at_least_smallest(typename A::Value norm) {
  return std::max(norm, coefficient<A>(kSmallestNorm));
}

// The two vectors of one tensor, cut as the recipe asks.
template <typename A>
class Pair {
 public:
  using Value = typename A::Value;
  Pair(const TensorTask& task, double t) : offsets_(task), t_(t) {}

  Result<Apply<Value>> whole(Tiles<Value>& tiles) const {
    std::array<VectorNorm<A>, 2> sums;
    std::vector<Value> room(kPiece);
    auto status = tiles.scan_folding(
        [](unsigned, const Tile<Value>&) {},
        [&](unsigned, const Tile<Value>& tile) {
          for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
            for (std::size_t v = 0; v < 2; ++v)
              sums[v].add(offsets_.piece(tile, v, offset, size, room.data()), size);
          });
        });
    if (!status) return fail(std::move(status.error()));
    const Value norm_a = at_least_smallest<A>(sums[0].norm());
    const Value norm_b = at_least_smallest<A>(sums[1].norm());
    VectorSum<A> dot(tiles.elements());
    auto products = room_for_workers<Value>(tiles, kBlockElements);
    status = tiles.scan([&](unsigned worker, const Tile<Value>& tile) {
      Value* block = products[worker].data();
      for (std::size_t from = 0; from < tile.count; from += kBlockElements) {
        const std::size_t count = std::min(kBlockElements, tile.count - from);
        for_each_piece(from, count, [&](std::size_t offset, std::size_t size) {
          multiply_units(tile, offset, size, norm_a, norm_b, block + (offset - from));
        });
        dot.add_block(tile.first + from, block, count);
      }
    });
    if (!status) return fail(std::move(status.error()));
    const Arc<Value> arc = arc_of<A>(dot.total(), t_);
    return [*this, arc](const Tile<Value>& tile, Value* out) {
      for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
        interpolate(tile, offset, size, arc.a, arc.b, arc.divisor, out + offset);
      });
    };
  }

  Result<Apply<Value>> rows(Tiles<Value>& tiles, std::uint64_t row) const {
    const auto size = static_cast<std::size_t>(row);
    auto arcs = std::make_shared<Arcs<Value>>(tiles.elements() / row);
    auto rooms = room_for_workers<Value>(tiles, 2 * size);
    auto status = tiles.scan_rows(row, [&](unsigned worker, const Tile<Value>& tile) {
      Value* room = rooms[worker].data();
      for (std::size_t offset = 0; offset < tile.count; offset += size) {
        const Value* a = offsets_.piece(tile, 0, offset, size, room);
        const Value* b = offsets_.piece(tile, 1, offset, size, room + size);
        const Value norm_a = at_least_smallest<A>(norm_of<A>(a, size));
        const Value norm_b = at_least_smallest<A>(norm_of<A>(b, size));
        divide<A>(a, norm_a, room, size);
        divide<A>(b, norm_b, room + size, size);
        multiply<A>(room, room + size, room, size);
        arcs->set((tile.first + offset) / row, arc_of<A>(sum_of<A>(room, size), t_));
      }
    });
    if (!status) return fail(std::move(status.error()));
    return [*this, arcs, row](const Tile<Value>& tile, Value* out) {
      for_each_row_piece(
          tile.first, tile.count, row,
          [&](std::uint64_t index, std::size_t, std::size_t offset, std::size_t count) {
            const Arc<Value> arc = arcs->at(index);
            interpolate(tile, offset, count, arc.a, arc.b, arc.divisor, out + offset);
          });
    };
  }

  Result<Apply<Value>> columns(Tiles<Value>& tiles, std::size_t columns) const {
    std::array<ColumnNorms<A>, 2> sums{ColumnNorms<A>(columns), ColumnNorms<A>(columns)};
    ColumnSums<A> dots(tiles.elements() / columns, columns);
    std::array<std::vector<Value>, 2> norms;
    std::vector<Value> room(2 * kPiece);
    auto status = tiles.scan_folding(
        [](unsigned, const Tile<Value>&) {},
        [&](unsigned, const Tile<Value>& tile) {
          for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
            for (std::size_t v = 0; v < 2; ++v) {
              sums[v].add(tile.first + offset, offsets_.piece(tile, v, offset, size, room.data()),
                          size);
            }
          });
        });
    if (!status) return fail(std::move(status.error()));
    for (std::size_t v = 0; v < 2; ++v) {
      for (std::size_t c = 0; c < columns; ++c)
        norms[v].push_back(at_least_smallest<A>(sums[v].norm(c)));
    }
    status = tiles.scan_folding(
        [](unsigned, const Tile<Value>&) {},
        [&](unsigned, const Tile<Value>& tile) {
          for_each_row_piece(
              tile.first, tile.count, columns,
              [&](std::uint64_t, std::size_t column, std::size_t offset, std::size_t size) {
                multiply_units(tile, offset, size, norms[0].data() + column,
                               norms[1].data() + column, room.data());
                dots.add(tile.first + offset, room.data(), size);
              });
        });
    if (!status) return fail(std::move(status.error()));
    auto arcs = std::make_shared<Arcs<Value>>(columns);
    for (std::size_t c = 0; c < columns; ++c) arcs->set(c, arc_of<A>(dots.total(c), t_));
    return [*this, arcs, columns](const Tile<Value>& tile, Value* out) {
      for_each_row_piece(
          tile.first, tile.count, columns,
          [&](std::uint64_t, std::size_t column, std::size_t offset, std::size_t size) {
            interpolate(tile, offset, size, arcs->a.data() + column, arcs->b.data() + column,
                        arcs->divisor.data() + column, out + offset);
          });
    };
  }

 private:
  // Norms are values, or arrays of as many.
  template <typename Norm>
  void multiply_units(const Tile<Value>& tile, std::size_t offset, std::size_t size, Norm norm_a,
                      Norm norm_b, Value* out) const {
    std::array<Value, kPiece> room;
    divide<A>(offsets_.piece(tile, 1, offset, size, room.data()), norm_b, room.data(), size);
    divide<A>(offsets_.piece(tile, 0, offset, size, out), norm_a, out, size);
    multiply<A>(out, room.data(), out, size);
  }

  template <typename Factor>
  void interpolate(const Tile<Value>& tile, std::size_t offset, std::size_t size, Factor a,
                   Factor b, Factor divisor, Value* out) const {
    std::array<Value, kPiece> room;
    multiply<A>(offsets_.piece(tile, 1, offset, size, room.data()), b, room.data(), size);
    multiply<A>(offsets_.piece(tile, 0, offset, size, out), a, out, size);
    add<A>(out, room.data(), out, size);
    divide<A>(out, divisor, out, size);
    offsets_.add_base(tile, offset, size, out);
  }

  Offsets<A> offsets_;
  double t_;
};

class Nuslerp : public TypedMethod<Nuslerp> {
 public:
  bool accepts(std::size_t inputs, bool has_base) const override {
    return inputs == (has_base ? 3 : 2);
  }
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
    const Pair<A> pair(task, position_of(task));
    const tensor::Shape& shape = task.shape;
    if (task.shared.boolean("nuslerp_flatten") || shape.size() < 2) return pair.whole(tiles);
    const bool first = task.shared.boolean("nuslerp_row_wise");
    const std::uint64_t extent = first ? shape.front() : shape.back();
    if (extent == tiles.elements() || extent == 0) return pair.whole(tiles);
    if (!first) return pair.rows(tiles, extent);
    return pair.columns(tiles, static_cast<std::size_t>(tiles.elements() / extent));
  }

 private:
  static double position_of(const TensorTask& task) {
    const Offsets<F64> models(task);
    const double first = task.models[models.input(0)].number("weight");
    const double second = task.models[models.input(1)].number("weight");
    return std::abs(first + second) < kNoWeight ? 0.5 : second / (first + second);
  }
};

}  // namespace

const MergeMethod& nuslerp() {
  static const Nuslerp kMethod;
  return kMethod;
}

}  // namespace crucible::method
