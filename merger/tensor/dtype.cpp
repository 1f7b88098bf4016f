#include "merger/tensor/dtype.hpp"

#include <array>
#include <cassert>
#include <cstring>

#include "merger/tensor/rounding.hpp"
#include "merger/tensor/simd.hpp"

namespace crucible::tensor {
namespace {

struct TypeRow {
  DType dtype;
  std::size_t bytes;
  std::string_view safetensors;
  std::string_view torch;
};

constexpr std::array<TypeRow, 15> kTypes{{
    {DType::kF64, 8, "F64", "float64"},
    {DType::kF32, 4, "F32", "float32"},
    {DType::kF16, 2, "F16", "float16"},
    {DType::kBF16, 2, "BF16", "bfloat16"},
    {DType::kI64, 8, "I64", "int64"},
    {DType::kI32, 4, "I32", "int32"},
    {DType::kI16, 2, "I16", "int16"},
    {DType::kI8, 1, "I8", "int8"},
    {DType::kU64, 8, "U64", "uint64"},
    {DType::kU32, 4, "U32", "uint32"},
    {DType::kU16, 2, "U16", "uint16"},
    {DType::kU8, 1, "U8", "uint8"},
    {DType::kBool, 1, "BOOL", "bool"},
    {DType::kF8E4M3, 1, "F8_E4M3", "float8_e4m3fn"},
    {DType::kF8E5M2, 1, "F8_E5M2", "float8_e5m2"},
}};

const TypeRow& row(DType dtype) {
  const TypeRow& found = kTypes[static_cast<std::size_t>(dtype)];
  assert(found.dtype == dtype);
  return found;
}

template <typename Element>
Element load(const std::byte* in, std::size_t index) {
  Element element;
  std::memcpy(&element, in + index * sizeof(Element), sizeof(Element));
  return element;
}

template <typename Element>
void store(std::byte* out, std::size_t index, Element element) {
  std::memcpy(out + index * sizeof(Element), &element, sizeof(Element));
}

CRUCIBLE_CPU_LEVELS void widen_bf16(const std::byte* in, float* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = bf16_to_float(load<std::uint16_t>(in, i));
}

CRUCIBLE_CPU_LEVELS void widen_f16(const std::byte* in, float* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = f16_to_float(load<std::uint16_t>(in, i));
}

CRUCIBLE_CPU_LEVELS void narrow_bf16(const float* in, std::byte* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) store(out, i, float_to_bf16(in[i]));
}

CRUCIBLE_CPU_LEVELS void narrow_f16(const float* in, std::byte* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) store(out, i, float_to_f16(in[i]));
}

}  // namespace

std::size_t byte_size(DType dtype) { return row(dtype).bytes; }
std::string_view safetensors_name(DType dtype) { return row(dtype).safetensors; }
std::string_view torch_name(DType dtype) { return row(dtype).torch; }

std::optional<DType> from_safetensors_name(std::string_view name) {
  for (const TypeRow& type : kTypes) {
    if (type.safetensors == name) return type.dtype;
  }
  return std::nullopt;
}

std::optional<DType> from_torch_name(std::string_view name) {
  if (name.starts_with("torch.")) name.remove_prefix(6);
  for (const TypeRow& type : kTypes) {
    if (type.torch == name) return type.dtype;
  }
  return std::nullopt;
}

bool is_floating(DType dtype) {
  return dtype == DType::kF64 || dtype == DType::kF32 || dtype == DType::kF16 ||
         dtype == DType::kBF16;
}

std::optional<std::uint64_t> element_count(const Shape& shape) {
  std::uint64_t count = 1;
  for (const std::uint64_t extent : shape) {
    if (__builtin_mul_overflow(count, extent, &count)) return std::nullopt;
  }
  return count;
}

void to_float32(DType dtype, std::span<const std::byte> in, std::span<float> out) {
  switch (dtype) {
    case DType::kBF16:
      return widen_bf16(in.data(), out.data(), out.size());
    case DType::kF16:
      return widen_f16(in.data(), out.data(), out.size());
    case DType::kF64:
      for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<float>(load<double>(in.data(), i));
      }
      return;
    default:
      assert(dtype == DType::kF32);
      if (!out.empty()) std::memcpy(out.data(), in.data(), out.size_bytes());
  }
}

void from_float32(DType dtype, std::span<const float> in, std::span<std::byte> out) {
  switch (dtype) {
    case DType::kBF16:
      return narrow_bf16(in.data(), out.data(), in.size());
    case DType::kF16:
      return narrow_f16(in.data(), out.data(), in.size());
    case DType::kF64:
      for (std::size_t i = 0; i < in.size(); ++i) {
        store(out.data(), i, static_cast<double>(in[i]));
      }
      return;
    default:
      assert(dtype == DType::kF32);
      if (!in.empty()) std::memcpy(out.data(), in.data(), in.size_bytes());
  }
}

void to_float64(DType dtype, std::span<const std::byte> in, std::span<double> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    switch (dtype) {
      case DType::kF64:
        out[i] = load<double>(in.data(), i);
        break;
      case DType::kBF16:
        out[i] = static_cast<double>(bf16_to_float(load<std::uint16_t>(in.data(), i)));
        break;
      case DType::kF16:
        out[i] = static_cast<double>(f16_to_float(load<std::uint16_t>(in.data(), i)));
        break;
      default:
        assert(dtype == DType::kF32);
        out[i] = static_cast<double>(load<float>(in.data(), i));
    }
  }
}

// By way of float32 for the 16-bit types, as torch converts.
void from_float64(DType dtype, std::span<const double> in, std::span<std::byte> out) {
  for (std::size_t i = 0; i < in.size(); ++i) {
    const auto single = static_cast<float>(in[i]);
    switch (dtype) {
      case DType::kF64:
        store(out.data(), i, in[i]);
        break;
      case DType::kBF16:
        store(out.data(), i, float_to_bf16(single));
        break;
      case DType::kF16:
        store(out.data(), i, float_to_f16(single));
        break;
      default:
        assert(dtype == DType::kF32);
        store(out.data(), i, single);
    }
  }
}

float round_to(DType dtype, float value) {
  if (dtype == DType::kBF16) return round_bf16(value);
  if (dtype == DType::kF16) return round_f16(value);
  return value;
}

}  // namespace crucible::tensor
