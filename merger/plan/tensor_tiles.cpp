#include "merger/plan/tensor_tiles.hpp"

#include "merger/tensor/finite.hpp"
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

}  // namespace

Status read_elements(const checkpoint::TensorSource& source, std::uint64_t first, bool only_finite,
                     std::span<std::byte> bytes) {
  if (auto status = source.read(first, bytes); !status) return status;
  if (!only_finite || tensor::count_not_finite(source.dtype(), bytes) == 0) return {};
  return fail(ErrorCode::kInvalidArgument,
              source.origin() +
                  " holds NaN or infinite values; the model is damaged, or was trained to death "
                  "(--allow-nonfinite merges it all the same)");
}

void to_work_type(DType stored, DType work, std::span<const std::byte> bytes,
                  std::span<float> values) {
  if (bytes.data() != std::as_bytes(values).data()) tensor::to_float32(stored, bytes, values);
  if (stored != work && work == DType::kBF16) round_all_bf16(values.data(), values.size());
  if (stored != work && work == DType::kF16) round_all_f16(values.data(), values.size());
}

void to_work_type(DType stored, DType, std::span<const std::byte> bytes, std::span<double> values) {
  if (bytes.data() != std::as_bytes(values).data()) tensor::to_float64(stored, bytes, values);
}

}  // namespace crucible::plan
