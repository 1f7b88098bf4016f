#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "merger/base/guarded.hpp"
#include "merger/checkpoint/tensor_source.hpp"
#include "merger/lora/adapter.hpp"
#include "merger/lora/product.hpp"

// Tensors of a base model with an adapter folded in while they are read. Rounding as PEFT's
// merge_and_unload on a CPU, which keeps the factors in float32: linear layers take
// round(W + float32(scale * B A)), embeddings round(W + round(scale * (B A)^T)), where round is to
// the base's element type.
namespace crucible::lora {

// The difference of one matrix as stored: left [rows, rank] times right [rank, columns].
struct Factors {
  std::vector<float> left;
  Panels right;
};

// The factors of the modules that were read last, so that memory does not grow with the adapter.
// Thread-safe.
class FactorStore {
 public:
  explicit FactorStore(Adapter adapter) : adapter_(std::move(adapter)) {}
  const Adapter& adapter() const { return adapter_; }
  // `in_out`: the matrix is stored [in, out] (embeddings are), so its difference is (B A)^T.
  Result<std::shared_ptr<const Factors>> get(const AdapterModule& module, bool in_out) const;

 private:
  static constexpr std::size_t kKeptModules = 4;
  using Kept = std::deque<std::pair<const AdapterModule*, std::shared_ptr<const Factors>>>;
  Result<std::shared_ptr<const Factors>> load(const AdapterModule& module, bool in_out) const;
  Adapter adapter_;
  mutable Guarded<Kept> kept_;
};

// W + scale * B A; with DoRA (Liu et al. 2024, arXiv 2402.09353) m / |W + scale * B A| times that,
// where the norm is over the inputs of each output and costs a first reading of the whole tensor.
class AdaptedTensor : public checkpoint::TensorSource {
 public:
  // `base` is a matrix of float32, bfloat16 or float16 that the factors fit. `module` is the
  // store's.
  AdaptedTensor(checkpoint::TensorSourcePtr base, std::shared_ptr<const FactorStore> store,
                const AdapterModule& module, bool in_out)
      : base_(std::move(base)), store_(std::move(store)), module_(module), in_out_(in_out) {}

  tensor::DType dtype() const override { return base_->dtype(); }
  const tensor::Shape& shape() const override { return base_->shape(); }
  std::uint64_t stored_bytes() const override;
  std::string origin() const override;
  Status read(std::uint64_t first, std::span<std::byte> out) const override;

 private:
  struct Segment {
    std::size_t row, rows, begin, end;  // columns [begin, end)
  };
  struct Scratch {
    std::vector<float> values;   // of the segment, row by row
    std::vector<float> product;  // whole panels
  };
  template <typename Visit>
  Status for_each_segment(std::uint64_t first, std::size_t count, const Visit& visit) const;
  void add_difference(const Factors& factors, const Segment& segment, Scratch& scratch) const;
  Status normalise(const Segment& segment, Scratch& scratch) const;
  Status compute_magnitudes() const;

  checkpoint::TensorSourcePtr base_;
  std::shared_ptr<const FactorStore> store_;
  const AdapterModule& module_;
  bool in_out_;
  mutable std::once_flag magnitudes_once_;
  mutable Status magnitudes_status_;
  mutable std::vector<float> magnitudes_;  // m / |W + scale * B A|, by output
};

// A bias with the adapter's: round(b + scale * b_B).
class AdaptedBias : public checkpoint::TensorSource {
 public:
  AdaptedBias(checkpoint::TensorSourcePtr base, std::shared_ptr<const FactorStore> store,
              const AdapterModule& module)
      : base_(std::move(base)), store_(std::move(store)), module_(module) {}
  tensor::DType dtype() const override { return base_->dtype(); }
  const tensor::Shape& shape() const override { return base_->shape(); }
  std::uint64_t stored_bytes() const override;
  std::string origin() const override;
  Status read(std::uint64_t first, std::span<std::byte> out) const override;

 private:
  checkpoint::TensorSourcePtr base_;
  std::shared_ptr<const FactorStore> store_;
  const AdapterModule& module_;
};

// A tensor of the adapter's file in place of the base's, in the base's element type.
class ReplacedTensor : public checkpoint::TensorSource {
 public:
  ReplacedTensor(tensor::DType dtype, std::shared_ptr<const FactorStore> store,
                 const safetensors::TensorEntry& entry)
      : dtype_(dtype), store_(std::move(store)), entry_(entry) {}
  tensor::DType dtype() const override { return dtype_; }
  const tensor::Shape& shape() const override { return entry_.shape; }
  std::uint64_t stored_bytes() const override { return entry_.bytes; }
  std::string origin() const override;
  Status read(std::uint64_t first, std::span<std::byte> out) const override;

 private:
  tensor::DType dtype_;
  std::shared_ptr<const FactorStore> store_;
  const safetensors::TensorEntry& entry_;
};

}  // namespace crucible::lora
