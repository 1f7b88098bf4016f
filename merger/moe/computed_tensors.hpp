#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "merger/checkpoint/tensor_source.hpp"

// Tensors of a mixture that no file holds as they are.
namespace crucible::moe {

// Rows of a float32 matrix in memory, which it keeps alive.
class MemoryTensor : public checkpoint::TensorSource {
 public:
  MemoryTensor(std::shared_ptr<const std::vector<float>> values, std::uint64_t first,
               tensor::Shape shape, std::string origin)
      : values_(std::move(values)),
        first_(first),
        shape_(std::move(shape)),
        origin_(std::move(origin)) {}
  tensor::DType dtype() const override { return tensor::DType::kF32; }
  const tensor::Shape& shape() const override { return shape_; }
  std::uint64_t stored_bytes() const override { return 0; }
  std::string origin() const override { return origin_; }
  Status read(std::uint64_t first, std::span<std::byte> out) const override;

 private:
  std::shared_ptr<const std::vector<float>> values_;
  std::uint64_t first_;
  tensor::Shape shape_;
  std::string origin_;
};

// Zeros: biases that the output has and the base lacks.
class ZeroTensor : public checkpoint::TensorSource {
 public:
  ZeroTensor(tensor::DType dtype, tensor::Shape shape) : dtype_(dtype), shape_(std::move(shape)) {}
  tensor::DType dtype() const override { return dtype_; }
  const tensor::Shape& shape() const override { return shape_; }
  std::uint64_t stored_bytes() const override { return 0; }
  std::string origin() const override { return "zeros"; }
  Status read(std::uint64_t, std::span<std::byte> out) const override;

 private:
  tensor::DType dtype_;
  tensor::Shape shape_;
};

// (x + noise_scale * n) * residual_scale with n ~ N(0, 1), rounded to x's type after each step.
// Element i of n depends on key and i alone, so it does not matter who reads what when.
class PerturbedTensor : public checkpoint::TensorSource {
 public:
  // `key` tells tensors and seeds apart.
  PerturbedTensor(checkpoint::TensorSourcePtr inner, double noise_scale, double residual_scale,
                  std::uint64_t key)
      : inner_(std::move(inner)),
        noise_scale_(static_cast<float>(noise_scale)),
        residual_scale_(static_cast<float>(residual_scale)),
        key_(key) {}
  tensor::DType dtype() const override { return inner_->dtype(); }
  const tensor::Shape& shape() const override { return inner_->shape(); }
  std::uint64_t stored_bytes() const override { return inner_->stored_bytes(); }
  std::string origin() const override { return inner_->origin(); }
  Status read(std::uint64_t first, std::span<std::byte> out) const override;

 private:
  checkpoint::TensorSourcePtr inner_;
  float noise_scale_;
  float residual_scale_;
  std::uint64_t key_;
};

// Philox4x32-10, the counter-based generator of Salmon et al. (SC 2011): four words of block
// `counter` under `key`.
std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter);

}  // namespace crucible::moe
