#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "merger/base/digest.hpp"
#include "merger/lora/adapter_config.hpp"
#include "merger/safetensors/reader.hpp"

namespace crucible::lora {

// The factors of one module. Linear layers: A [r, in], B [out, r], W += scale * B A. Embeddings:
// A [r, tokens], B [width, r], W += scale * (B A)^T.
struct AdapterModule {
  std::string name;  // of the module in the base model, "model.layers.0.self_attn.q_proj"
  bool is_embedding = false;
  const safetensors::TensorEntry* a = nullptr;
  const safetensors::TensorEntry* b = nullptr;
  const safetensors::TensorEntry* magnitude = nullptr;  // DoRA only
  const safetensors::TensorEntry* bias = nullptr;       // of B; with lora_bias only
  std::uint64_t rank = 0;
  float scale = 1;
};

// A LoRA adapter in PEFT layout, adapter_config.json and adapter_model.safetensors, checked but
// not yet held against a base model. Immutable; reading from several threads is safe.
class Adapter {
 public:
  // Reads the configuration and the header, no weights. Errors: kNotFound, kCorrupt, kUnsupported
  // (see AdapterConfig, and pickled weights); they name file and tensor.
  static Result<Adapter> open(const std::filesystem::path& folder,
                              io::Syscalls& calls = io::system());

  const std::filesystem::path& folder() const { return folder_; }
  const AdapterConfig& config() const { return config_; }
  const safetensors::Reader& file() const { return *file_; }
  const std::vector<AdapterModule>& modules() const { return modules_; }  // by name
  // Whole tensors that take the place of the base model's (modules_to_save, trained biases), by
  // tensor name.
  const std::map<std::string, const safetensors::TensorEntry*>& replacements() const {
    return replacements_;
  }
  // A factor as float32, row-major.
  Result<std::vector<float>> read(const safetensors::TensorEntry& entry) const;

 private:
  friend class AdapterReader;
  std::filesystem::path folder_;
  AdapterConfig config_;
  std::shared_ptr<const safetensors::Reader> file_;
  std::vector<AdapterModule> modules_;
  std::map<std::string, const safetensors::TensorEntry*> replacements_;
};

// Identity of what the adapter in `folder` does: of its configuration and weights files.
Result<Digest> adapter_digest(const std::filesystem::path& folder,
                              io::Syscalls& calls = io::system());

}  // namespace crucible::lora
