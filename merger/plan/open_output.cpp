#include "merger/plan/open_output.hpp"

#include <algorithm>
#include <string>
#include <system_error>

#include "merger/plan/tensor_keys.hpp"

namespace crucible::plan {
namespace fs = std::filesystem;
namespace {

std::vector<safetensors::OutputTensor> outputs_of(const MergePlan& plan) {
  std::vector<safetensors::OutputTensor> outputs;
  for (const PlannedTensor& planned : plan.tensors)
    outputs.push_back({planned.name, planned.output, planned.shape});
  return outputs;
}

// Everything the bytes of the files depend on.
Digest identity_of(const MergePlan& plan, const MergeOptions& options) {
  Sha256 hash;
  hash.field(merge_identity(plan, options).hex()).field(std::to_string(options.shard_bytes));
  return hash.finish();
}

// Removes everything from the folder but weights and journal, which go on.
Status remove_side_files(const fs::path& folder, const std::vector<std::string>& shards) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name == Journal::kFile || std::ranges::find(shards, name) != shards.end()) continue;
    fs::remove_all(entry.path(), error);
    if (error) break;
  }
  if (error) return fail(from_errno(error.value(), "cannot tidy " + folder.string()));
  return {};
}

}  // namespace

Result<OpenOutput> open_output(const MergePlan& plan, const MergeOptions& options,
                               const fs::path& out, io::Syscalls& calls) {
  auto staging = options.resume ? io::StagingFolder::reopen(out, calls)
                                : io::StagingFolder::create(out, calls);
  if (!staging) return fail(std::move(staging.error()));
  const Digest identity = identity_of(plan, options);
  const auto outputs = outputs_of(plan);
  if (options.resume) {
    auto journal = Journal::reopen(staging->path(), identity, calls);
    auto writer =
        safetensors::ShardedWriter::reopen(staging->path(), outputs, options.shard_bytes, calls);
    if (journal && writer && remove_side_files(staging->path(), writer->shard_names()) &&
        journal->truncate(std::min(journal->finished().size(), plan.tensors.size())))
      return OpenOutput{std::move(*staging), std::move(*writer), std::move(*journal)};
    if (auto status = staging->clear(); !status) return fail(std::move(status.error()));
  }
  auto writer =
      safetensors::ShardedWriter::create(staging->path(), outputs, options.shard_bytes, calls);
  if (!writer) return fail(std::move(writer.error()));
  auto journal = Journal::create(staging->path(), identity, calls);
  if (!journal) return fail(std::move(journal.error()));
  return OpenOutput{std::move(*staging), std::move(*writer), std::move(*journal)};
}

}  // namespace crucible::plan
