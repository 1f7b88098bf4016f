#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

// Element types of safetensors files, and conversion of the floating ones to and from float32.
namespace crucible::tensor {

enum class DType : std::uint8_t {
  kF64,
  kF32,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU64,
  kU32,
  kU16,
  kU8,
  kBool,
  kF8E4M3,
  kF8E5M2
};

std::size_t byte_size(DType dtype);
std::string_view safetensors_name(DType dtype);  // "BF16"
std::optional<DType> from_safetensors_name(std::string_view name);
// The recipe's spelling: "float16", "bfloat16", "float32", "float64", int64, with or without
// "torch.".
std::optional<DType> from_torch_name(std::string_view name);
std::string_view torch_name(DType dtype);  // "bfloat16"
// F64, F32, F16, BF16: types we compute in. F8 types are carried as bytes.
bool is_floating(DType dtype);

using Shape = std::vector<std::uint64_t>;
// Product of the extents, 1 for a scalar; nullopt where it overflows 64 bits on the way from the
// first extent to the last, so that [2^40, 2^40, 0] has none and [0, 2^40, 2^40] has 0, as for the
// reference reader of safetensors.
std::optional<std::uint64_t> element_count(const Shape& shape);

// Conversions of `out.size()` elements; `in` holds that many elements of `dtype` (floating), any
// alignment, little-endian. Narrowing rounds to nearest even, as torch does; NaN stays NaN.
void to_float32(DType dtype, std::span<const std::byte> in, std::span<float> out);
void from_float32(DType dtype, std::span<const float> in, std::span<std::byte> out);
void to_float64(DType dtype, std::span<const std::byte> in, std::span<double> out);
void from_float64(DType dtype, std::span<const double> in, std::span<std::byte> out);
// value rounded to `dtype` and back: the effect of one torch operation in that type.
float round_to(DType dtype, float value);

}  // namespace crucible::tensor
