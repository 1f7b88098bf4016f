#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "merger/method/method.hpp"
#include "merger/method/offsets.hpp"
#include "merger/method/reductions.hpp"

// Barycentric interpolation on a hypersphere (Goddard 2025, "Multi-SLERP"): the models, or their
// differences to a base model, are taken as unit vectors u_i, moved to the tangent space at their
// normalised weighted mean m, averaged there and moved back by the exponential map:
//   v = sum_i w_i (u_i - <u_i, m> m),  n = |v| + eps
//   out = (m cos n + v sin n / n) * sum_i w_i |x_i|
// The whole tensor is one vector; every operation rounds to the work type.
namespace crucible::method {
namespace {

// What is known of one tensor after each pass, and pieces of the vectors that follow from it.
template <typename A>
class Blend {
 public:
  using Value = typename A::Value;
  Blend(const TensorTask& task, std::uint64_t elements)
      : offsets_(task), elements_(elements), sum_(offsets_.count(), elements) {
    for (std::size_t m = 0; m < offsets_.count(); ++m) {
      weights_.push_back(coefficient<A>(task.models[offsets_.input(m)].number("weight")));
    }
    if (task.shared.boolean("normalize_weights")) {
      const Value total = sum_of<A>(weights_.data(), weights_.size());
      divide<A>(weights_.data(), total, weights_.data(), weights_.size());
    }
    eps_ = task.shared.number("eps");
  }

  // Buffers of one worker.
  struct Room {
    std::vector<Value> units, products;  // model-major, kPiece a model
    std::vector<const Value*> rows;
    std::array<Value, kPiece> mean, tangent;
  };
  std::vector<Room> rooms(const Tiles<Value>& tiles) const {
    return std::vector<Room>(tiles.workers(), new_room());
  }

  Status measure(Tiles<Value>& tiles) {
    std::vector<VectorNorm<A>> norms(offsets_.count());
    auto status = in_order(
        tiles, [&](const Tile<Value>& tile, std::size_t offset, std::size_t size, Room& room) {
          for (std::size_t m = 0; m < norms.size(); ++m)
            norms[m].add(offsets_.piece(tile, m, offset, size, room.mean.data()), size);
        });
    if (!status) return status;
    std::vector<Value> weighted;
    for (std::size_t m = 0; m < norms.size(); ++m) {
      const Value norm = norms[m].norm();
      lengths_.push_back(A::round(norm + coefficient<A>(eps_)));
      weighted.push_back(A::round(norm * weights_[m]));
    }
    length_ = sum_of<A>(weighted.data(), weighted.size());
    return {};
  }

  // False when the weighted unit vectors cancel out.
  Result<bool> find_mean(Tiles<Value>& tiles) {
    VectorNorm<A> norm;
    auto status = in_order(
        tiles, [&](const Tile<Value>& tile, std::size_t offset, std::size_t size, Room& room) {
          compute_mean(tile, offset, size, room);
          norm.add(room.mean.data(), size);
        });
    if (!status) return fail(std::move(status.error()));
    mean_length_ = norm.norm();
    return !(mean_length_ < coefficient<A>(eps_));
  }

  Status find_tangent(Tiles<Value>& tiles) {
    std::vector<VectorSum<A>> dots(offsets_.count(), VectorSum<A>(elements_));
    auto rooms = this->rooms(tiles);
    auto blocks = room_for_workers<Value>(tiles, offsets_.count() * kBlockElements);
    auto status = tiles.scan([&](unsigned worker, const Tile<Value>& tile) {
      for (std::size_t from = 0; from < tile.count; from += kBlockElements) {
        const std::size_t count = std::min(kBlockElements, tile.count - from);
        add_dots(tile, from, count, rooms[worker], blocks[worker].data(), dots);
      }
    });
    if (!status) return status;
    for (const VectorSum<A>& dot : dots) dots_.push_back(dot.total());
    VectorNorm<A> norm;
    status = in_order(
        tiles, [&](const Tile<Value>& tile, std::size_t offset, std::size_t size, Room& room) {
          compute_tangent(tile, offset, size, room);
          norm.add(room.tangent.data(), size);
        });
    if (!status) return status;
    const Value angle = A::round(norm.norm() + coefficient<A>(eps_));
    cosine_ = cosine<A>(angle);
    sine_ratio_ = A::round(sine<A>(angle) / angle);
    return {};
  }

  void apply(const Tile<Value>& tile, Value* out) const {
    Room room = new_room();
    for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
      compute_tangent(tile, offset, size, room);
      Value* result = out + offset;
      multiply<A>(room.mean.data(), cosine_, result, size);
      multiply<A>(room.tangent.data(), sine_ratio_, room.tangent.data(), size);
      add<A>(result, room.tangent.data(), result, size);
      multiply<A>(result, length_, result, size);
      offsets_.add_base(tile, offset, size, result);
    });
  }

