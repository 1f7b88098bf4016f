#include "merger/checkpoint/content_digest.hpp"

#include <algorithm>
#include <vector>

#include "merger/base/parallel.hpp"
#include "merger/checkpoint/checkpoint.hpp"

namespace crucible::checkpoint {

void hash_chunks(std::span<const std::byte> data, std::span<Digest> leaves) {
  for (Digest& leaf : leaves) {
    const std::size_t size = std::min<std::size_t>(data.size(), kDigestChunkBytes);
    leaf = sha256(data.first(size));
    data = data.subspan(size);
  }
}

Digest tensor_digest(std::string_view name, tensor::DType dtype, const tensor::Shape& shape,
                     std::span<const Digest> leaves) {
  std::string extents;
  for (const std::uint64_t extent : shape) extents += std::to_string(extent) + ",";
  Sha256 hash;
  hash.field(name).field(tensor::safetensors_name(dtype)).field(extents);
  for (const Digest& leaf : leaves) hash.update(std::as_bytes(leaf.bytes()));
  return hash.finish();
}

Digest combine_digests(const nlohmann::json& config, const std::map<std::string, Digest>& files,
                       const std::map<std::string, Digest>& tensors) {
  Sha256 hash;
  hash.field("crucible checkpoint 1").field(config.dump());
  hash.field(std::to_string(files.size()));
  for (const auto& [name, digest] : files) {
    hash.field(name).update(std::as_bytes(digest.bytes()));
  }
  hash.field(std::to_string(tensors.size()));
  for (const auto& [name, digest] : tensors) hash.update(std::as_bytes(digest.bytes()));
  return hash.finish();
}

Result<Digest> file_digest(const std::filesystem::path& path, io::Syscalls& calls) {
  const auto file = io::File::open_read(path, calls);
  if (!file) return fail(file.error());
  const auto size = file->size();
  if (!size) return fail(size.error());
  std::vector<std::byte> piece(1U << 20);
  Sha256 hash;
  for (std::uint64_t offset = 0; offset < *size; offset += piece.size()) {
    const std::uint64_t left = std::min<std::uint64_t>(piece.size(), *size - offset);
    const std::span<std::byte> part(piece.data(), static_cast<std::size_t>(left));
    if (auto status = file->pread(part, offset); !status) return fail(status.error());
    hash.update(part);
  }
  return hash.finish();
}

namespace {

// Leaves of one tensor, 16 chunks a read.
Result<Digest> digest_of(const TensorLocation& location, ThreadPool& pool) {
  constexpr std::uint64_t kReadBytes = 16 * kDigestChunkBytes;
  const safetensors::TensorEntry& entry = *location.entry;
  std::vector<Digest> leaves(digest_chunk_count(entry.bytes));
  const std::uint64_t reads = (entry.bytes + kReadBytes - 1) / kReadBytes;
  std::vector<Status> statuses(reads);
  pool.for_each(reads, [&](unsigned, std::size_t index) {
    const std::uint64_t offset = index * kReadBytes;
    std::vector<std::byte> data(std::min(kReadBytes, entry.bytes - offset));
    statuses[index] = location.shard->read(entry, offset, data);
    if (!statuses[index]) return;
    hash_chunks(data, std::span(leaves).subspan(offset / kDigestChunkBytes,
                                                digest_chunk_count(data.size())));
  });
  for (const Status& status : statuses) {
    if (!status) return fail(status.error());
  }
  return tensor_digest(entry.name, entry.dtype, entry.shape, leaves);
}

}  // namespace

Result<Digest> content_digest(const Checkpoint& checkpoint, unsigned threads) {
  std::map<std::string, Digest> files;
  for (const std::string& name : checkpoint.tokenizer_files()) {
    auto digest = file_digest(checkpoint.folder() / name);
    if (!digest) return fail(std::move(digest.error()));
    files.emplace(name, *digest);
  }
  ThreadPool pool(threads);
  std::map<std::string, Digest> tensors;
  for (const std::string& name : checkpoint.tensor_names()) {
    auto digest = digest_of(checkpoint.find(name), pool);
    if (!digest) return fail(std::move(digest.error()));
    tensors.emplace(name, *digest);
  }
  return combine_digests(checkpoint.config(), files, tensors);
}

}  // namespace crucible::checkpoint
