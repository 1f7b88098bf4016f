#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "merger/base/io.hpp"
#include "merger/tensor/dtype.hpp"

// Strict reader of one safetensors file. Everything the header says is checked against the file
// before any tensor is read; data is read with pread into the caller's memory, never mapped, so a
// file that shrinks or changes gives an error, not a signal.
namespace crucible::safetensors {

struct TensorEntry {
  std::string name;
  tensor::DType dtype = tensor::DType::kF32;
  tensor::Shape shape;
  std::uint64_t offset = 0;  // absolute, in the file
  std::uint64_t bytes = 0;
};

// Immutable after open; reads from several threads are safe.
class Reader {
 public:
  // kCorrupt names the rule that the header breaks.
  static Result<Reader> open(const std::filesystem::path& path, io::Syscalls& calls = io::system());

  const std::filesystem::path& path() const { return file_.path(); }
  const std::vector<TensorEntry>& tensors() const { return tensors_; }  // by offset
  const TensorEntry* find(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  std::uint64_t file_bytes() const { return file_bytes_; }

  // data.size() bytes starting `offset` bytes into the tensor.
  Status read(const TensorEntry& entry, std::uint64_t offset, std::span<std::byte> data) const;

 private:
  io::File file_;
  std::uint64_t file_bytes_ = 0;
  std::vector<TensorEntry> tensors_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace crucible::safetensors
