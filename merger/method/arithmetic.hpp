#pragma once

#include "merger/tensor/dtype.hpp"
#include "merger/tensor/rounding.hpp"

// The arithmetic of the four floating types as torch does it on a CPU: operands are widened to
// `Value`, one elementary operation is done there, and round() brings the result back to the type.
namespace crucible::method {

struct F64 {
  using Value = double;
  static constexpr tensor::DType kDType = tensor::DType::kF64;
  static Value round(Value value) { return value; }
};

struct F32 {
  using Value = float;
  static constexpr tensor::DType kDType = tensor::DType::kF32;
  static Value round(Value value) { return value; }
};

struct BF16 {
  using Value = float;
  static constexpr tensor::DType kDType = tensor::DType::kBF16;
  static Value round(Value value) { return tensor::round_bf16(value); }
};

struct F16 {
  using Value = float;
  static constexpr tensor::DType kDType = tensor::DType::kF16;
  static Value round(Value value) { return tensor::round_f16(value); }
};

// A coefficient of the recipe as a scalar tensor of the type.
template <typename A>
typename A::Value coefficient(double value) {
  return A::round(static_cast<typename A::Value>(value));
}

}  // namespace crucible::method
