#pragma once

#include "merger/plan/merge_plan.hpp"
#include "merger/plan/open_output.hpp"
#include "merger/plan/tensor_sink.hpp"

namespace crucible::plan {

// The weights of a model folder, with the journal of what is finished. Tensors that the journal
// calls finished, and whose bytes are as it says, are found; the first one that is not so ends what
// an earlier run left.
class FolderSink final : public TensorSink {
 public:
  FolderSink(const MergePlan& plan, OpenOutput& output) : plan_(plan), output_(output) {}
  bool wants_digests() const override { return true; }
  Result<std::optional<FinishedTensor>> find(std::size_t number, std::uint64_t draws,
                                             ThreadPool& pool) override;
  Status begin(std::size_t /*number*/) override { return {}; }
  Status write(std::size_t number, std::uint64_t offset, std::span<const std::byte> data) override {
    return output_.writer.write(number, offset, data);
  }
  Status finish(std::size_t /*number*/, const FinishedTensor& tensor) override {
    return output_.journal.append(tensor);
  }

 private:
  std::optional<Digest> read_back(std::size_t number, ThreadPool& pool) const;

  const MergePlan& plan_;
  OpenOutput& output_;
};

}  // namespace crucible::plan
