#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "merger/method/method.hpp"
#include "merger/method/offsets.hpp"
#include "merger/method/reductions.hpp"

// Karcher (Riemannian) mean on the hypersphere (Grove and Karcher 1973; for merging
// arXiv:2603.04972): the point m of least summed squared angle to the models' unit vectors u_i,
// found by gradient steps from their normalised average:
//   v = sum_i a_i theta_i / sin theta_i (u_i - cos theta_i m),  cos theta_i = <m, u_i>
//   m <- cos|v| m + sin|v| v / |v|
// until |v| < tol or after max_iter steps; out = m * sum_i |x_i| / N. Models of a norm up to tol do
// not take part. Norms are float32 (float64 for F64), all else rounds to the work type after every
// operation, and so m is not a function of the Gram matrix alone: each step takes three passes over
// the tensor, which compute the m of the steps before anew, piece by piece.
namespace crucible::method {
namespace {

template <typename A>
class Mean {
 public:
  using Value = typename A::Value;
  Mean(const TensorTask& task, std::uint64_t elements)
      : models_(task.models.size()),
        elements_(elements),
        tolerance_(task.shared.number("tol")),
        most_steps_(task.shared.number("max_iter")) {}

  Status find(Tiles<Value>& tiles) {
    if (auto status = measure(tiles); !status || used_.empty()) return status;
    auto start =
        norm_of_vector(tiles, [&](const Piece& piece, Value* out) { mean(piece, 0, out); });
    if (!start) return fail(std::move(start.error()));
    if (static_cast<double>(*start) < tolerance_) {
      starts_at_first_ = true;
    } else {
      start_length_ = *start;
    }
    for (std::size_t step = 0; static_cast<double>(step) < most_steps_; ++step) {
      auto goes_on = add_step(tiles);
      if (!goes_on) return fail(std::move(goes_on.error()));
      if (!*goes_on) break;
    }
    return {};
  }

  void apply(const Tile<Value>& tile, Value* out) const {
    if (used_.empty()) {
      std::fill_n(out, tile.count, Value{0});
      return;
    }
    for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
      mean({&tile, offset, size}, steps_.size(), out + offset);
      multiply<A>(out + offset, length_, out + offset, size);
    });
  }

 private:
  struct Piece {
    const Tile<Value>* tile;
    std::size_t offset;
    std::size_t size;
  };
  // One way to the next mean.
  struct Step {
    std::vector<Value> dots, factors;  // one a used model; factor 0: the model is where the mean is
    Value tangent_length = 0;
    Value cosine = 1;
    Value sine = 0;
    std::optional<Value> length;  // of what comes out, to divide by
  };
  using Buffer = std::array<Value, kPiece>;

  Status measure(Tiles<Value>& tiles) {
    std::vector<LaneNorm<Value>> norms(models_);
    auto status = tiles.scan_folding([](unsigned, const Tile<Value>&) {},
                                     [&](unsigned, const Tile<Value>& tile) {
                                       for (std::size_t m = 0; m < models_; ++m)
                                         norms[m].add(tile.inputs[m], tile.count);
                                     });
    if (!status) return status;
    const double share = 1.0 / static_cast<double>(models_);
    Value length = 0;
    for (std::size_t m = 0; m < models_; ++m) {
      norms_.push_back(norms[m].norm());
      length += norms_.back() * static_cast<Value>(share);
      if (static_cast<double>(norms_.back()) > tolerance_) used_.push_back(m);
    }
    length_ = A::round(length);
    double used_share = 0;
    for (std::size_t i = 0; i < used_.size(); ++i) used_share += share;
    share_ = share / used_share;
    return {};
  }

  void unit(const Piece& piece, std::size_t used, Value* out) const {
    const std::size_t model = used_[used];
    divide<A>(piece.tile->inputs[model] + piece.offset, norms_[model], out, piece.size);
  }

  // The mean after `steps` steps.
  void mean(const Piece& piece, std::size_t steps, Value* out) const {
    start(piece, out);
    Buffer tangent;
    for (std::size_t s = 0; s < steps; ++s) {
      const Step& step = steps_[s];
      this->tangent(piece, step, out, tangent.data());
      divide<A>(tangent.data(), step.tangent_length, tangent.data(), piece.size);
      multiply<A>(tangent.data(), step.sine, tangent.data(), piece.size);
      multiply<A>(out, step.cosine, out, piece.size);
      add<A>(out, tangent.data(), out, piece.size);
      if (step.length) divide<A>(out, *step.length, out, piece.size);
    }
  }

  void start(const Piece& piece, Value* out) const {
    if (starts_at_first_) {
      unit(piece, 0, out);
      return;
    }
    Buffer room;
    std::fill_n(out, piece.size, Value{0});
    for (std::size_t u = 0; u < used_.size(); ++u) {
      unit(piece, u, room.data());
      multiply<A>(room.data(), static_cast<Value>(share_), room.data(), piece.size);
      add<A>(out, room.data(), out, piece.size);
    }
    if (start_length_) divide<A>(out, *start_length_, out, piece.size);
  }

