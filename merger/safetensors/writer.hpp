#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "merger/base/io.hpp"
#include "merger/tensor/dtype.hpp"

// Writes a checkpoint's tensors at offsets that are known before the first byte: the layout comes
// first, then any part of any tensor may be written in any order, from several threads.
//
// Shards: `model.safetensors` when one is enough, else `model-00001-of-0000N.safetensors` and
// `model.safetensors.index.json`. A shard ends where the next tensor would take it past the limit.
// Inside a shard, tensors lie by descending element type (so that wider ones are aligned), then
// name.
namespace crucible::safetensors {

struct OutputTensor {
  std::string name;
  tensor::DType dtype = tensor::DType::kF32;
  tensor::Shape shape;
};

class ShardedWriter {
 public:
  // Creates all shard files in `folder`, headers written and space reserved. `tensors` in the order
  // in which shards fill; names unique. Errors: kNoSpace, kIo, kInvalidArgument (a shape too
  // large).
  static Result<ShardedWriter> create(const std::filesystem::path& folder,
                                      const std::vector<OutputTensor>& tensors,
                                      std::uint64_t shard_bytes,
                                      io::Syscalls& calls = io::system());

  // `data` goes `offset` bytes into tensor number `tensor` (of `tensors` above). Thread-safe for
  // ranges that do not overlap.
  Status write(std::size_t tensor, std::uint64_t offset, std::span<const std::byte> data);
  // Syncs and closes every shard and writes the index where there is one. All bytes must have been
  // written. Any failure is final.
  Status finish();
  std::uint64_t tensor_bytes() const { return tensor_bytes_; }

 private:
  struct Place {
    std::size_t shard = 0;
    std::uint64_t offset = 0;  // in the file
  };
  std::filesystem::path folder_;
  io::Syscalls* calls_ = nullptr;
  std::vector<io::File> shards_;
  std::vector<std::string> shard_names_;
  std::vector<Place> places_;
  std::map<std::string, std::size_t> shard_of_;  // by tensor name
  std::uint64_t tensor_bytes_ = 0;
};

// Bytes of one tensor; kInvalidArgument when they do not fit 64 bits.
Result<std::uint64_t> tensor_bytes(const OutputTensor& tensor);

}  // namespace crucible::safetensors
