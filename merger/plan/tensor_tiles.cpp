#include "merger/plan/tensor_tiles.hpp"

#include "merger/tensor/rounding.hpp"
#include "merger/tensor/simd.hpp"

namespace crucible::plan {
namespace {

using tensor::DType;

CRUCIBLE_CPU_LEVELS void round_all_bf16(float* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = tensor::round_bf16(values[i]);
}

CRUCIBLE_CPU_LEVELS void round_all_f16(float* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = tensor::round_f16(values[i]);
}

Status read_raw(const checkpoint::TensorLocation& location, std::uint64_t first,
                std::span<std::byte> data) {
  return location.shard->read(*location.entry, first * tensor::byte_size(location.entry->dtype),
                              data);
}

}  // namespace

Status load_values(const checkpoint::TensorLocation& location, DType work, std::uint64_t first,
                   std::size_t count, std::vector<std::byte>& raw, float* values) {
  const DType stored = location.entry->dtype;
  const std::span<float> out(values, count);
  if (stored == DType::kF32) {
    if (auto status = read_raw(location, first, std::as_writable_bytes(out)); !status)
      return status;
  } else {
    raw.resize(std::max(raw.size(), count * tensor::byte_size(stored)));
    const std::span<std::byte> bytes(raw.data(), count * tensor::byte_size(stored));
    if (auto status = read_raw(location, first, bytes); !status) return status;
    tensor::to_float32(stored, bytes, out);
  }
  if (stored != work && work == DType::kBF16) round_all_bf16(values, count);
  if (stored != work && work == DType::kF16) round_all_f16(values, count);
  return {};
}

Status load_values(const checkpoint::TensorLocation& location, DType, std::uint64_t first,
                   std::size_t count, std::vector<std::byte>& raw, double* values) {
  const DType stored = location.entry->dtype;
  raw.resize(std::max(raw.size(), count * tensor::byte_size(stored)));
  const std::span<std::byte> bytes(raw.data(), count * tensor::byte_size(stored));
  if (auto status = read_raw(location, first, bytes); !status) return status;
  tensor::to_float64(stored, bytes, std::span<double>(values, count));
  return {};
}

}  // namespace crucible::plan
