#include "merger/plan/folder_sink.hpp"

#include <algorithm>
#include <atomic>
#include <vector>

#include "merger/checkpoint/content_digest.hpp"

namespace crucible::plan {

Result<std::optional<FinishedTensor>> FolderSink::find(std::size_t number, std::uint64_t draws,
                                                       ThreadPool& pool) {
  const auto& finished = output_.journal.finished();
  if (number >= finished.size()) return std::optional<FinishedTensor>();
  const FinishedTensor tensor = finished[number];
  if (tensor.draws >= draws && read_back(number, pool) == tensor.digest)
    return std::optional(tensor);
  if (auto status = output_.journal.truncate(number); !status)
    return fail(std::move(status.error()));
  return std::optional<FinishedTensor>();
}

// The digest of what is on disk; nullopt when it cannot be read.
std::optional<Digest> FolderSink::read_back(std::size_t number, ThreadPool& pool) const {
  constexpr std::uint64_t kPieceBytes = 16 * checkpoint::kDigestChunkBytes;
  const PlannedTensor& planned = plan_.tensors[number];
  const std::uint64_t bytes = planned.output_bytes();
  std::vector<Digest> leaves(checkpoint::digest_chunk_count(bytes));
  std::atomic<bool> failed = false;
  pool.for_each((bytes + kPieceBytes - 1) / kPieceBytes, [&](unsigned, std::size_t piece) {
    const std::uint64_t offset = piece * kPieceBytes;
    std::vector<std::byte> data(std::min(kPieceBytes, bytes - offset));
    if (!output_.writer.read(number, offset, data)) failed = true;
    checkpoint::hash_chunks(data,
                            std::span(leaves).subspan(offset / checkpoint::kDigestChunkBytes,
                                                      checkpoint::digest_chunk_count(data.size())));
  });
  if (failed) return std::nullopt;
  return checkpoint::tensor_digest(planned.name, planned.output, planned.shape, leaves);
}

}  // namespace crucible::plan
