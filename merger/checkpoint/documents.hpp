#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "merger/base/io.hpp"

// The small files of a model (tokenizer, chat template, generation settings) by name, whether they
// lie in a folder or only in memory.
namespace crucible::checkpoint {

// Immutable; safe from several threads.
class Documents {
 public:
  virtual ~Documents() = default;
  virtual bool has(std::string_view name) const = 0;
  // The whole text. kNotFound without such a document; longer than `limit_bytes` is an error.
  virtual Result<std::string> read(std::string_view name, std::uint64_t limit_bytes) const = 0;
  // Where it is or would be, for messages.
  virtual std::string place(std::string_view name) const = 0;
  // Where all of them are, for messages.
  virtual std::string label() const = 0;
};

class FolderDocuments final : public Documents {
 public:
  explicit FolderDocuments(std::filesystem::path folder) : folder_(std::move(folder)) {}
  bool has(std::string_view name) const override;
  Result<std::string> read(std::string_view name, std::uint64_t limit_bytes) const override;
  std::string place(std::string_view name) const override { return (folder_ / name).string(); }
  std::string label() const override { return folder_.string(); }

 private:
  std::filesystem::path folder_;
};

}  // namespace crucible::checkpoint
