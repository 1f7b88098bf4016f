#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/digest.hpp"
#include "merger/safetensors/reader.hpp"
#include "nlohmann/json.hpp"

// A model folder in Hugging Face layout: config.json, one or several safetensors files, tokenizer
// files.
namespace crucible::checkpoint {

// Where one tensor of the checkpoint lies.
struct TensorLocation {
  const safetensors::Reader* shard = nullptr;
  const safetensors::TensorEntry* entry = nullptr;
};

// Immutable after open; reading from several threads is safe. Holds every shard open.
class Checkpoint {
 public:
  // Reads config.json and all headers, no weights. Errors: kNotFound (no folder, config or
  // weights), kCorrupt (format), kUnsupported (pickle weights only). Shard names in the index must
  // be plain file names inside the folder.
  static Result<Checkpoint> open(const std::filesystem::path& folder,
                                 io::Syscalls& calls = io::system());

  const std::filesystem::path& folder() const { return folder_; }
  const nlohmann::json& config() const { return config_; }  // config.json as it stands
  std::string model_type() const;                           // "llama"; "" when the config has none
  std::string architecture() const;                         // architectures[0]; ""
  const std::vector<std::string>& tensor_names() const { return names_; }  // ascending
  // nullptr shard when absent.
  TensorLocation find(std::string_view name) const;
  std::uint64_t weight_bytes() const;
  std::uint64_t parameter_count() const;
  // Names of tokenizer-related files present (tokenizer.json, tokenizer_config.json, …).
  const std::vector<std::string>& tokenizer_files() const { return tokenizer_files_; }

 private:
  std::filesystem::path folder_;
  nlohmann::json config_;
  std::vector<std::unique_ptr<safetensors::Reader>> shards_;
  std::vector<std::string> names_;
  std::map<std::string, TensorLocation, std::less<>> tensors_;
  std::vector<std::string> tokenizer_files_;
};

// Identity of what the checkpoint computes: config.json, tokenizer files and tensors; not of
// sharding, shard metadata or README. A tree over fixed chunks of each tensor, so it can be
// computed in parallel and while writing. Reads all weights.
Result<Digest> content_digest(const Checkpoint& checkpoint, unsigned threads);

}  // namespace crucible::checkpoint