  void tangent(const Piece& piece, const Step& step, const Value* mean, Value* out) const {
    Buffer room, along;
    std::fill_n(out, piece.size, Value{0});
    for (std::size_t u = 0; u < used_.size(); ++u) {
      if (step.factors[u] == Value{0}) continue;
      unit(piece, u, room.data());
      multiply<A>(mean, step.dots[u], along.data(), piece.size);
      subtract<A>(room.data(), along.data(), room.data(), piece.size);
      multiply<A>(room.data(), step.factors[u], room.data(), piece.size);
      add<A>(out, room.data(), out, piece.size);
    }
  }

  // Norm of the vector that compute(piece, out) gives.
  template <typename Compute>
  Result<Value> norm_of_vector(Tiles<Value>& tiles, const Compute& compute) {
    LaneNorm<Value> norm;
    auto status = compute_and_fold(tiles, compute, [&](const Piece& piece, const Value* values) {
      norm.add(values, piece.size);
    });
    if (!status) return fail(std::move(status.error()));
    return norm.norm();
  }

  // compute(piece, out) for several tiles at the same time, then fold(piece, values) in order.
  template <typename Compute, typename Fold>
  Status compute_and_fold(Tiles<Value>& tiles, const Compute& compute, const Fold& fold) {
    auto rooms = room_for_workers<Value>(tiles, tiles.tile_elements());
    return tiles.scan_folding(
        [&](unsigned worker, const Tile<Value>& tile) {
          for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
            compute(Piece{&tile, offset, size}, rooms[worker].data() + offset);
          });
        },
        [&](unsigned worker, const Tile<Value>& tile) {
          for_each_piece(0, tile.count, [&](std::size_t offset, std::size_t size) {
            fold(Piece{&tile, offset, size}, rooms[worker].data() + offset);
          });
        });
  }

  // False when the mean stays where it is.
  Result<bool> add_step(Tiles<Value>& tiles) {
    const std::size_t done = steps_.size();
    Step step;
    if (auto status = find_angles(tiles, step); !status) return fail(std::move(status.error()));
    auto length = norm_of_vector(tiles, [&](const Piece& piece, Value* out) {
      Buffer at;
      mean(piece, done, at.data());
      tangent(piece, step, at.data(), out);
    });
    if (!length) return fail(std::move(length.error()));
    if (static_cast<double>(*length) < tolerance_) return false;
    step.tangent_length = *length;
    step.cosine = A::round(cos_as_torch(*length));
    step.sine = A::round(sin_as_torch(*length));
    steps_.push_back(step);
    length =
        norm_of_vector(tiles, [&](const Piece& piece, Value* out) { mean(piece, done + 1, out); });
    if (!length) return fail(std::move(length.error()));
    if (static_cast<double>(*length) > tolerance_) steps_.back().length = *length;
    return true;
  }

  Status find_angles(Tiles<Value>& tiles, Step& step) {
    std::vector<DotProduct<A>> dots(used_.size(), DotProduct<A>(elements_));
    auto status = compute_and_fold(
        tiles, [&](const Piece& piece, Value* out) { mean(piece, steps_.size(), out); },
        [&](const Piece& piece, const Value* values) {
          Buffer room;
          for (std::size_t u = 0; u < used_.size(); ++u) {
            unit(piece, u, room.data());
            dots[u].add(values, room.data(), piece.size);
          }
        });
    if (!status) return status;
    for (const DotProduct<A>& product : dots) {
      const Value dot = std::clamp(product.total(), Value{-1}, Value{1});
      const Value theta = arc_cosine<A>(dot);
      const bool there = static_cast<double>(theta) < tolerance_;
      const Value ratio = there ? Value{0} : A::round(theta / sine<A>(theta));
      step.dots.push_back(dot);
      step.factors.push_back(A::round(ratio * static_cast<Value>(share_)));
    }
    return {};
  }

  std::size_t models_;
  std::uint64_t elements_;
  double tolerance_;
  double most_steps_;
  std::vector<Value> norms_;       // one an input
  std::vector<std::size_t> used_;  // inputs that take part
  double share_ = 1;               // of each of them
  Value length_ = 0;               // of the result
  bool starts_at_first_ = false;
  std::optional<Value> start_length_;
  std::vector<Step> steps_;
};

class Karcher : public TypedMethod<Karcher> {
 public:
  bool accepts(std::size_t inputs, bool) const override { return inputs >= 1; }
  std::uint64_t statistics_bytes(std::size_t) const override {
    return kChunkElements * sizeof(double);
  }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles, Mt19937&) const {
    using Value = typename A::Value;
    if (task.models.size() == 1) return copy_input<Value>(0);
    auto mean = std::make_shared<Mean<A>>(task, tiles.elements());
    if (auto status = mean->find(tiles); !status) return fail(std::move(status.error()));
    return [mean](const Tile<Value>& tile, Value* out) { mean->apply(tile, out); };
  }
};

}  // namespace

const MergeMethod& karcher() {
  static const Karcher kMethod;
  return kMethod;
}

}  // namespace crucible::method
