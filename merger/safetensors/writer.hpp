#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
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

  // The shard files of an interrupted writing, to go on with. kNotFound when a file is missing or
  // is not what create made for the same arguments.
  static Result<ShardedWriter> reopen(const std::filesystem::path& folder,
                                      const std::vector<OutputTensor>& tensors,
                                      std::uint64_t shard_bytes,
                                      io::Syscalls& calls = io::system());

  // What was written `offset` bytes into a tensor.
  Status read(std::size_t tensor, std::uint64_t offset, std::span<std::byte> data) const;
  // `data` goes `offset` bytes into tensor number `tensor` (of `tensors` above). Thread-safe for
  // ranges that do not overlap.
  Status write(std::size_t tensor, std::uint64_t offset, std::span<const std::byte> data);
  // Syncs and closes every shard and writes the index where there is one. All bytes must have been
  // written. Any failure is final.
  Status finish();
  std::uint64_t tensor_bytes() const { return tensor_bytes_; }
  const std::vector<std::string>& shard_names() const { return shard_names_; }

 private:
  // One shard file as it must be before its tensors are written.
  struct ShardFile {
    std::string header;
    std::uint64_t bytes = 0;  // of the whole file
  };
  static Result<ShardedWriter> lay_out(const std::filesystem::path& folder,
                                       const std::vector<OutputTensor>& tensors,
                                       std::uint64_t shard_bytes, io::Syscalls& calls,
                                       std::vector<ShardFile>& files);
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
  std::unique_ptr<std::atomic<std::uint64_t>> written_ =
      std::make_unique<std::atomic<std::uint64_t>>(0);  // by write
};

// Bytes of one tensor; kInvalidArgument when they do not fit 64 bits.
Result<std::uint64_t> tensor_bytes(const OutputTensor& tensor);

}  // namespace crucible::safetensors
