#include "evaluator/engine/tensor_rows.hpp"

#include <algorithm>
#include <utility>

namespace crucible::engine {
namespace {

constexpr std::uint64_t kPieceBytes = 4ULL << 20;

bool moves_rows(const TensorPlan& plan) {
  constexpr Change kMoves[] = {Change::kInterleave, Change::kUngroup, Change::kQueries,
                               Change::kKeys, Change::kValues};
  return plan.packed_rows > 0 ||
         std::ranges::any_of(kMoves, [&](Change change) { return plan.has(change); });
}

}  // namespace

std::vector<RowRange> row_pieces(const TensorPlan& plan, const ModelShape& shape,
                                 std::size_t source) {
  const std::uint64_t rows = plan.rows() / plan.sources.size();
  const std::uint64_t first = source * rows;
  if (plan.has(Change::kTranspose)) return {{first, rows}};
  // Whole heads, whose rows change places.
  const std::uint64_t unit = plan.has(Change::kInterleave) ? shape.head_size : 1;
  const std::uint64_t most = kPieceBytes / (plan.columns() * sizeof(float)) / unit;
  const std::uint64_t piece = std::max<std::uint64_t>(1, most) * unit;
  std::vector<RowRange> pieces;
  for (std::uint64_t row = 0; row < rows; row += piece)
    pieces.push_back({first + row, std::min(piece, rows - row)});
  return pieces;
}

Result<std::span<const float>> TensorRows::read(const checkpoint::TensorSource& source,
                                                const RowRange& piece) {
  auto done = plan_.has(Change::kTranspose) ? read_transposed(source) : read_span(source, piece);
  if (!done) return fail(std::move(done.error()));
  add_and_scale(gathered_);
  return std::span<const float>(gathered_);
}

// Target rows that lie close together in the source are read at once.
Status TensorRows::read_span(const checkpoint::TensorSource& source, const RowRange& piece) {
  gathered_.resize(piece.rows * columns_);
  if (!moves_rows(plan_)) {
    return read_run(source, source_row(plan_, shape_, piece.first).row, piece.rows, gathered_);
  }
  std::uint64_t done = 0;
  while (done < piece.rows) {
    const std::uint64_t row = piece.first + done;
    std::uint64_t low = source_row(plan_, shape_, row).row, high = low, count = 1;
    while (done + count < piece.rows) {
      const SourceRow next = source_row(plan_, shape_, row + count);
      const std::uint64_t new_low = std::min(low, next.row), new_high = std::max(high, next.row);
      const std::uint64_t most = std::max<std::uint64_t>(shape_.head_size, 2 * count);
      if (new_high - new_low + 1 > most) break;
      low = new_low;
      high = new_high;
      ++count;
    }
    values_.resize((high - low + 1) * columns_);
    if (auto read = read_run(source, low, high - low + 1, values_); !read) return read;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t from = source_row(plan_, shape_, row + i).row - low;
      std::copy_n(values_.begin() + static_cast<std::ptrdiff_t>(from * columns_), columns_,
                  gathered_.begin() + static_cast<std::ptrdiff_t>((done + i) * columns_));
    }
    done += count;
  }
  return {};
}

Status TensorRows::read_run(const checkpoint::TensorSource& source, std::uint64_t row,
                            std::uint64_t rows, std::span<float> out) {
  const tensor::DType dtype = source.dtype();
  const std::span<float> values = out.first(static_cast<std::size_t>(rows * columns_));
  if (dtype == tensor::DType::kF32) {
    return source.read(row * columns_, std::as_writable_bytes(values));
  }
  raw_.resize(values.size() * tensor::byte_size(dtype));
  if (auto read = source.read(row * columns_, raw_); !read) return read;
  tensor::to_float32(dtype, raw_, values);
  return {};
}

Status TensorRows::read_transposed(const checkpoint::TensorSource& source) {
  const std::uint64_t rows = plan_.rows();
  values_.resize(rows * columns_);
  gathered_.resize(values_.size());
  if (auto read = read_run(source, 0, rows, values_); !read) return read;
  for (std::uint64_t row = 0; row < rows; ++row) {
    for (std::uint64_t column = 0; column < columns_; ++column) {
      gathered_[row * columns_ + column] = values_[column * rows + row];
    }
  }
  return {};
}

void TensorRows::add_and_scale(std::span<float> values) const {
  const float offset = plan_.has(Change::kAddOne) ? 1.0F : 0.0F;
  const float scale =
      plan_.has(Change::kQueryScale) ? static_cast<float>(shape_.query_scale) : 1.0F;
  if (offset == 0 && scale == 1) return;
  for (float& value : values) value = (value + offset) * scale;
}

}  // namespace crucible::engine
