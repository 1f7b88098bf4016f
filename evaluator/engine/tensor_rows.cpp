#include "evaluator/engine/tensor_rows.hpp"

#include <algorithm>

namespace crucible::engine {
namespace {

constexpr std::uint64_t kChunkBytes = 4ULL << 20;

}  // namespace

TensorRows::TensorRows(const checkpoint::Checkpoint& checkpoint, const TensorPlan& plan,
                       const ModelShape& shape)
    : checkpoint_(checkpoint), plan_(plan), shape_(shape), columns_(plan.columns()) {
  // Whole heads, whose rows change places.
  const std::uint64_t unit = plan.has(Change::kInterleave) ? shape.head_size : 1;
  chunk_ = std::max<std::uint64_t>(1, kChunkBytes / (columns_ * sizeof(float)) / unit) * unit;
}

Result<std::span<const float>> TensorRows::read(std::uint64_t row) {
  const std::uint64_t rows = std::min(chunk_, plan_.rows() - row);
  if (plan_.has(Change::kTranspose)) {
    if (auto done = read_transposed(); !done) return fail(done.error());
  } else if (auto done = read_span(row, rows); !done) {
    return fail(done.error());
  }
  add_and_scale(gathered_);
  return std::span<const float>(gathered_);
}

// Target rows that come from one source and lie close together there are read at once.
Status TensorRows::read_span(std::uint64_t row, std::uint64_t rows) {
  gathered_.resize(rows * columns_);
  std::uint64_t done = 0;
  while (done < rows) {
    const SourceRow first = source_row(plan_, shape_, row + done);
    std::uint64_t low = first.row, high = first.row, count = 1;
    while (done + count < rows) {
      const SourceRow next = source_row(plan_, shape_, row + done + count);
      const std::uint64_t new_low = std::min(low, next.row), new_high = std::max(high, next.row);
      const std::uint64_t most = std::max<std::uint64_t>(shape_.head_size, 2 * count);
      if (next.source != first.source || new_high - new_low + 1 > most) break;
      low = new_low;
      high = new_high;
      ++count;
    }
    values_.resize((high - low + 1) * columns_);
    if (auto read = read_run({first.source, low}, high - low + 1, values_); !read) return read;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t from = source_row(plan_, shape_, row + done + i).row - low;
      std::copy_n(values_.begin() + static_cast<std::ptrdiff_t>(from * columns_), columns_,
                  gathered_.begin() + static_cast<std::ptrdiff_t>((done + i) * columns_));
    }
    done += count;
  }
  return {};
}

Status TensorRows::read_run(const SourceRow& from, std::uint64_t rows, std::span<float> out) {
  const auto found = checkpoint_.find(plan_.sources[from.source]);
  const std::uint64_t element = tensor::byte_size(found.entry->dtype);
  raw_.resize(rows * columns_ * element);
  const std::uint64_t offset = from.row * columns_ * element;
  if (auto read = found.shard->read(*found.entry, offset, raw_); !read) return read;
  tensor::to_float32(found.entry->dtype, raw_, out);
  return {};
}

Status TensorRows::read_transposed() {
  const std::uint64_t rows = plan_.rows();
  values_.resize(rows * columns_);
  gathered_.resize(values_.size());
  if (auto read = read_run({0, 0}, rows, values_); !read) return read;
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
