#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "merger/checkpoint/checkpoint.hpp"
#include "merger/tensor/dtype.hpp"

// Where the elements of a tensor come from: a file as it stands, or something computed from files
// while reading (an adapter folded in, rows rearranged for another vocabulary).
namespace crucible::checkpoint {

// Immutable; reads from several threads are safe.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  virtual tensor::DType dtype() const = 0;
  virtual const tensor::Shape& shape() const = 0;
  // What one reading of the whole tensor reads from files.
  virtual std::uint64_t stored_bytes() const = 0;
  // "tensor NAME in FILE", for messages.
  virtual std::string origin() const = 0;
  // Elements [first, first + out.size() / byte_size(dtype())), row-major, as bytes of dtype().
  virtual Status read(std::uint64_t first, std::span<std::byte> out) const = 0;
};
using TensorSourcePtr = std::shared_ptr<const TensorSource>;

// The tensors of a model as a merge sees them. Immutable; safe from several threads.
class Weights {
 public:
  virtual ~Weights() = default;
  virtual std::vector<std::string> names() const = 0;              // ascending
  virtual TensorSourcePtr find(std::string_view name) const = 0;   // nullptr when absent
  virtual std::vector<std::filesystem::path> folders() const = 0;  // whose files it reads
};

// A tensor as it lies in a checkpoint's file; the checkpoint must outlive it.
class StoredTensor : public TensorSource {
 public:
  explicit StoredTensor(TensorLocation location) : location_(location) {}
  tensor::DType dtype() const override { return location_.entry->dtype; }
  const tensor::Shape& shape() const override { return location_.entry->shape; }
  std::uint64_t stored_bytes() const override { return location_.entry->bytes; }
  std::string origin() const override;
  Status read(std::uint64_t first, std::span<std::byte> out) const override;

 private:
  TensorLocation location_;
};

class StoredWeights : public Weights {
 public:
  explicit StoredWeights(std::shared_ptr<const Checkpoint> checkpoint)
      : checkpoint_(std::move(checkpoint)) {}
  std::vector<std::string> names() const override { return checkpoint_->tensor_names(); }
  TensorSourcePtr find(std::string_view name) const override;
  std::vector<std::filesystem::path> folders() const override { return {checkpoint_->folder()}; }

 private:
  std::shared_ptr<const Checkpoint> checkpoint_;
};

}  // namespace crucible::checkpoint