  // Two vectors that cancel out are averaged.
  void apply_average(const Tile<Value>& tile, Value* out) const {
    std::array<Value, kPiece> room;
    for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
      Value* result = out + offset;
      multiply<A>(offsets_.piece(tile, 1, offset, size, room.data()), weights_[1], room.data(),
                  size);
      multiply<A>(offsets_.piece(tile, 0, offset, size, result), weights_[0], result, size);
      add<A>(result, room.data(), result, size);
      offsets_.add_base(tile, offset, size, result);
    });
  }

 private:
  Room new_room() const {
    Room room;
    room.units.resize(offsets_.count() * kPiece);
    room.products.resize(room.units.size());
    room.rows.resize(offsets_.count());
    return room;
  }

  template <typename Visit>
  Status in_order(Tiles<Value>& tiles, const Visit& visit) const {
    Room room = new_room();
    return tiles.scan_folding([](unsigned, const Tile<Value>&) {},
                              [&](unsigned, const Tile<Value>& tile) {
                                for_each_piece(0, tile.count,
                                               [&](std::size_t offset, std::size_t size) {
                                                 visit(tile, offset, size, room);
                                               });
                              });
  }

  void compute_units(const Tile<Value>& tile, std::size_t offset, std::size_t size,
                     Room& room) const {
    for (std::size_t m = 0; m < offsets_.count(); ++m) {
      Value* unit = room.units.data() + m * kPiece;
      divide<A>(offsets_.piece(tile, m, offset, size, unit), lengths_[m], unit, size);
    }
  }

  // Sum over the models of w_i times `vectors`.
  void add_weighted(const Tile<Value>& tile, std::size_t offset, std::size_t size,
                    const std::vector<Value>& vectors, Room& room, Value* out) const {
    for (std::size_t m = 0; m < offsets_.count(); ++m) {
      Value* product = room.products.data() + m * kPiece;
      multiply<A>(vectors.data() + m * kPiece, weights_[m], product, size);
      room.rows[m] = product;
    }
    sum_.sum(room.rows, tile.first + offset, out, size);
  }

  void compute_mean(const Tile<Value>& tile, std::size_t offset, std::size_t size,
                    Room& room) const {
    compute_units(tile, offset, size, room);
    add_weighted(tile, offset, size, room.units, room, room.mean.data());
    if (mean_length_ != 0) divide<A>(room.mean.data(), mean_length_, room.mean.data(), size);
  }

  void add_dots(const Tile<Value>& tile, std::size_t from, std::size_t count, Room& room,
                Value* block, std::vector<VectorSum<A>>& dots) const {
    for_each_piece(from, count, [&](std::size_t offset, std::size_t size) {
      compute_mean(tile, offset, size, room);
      for (std::size_t m = 0; m < dots.size(); ++m) {
        multiply<A>(room.units.data() + m * kPiece, room.mean.data(),
                    block + m * kBlockElements + (offset - from), size);
      }
    });
    for (std::size_t m = 0; m < dots.size(); ++m)
      dots[m].add_block(tile.first + from, block + m * kBlockElements, count);
  }

  void compute_tangent(const Tile<Value>& tile, std::size_t offset, std::size_t size,
                       Room& room) const {
    compute_mean(tile, offset, size, room);
    for (std::size_t m = 0; m < offsets_.count(); ++m) {
      Value* unit = room.units.data() + m * kPiece;
      multiply<A>(room.mean.data(), dots_[m], room.tangent.data(), size);
      subtract<A>(unit, room.tangent.data(), unit, size);
    }
    add_weighted(tile, offset, size, room.units, room, room.tangent.data());
  }

  Offsets<A> offsets_;
  std::uint64_t elements_;
  RowSum<A> sum_;
  std::vector<Value> weights_;
  double eps_ = 0;
  std::vector<Value> lengths_;  // of the vectors, eps added
  Value length_ = 0;            // of the result
  Value mean_length_ = 0;       // 0: not known yet
  std::vector<Value> dots_;
  Value cosine_ = 1;
  Value sine_ratio_ = 1;
};

class Multislerp : public TypedMethod<Multislerp> {
 public:
  bool accepts(std::size_t inputs, bool has_base) const override {
    return inputs >= (has_base ? 2U : 1U);
  }
  std::uint64_t statistics_bytes(std::size_t inputs) const override {
    return inputs * (kBlockElements + 2 * kPiece) * sizeof(double);
  }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles, Mt19937&) const {
    using Value = typename A::Value;
    const Offsets<A> vectors(task);
    if (vectors.count() == 1) return copy_input<Value>(vectors.input(0));
    auto blend = std::make_shared<Blend<A>>(task, tiles.elements());
    if (auto status = blend->measure(tiles); !status) return fail(std::move(status.error()));
    const auto apart = blend->find_mean(tiles);
    if (!apart) return fail(apart.error());
    if (!*apart && vectors.count() == 2) {
      return [blend](const Tile<Value>& tile, Value* out) { blend->apply_average(tile, out); };
    }
    if (!*apart) {
      return fail(ErrorCode::kInvalidArgument,
                  "the weighted directions of the models cancel out, so multislerp has no mean to "
                  "start from; change the weights");
    }
    if (auto status = blend->find_tangent(tiles); !status) return fail(std::move(status.error()));
    return [blend](const Tile<Value>& tile, Value* out) { blend->apply(tile, out); };
  }
};

}  // namespace

const MergeMethod& multislerp() {
  static const Multislerp kMethod;
  return kMethod;
}

}  // namespace crucible::method
