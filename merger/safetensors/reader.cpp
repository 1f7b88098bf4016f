#include "merger/safetensors/reader.hpp"

#include <array>

#include "merger/safetensors/header.hpp"

namespace crucible::safetensors {
namespace {

constexpr std::uint64_t kPrefixBytes = 8;

Result<std::uint64_t> read_header_length(const io::File& file, std::uint64_t file_bytes) {
  if (file_bytes < kPrefixBytes) {
    return fail(ErrorCode::kCorrupt, "safetensors file: shorter than 8 bytes");
  }
  std::array<std::byte, kPrefixBytes> prefix{};
  if (auto status = file.pread(prefix, 0); !status) return fail(status.error());
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    length |= std::to_integer<std::uint64_t>(prefix[i]) << (8 * i);
  }
  if (length > file_bytes - kPrefixBytes) {
    return fail(ErrorCode::kCorrupt, "safetensors file: the header reaches past the end");
  }
  if (length > kHeaderLimitBytes) {
    return fail(ErrorCode::kCorrupt, "safetensors file: header of " + std::to_string(length) +
                                         " bytes; the limit is " +
                                         std::to_string(kHeaderLimitBytes));
  }
  return length;
}

}  // namespace

Result<Reader> Reader::open(const std::filesystem::path& path, io::Syscalls& calls) {
  auto file = io::File::open_read(path, calls);
  if (!file) return fail(std::move(file.error()));
  const auto with_path = [&path](Error error) {
    return fail(std::move(error).with_context(path.string()));
  };
  const auto file_bytes = file->size();
  if (!file_bytes) return with_path(file_bytes.error());
  const auto length = read_header_length(*file, *file_bytes);
  if (!length) return with_path(length.error());
  std::string text(static_cast<std::size_t>(*length), '\0');
  if (auto status = file->pread(std::as_writable_bytes(std::span(text)), kPrefixBytes); !status) {
    return fail(status.error());
  }
  const std::uint64_t data_begin = kPrefixBytes + *length;
  auto header = parse_header(text, *file_bytes - data_begin);
  if (!header) return with_path(std::move(header.error()));

  Reader reader;
  reader.file_ = std::move(*file);
  reader.file_bytes_ = *file_bytes;
  reader.metadata_ = std::move(header->metadata);
  reader.tensors_ = std::move(header->tensors);
  for (std::size_t i = 0; i < reader.tensors_.size(); ++i) {
    reader.tensors_[i].offset += data_begin;
    reader.by_name_.emplace(reader.tensors_[i].name, i);
  }
  return reader;
}

const TensorEntry* Reader::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

Status Reader::read(const TensorEntry& entry, std::uint64_t offset,
                    std::span<std::byte> data) const {
  if (offset > entry.bytes || data.size() > entry.bytes - offset) {
    return fail(ErrorCode::kInternal, "read past the end of tensor " + entry.name);
  }
  if (data.empty()) return {};
  return file_.pread(data, entry.offset + offset);
}

}  // namespace crucible::safetensors
