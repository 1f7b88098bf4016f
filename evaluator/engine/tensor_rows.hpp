#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "evaluator/engine/model_shape.hpp"

namespace crucible::engine {

// The rows of one planned tensor in f32, with its changes applied, a few MiB at a time (a
// transposed tensor as a whole). The sources must have passed check_tensors.
class TensorRows {
 public:
  TensorRows(const checkpoint::Checkpoint& checkpoint, const TensorPlan& plan,
             const ModelShape& shape);

  // Rows from `row` on, at least one; valid until the next call.
  Result<std::span<const float>> read(std::uint64_t row);

 private:
  Status read_run(const SourceRow& from, std::uint64_t rows, std::span<float> out);
  Status read_span(std::uint64_t row, std::uint64_t rows);
  Status read_transposed();
  void add_and_scale(std::span<float> values) const;

  const checkpoint::Checkpoint& checkpoint_;
  const TensorPlan& plan_;
  const ModelShape& shape_;
  std::uint64_t columns_;
  std::uint64_t chunk_;  // rows
  std::vector<std::byte> raw_;
  std::vector<float> values_;
  std::vector<float> gathered_;
};

}  // namespace crucible::engine
