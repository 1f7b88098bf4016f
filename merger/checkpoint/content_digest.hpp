#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "merger/base/digest.hpp"
#include "merger/base/io.hpp"
#include "merger/tensor/dtype.hpp"
#include "nlohmann/json.hpp"

// The parts of checkpoint::content_digest, for a writer that computes it while it writes.
//
//   leaf    = SHA-256 of kDigestChunkBytes of one tensor's data (the last one may be shorter)
//   tensor  = SHA-256 over name, dtype, shape and its leaves
//   content = SHA-256 over a version tag, config, tokenizer files by name, tensors by name
namespace crucible::checkpoint {

inline constexpr std::uint64_t kDigestChunkBytes = 64ULL << 10;

constexpr std::uint64_t digest_chunk_count(std::uint64_t bytes) {
  return (bytes + kDigestChunkBytes - 1) / kDigestChunkBytes;
}

// Writes the leaves of `data`, which starts on a chunk border of its tensor.
void hash_chunks(std::span<const std::byte> data, std::span<Digest> leaves);

Digest tensor_digest(std::string_view name, tensor::DType dtype, const tensor::Shape& shape,
                     std::span<const Digest> leaves);

// `config` by value, so formatting and key order do not count.
Digest combine_digests(const nlohmann::json& config, const std::map<std::string, Digest>& files,
                       const std::map<std::string, Digest>& tensors);

// Of a whole file, read in pieces.
Result<Digest> file_digest(const std::filesystem::path& path, io::Syscalls& calls = io::system());

}  // namespace crucible::checkpoint
