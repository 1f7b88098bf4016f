#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "merger/base/digest.hpp"
#include "merger/base/error.hpp"
#include "merger/base/parallel.hpp"

namespace crucible::plan {

// What is known of a tensor when its last byte is there.
struct FinishedTensor {
  Digest digest;                 // checkpoint::tensor_digest
  std::uint64_t not_finite = 0;  // NaN and infinities
  std::uint64_t draws = 0;       // random numbers drawn since the merge began
};

// Where the tensors of a merge go: files, or memory. Numbers are those of MergePlan::tensors; each
// is begun, written and finished before the next is.
class TensorSink {
 public:
  virtual ~TensorSink() = default;
  // Whether finished tensors need their digest, which costs about as much as a cheap method.
  virtual bool wants_digests() const = 0;
  // A tensor that is there already need not be computed; nullopt where it is not. `draws` random
  // numbers were drawn so far. May use the pool.
  virtual Result<std::optional<FinishedTensor>> find(std::size_t number, std::uint64_t draws,
                                                     ThreadPool& pool) = 0;
  virtual Status begin(std::size_t number) = 0;
  // `data` goes `offset` bytes into the tensor. From several threads, ranges do not overlap.
  virtual Status write(std::size_t number, std::uint64_t offset,
                       std::span<const std::byte> data) = 0;
  virtual Status finish(std::size_t number, const FinishedTensor& tensor) = 0;
};

}  // namespace crucible::plan
