#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "merger/base/error.hpp"

namespace crucible::method {

// Prunes the difference of one model in one tile, handed over in successive pieces.
template <typename Value>
class Pruner {
 public:
  virtual ~Pruner() = default;
  // Sets the pruned elements of the next delta.size() differences to zero.
  virtual void prune(std::span<Value> delta) = 0;
};

// Which elements of each model's difference survive in one tensor. Immutable once prepared.
template <typename Value>
class Sparsifier {
 public:
  virtual ~Sparsifier() = default;
  // nullptr when everything of this model is kept. `model` counts the models without the base.
  virtual std::unique_ptr<Pruner<Value>> begin(std::size_t model, std::uint64_t tile) const = 0;
};

}  // namespace crucible::method
