#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "evaluator/engine/model_shape.hpp"

namespace crucible::engine {

// Target rows [first, first + rows) of a planned tensor.
struct RowRange {
  std::uint64_t first = 0;
  std::uint64_t rows = 0;
};

// The rows that source number `source` of the plan gives, a few MiB at a time (a transposed tensor
// as a whole).
std::vector<RowRange> row_pieces(const TensorPlan& plan, const ModelShape& shape,
                                 std::size_t source);

// Rows of one planned tensor in f32, with its changes applied. Room for a piece, used again.
class TensorRows {
 public:
  TensorRows(const TensorPlan& plan, const ModelShape& shape)
      : plan_(plan), shape_(shape), columns_(plan.columns()) {}

  // A piece of row_pieces from its source, which must have passed check_tensors; valid until the
  // next call.
  Result<std::span<const float>> read(const checkpoint::TensorSource& source,
                                      const RowRange& piece);

 private:
  Status read_run(const checkpoint::TensorSource& source, std::uint64_t row, std::uint64_t rows,
                  std::span<float> out);
  Status read_span(const checkpoint::TensorSource& source, const RowRange& piece);
  Status read_transposed(const checkpoint::TensorSource& source);
  void add_and_scale(std::span<float> values) const;

  const TensorPlan& plan_;
  const ModelShape& shape_;
  std::uint64_t columns_;
  std::vector<std::byte> raw_;
  std::vector<float> values_;
  std::vector<float> gathered_;
};

}  // namespace crucible::engine
