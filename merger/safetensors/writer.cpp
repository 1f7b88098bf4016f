#include "merger/safetensors/writer.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>

#include "nlohmann/json.hpp"

namespace crucible::safetensors {
namespace {

using tensor::DType;

// Ascending order of element types in the reference writer; files have them descending.
constexpr std::array<DType, 15> kTypeOrder = {
    DType::kBool, DType::kU8,  DType::kI8,  DType::kF8E5M2, DType::kF8E4M3,
    DType::kI16,  DType::kU16, DType::kF16, DType::kBF16,   DType::kI32,
    DType::kU32,  DType::kF32, DType::kF64, DType::kI64,    DType::kU64};

std::size_t type_rank(DType dtype) {
  return static_cast<std::size_t>(std::ranges::find(kTypeOrder, dtype) - kTypeOrder.begin());
}

using Shard = std::vector<std::size_t>;  // tensor numbers

std::vector<Shard> cut_shards(const std::vector<std::uint64_t>& sizes, std::uint64_t limit) {
  std::vector<Shard> shards(1);
  std::uint64_t filled = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (!shards.back().empty() && (sizes[i] > limit || filled > limit - sizes[i])) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().push_back(i);
    filled += sizes[i];
  }
  return shards;
}

std::string shard_name(std::size_t number, std::size_t count) {
  if (count == 1) return "model.safetensors";
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "model-%05zu-of-%05zu.safetensors", number + 1, count);
  return text.data();
}

// The 8-byte length and the JSON, padded with spaces so that data starts at a multiple of 8.
std::string header_text(const std::vector<OutputTensor>& tensors, const Shard& in_file_order,
                        const std::vector<std::uint64_t>& sizes) {
  nlohmann::ordered_json header;
  header["__metadata__"]["format"] = "pt";
  std::uint64_t offset = 0;
  for (const std::size_t i : in_file_order) {
    auto& entry = header[tensors[i].name];
    entry["dtype"] = tensor::safetensors_name(tensors[i].dtype);
    entry["shape"] = tensors[i].shape;
    entry["data_offsets"] = {offset, offset + sizes[i]};
    offset += sizes[i];
  }
  std::string json = header.dump();
  json.append((8 - json.size() % 8) % 8, ' ');
  std::string text;
  for (unsigned shift = 0; shift < 64; shift += 8)
    text += static_cast<char>((json.size() >> shift) & 0xFF);
  return text + json;
}

}  // namespace

Result<std::uint64_t> tensor_bytes(const OutputTensor& output) {
  const auto count = tensor::element_count(output.shape);
  std::uint64_t bytes = 0;
  if (!count || __builtin_mul_overflow(*count, tensor::byte_size(output.dtype), &bytes)) {
    return fail(ErrorCode::kInvalidArgument, "tensor " + output.name + " is too large");
  }
  return bytes;
}

Result<ShardedWriter> ShardedWriter::lay_out(const std::filesystem::path& folder,
                                             const std::vector<OutputTensor>& tensors,
                                             std::uint64_t shard_bytes, io::Syscalls& calls,
                                             std::vector<ShardFile>& files) {
  std::vector<std::uint64_t> sizes;
  for (const OutputTensor& output : tensors) {
    const auto bytes = safetensors::tensor_bytes(output);
    if (!bytes) return fail(bytes.error());
    sizes.push_back(*bytes);
  }
  ShardedWriter writer;
  writer.folder_ = folder;
  writer.calls_ = &calls;
  writer.places_.resize(tensors.size());
  auto shards = cut_shards(sizes, shard_bytes);
  for (std::size_t s = 0; s < shards.size(); ++s) {
    std::ranges::sort(shards[s], {}, [&](std::size_t i) {
      return std::pair(kTypeOrder.size() - type_rank(tensors[i].dtype),
                       std::string_view(tensors[i].name));
    });
    files.push_back({header_text(tensors, shards[s], sizes), 0});
    std::uint64_t offset = files.back().header.size();
    for (const std::size_t i : shards[s]) {
      writer.places_[i] = {s, offset};
      writer.shard_of_[tensors[i].name] = s;
      offset += sizes[i];
      writer.tensor_bytes_ += sizes[i];
    }
    files.back().bytes = offset;
    writer.shard_names_.push_back(shard_name(s, shards.size()));
  }
  return writer;
}

Result<ShardedWriter> ShardedWriter::create(const std::filesystem::path& folder,
                                            const std::vector<OutputTensor>& tensors,
                                            std::uint64_t shard_bytes, io::Syscalls& calls) {
  std::vector<ShardFile> files;
  auto writer = lay_out(folder, tensors, shard_bytes, calls, files);
  if (!writer) return writer;
  for (std::size_t s = 0; s < files.size(); ++s) {
    auto file = io::File::create(folder / writer->shard_names_[s], calls);
    if (!file) return fail(std::move(file.error()));
    if (auto status = file->reserve(files[s].bytes); !status)
      return fail(std::move(status.error()));
    if (auto status = file->pwrite(std::as_bytes(std::span(files[s].header)), 0); !status)
      return fail(std::move(status.error()));
    writer->shards_.push_back(std::move(*file));
  }
  return writer;
}

Result<ShardedWriter> ShardedWriter::reopen(const std::filesystem::path& folder,
                                            const std::vector<OutputTensor>& tensors,
                                            std::uint64_t shard_bytes, io::Syscalls& calls) {
  std::vector<ShardFile> files;
  auto writer = lay_out(folder, tensors, shard_bytes, calls, files);
  if (!writer) return writer;
  for (std::size_t s = 0; s < files.size(); ++s) {
    auto file = io::File::open_write(folder / writer->shard_names_[s], calls);
    if (!file) return fail(std::move(file.error()));
    const auto size = file->size();
    if (!size) return fail(size.error());
    std::string header(files[s].header.size(), '\0');
    if (*size != files[s].bytes || !file->pread(std::as_writable_bytes(std::span(header)), 0) ||
        header != files[s].header) {
      return fail(ErrorCode::kNotFound, file->path().string() + " is of another writing");
    }
    writer->shards_.push_back(std::move(*file));
  }
  return writer;
}

Status ShardedWriter::read(std::size_t number, std::uint64_t offset,
                           std::span<std::byte> data) const {
  const Place& place = places_[number];
  return shards_[place.shard].pread(data, place.offset + offset);
}

Status ShardedWriter::write(std::size_t number, std::uint64_t offset,
                            std::span<const std::byte> data) {
  const Place& place = places_[number];
  io::File& shard = shards_[place.shard];
  if (auto status = shard.pwrite(data, place.offset + offset); !status) return status;
  // Writing out begins while the next tensors are computed, so that the sync at the end is short.
  constexpr std::uint64_t kWritebackBytes = 8ULL << 20;
  const std::uint64_t before = written_->fetch_add(data.size());
  if (before / kWritebackBytes != (before + data.size()) / kWritebackBytes) {
    shard.start_writeback(0, 0);
  }
  return {};
}

Status ShardedWriter::finish() {
  for (io::File& shard : shards_) {
    if (auto status = shard.sync(); !status) return status;
    if (auto status = shard.close(); !status) return status;
  }
  if (shards_.size() == 1) return {};
  nlohmann::ordered_json index;
  index["metadata"]["total_size"] = tensor_bytes_;
  for (const auto& [name, shard] : shard_of_) index["weight_map"][name] = shard_names_[shard];
  return io::write_new_file(folder_ / "model.safetensors.index.json", index.dump(2) + "\n",
                            *calls_);
}

}  // namespace crucible::safetensors
