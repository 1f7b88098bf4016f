#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/digest.hpp"
#include "merger/base/io.hpp"
#include "merger/plan/tensor_sink.hpp"

// What of a merge is done, kept beside the weights while they are written, so that a merge that was
// killed goes on where it stopped. One JSON line for what is merged (recipe, options, input files),
// then one for each finished tensor, in plan order. Lines are not synced: whoever goes on checks
// the bytes of every tensor named here against its digest, and drops what does not hold.
namespace crucible::plan {

class Journal {
 public:
  static constexpr std::string_view kFile = "merging.jsonl";

  // A new journal in `folder`, which has none.
  static Result<Journal> create(const std::filesystem::path& folder, const Digest& identity,
                                io::Syscalls& calls = io::system());
  // The one in `folder`; kNotFound when there is none or it is of another merge.
  static Result<Journal> reopen(const std::filesystem::path& folder, const Digest& identity,
                                io::Syscalls& calls = io::system());

  const std::vector<FinishedTensor>& finished() const { return finished_; }
  Status append(const FinishedTensor& tensor);
  Status truncate(std::size_t tensors);  // forgets all finished tensors from this number on
  Status remove();                       // deletes the file; the last call

 private:
  Journal(io::File file, io::Syscalls& calls) : file_(std::move(file)), calls_(&calls) {}
  Status add_line(std::string line);

  io::File file_;
  io::Syscalls* calls_;
  std::vector<std::uint64_t> ends_;  // of the lines
  std::vector<FinishedTensor> finished_;
};

}  // namespace crucible::plan
