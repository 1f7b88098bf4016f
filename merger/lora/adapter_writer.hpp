#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "merger/base/io.hpp"
#include "merger/checkpoint/tensor_source.hpp"

namespace crucible::lora {

// One module's factors as PEFT stores them, raw in the adapter's element type.
struct WrittenModule {
  std::string name;
  bool is_embedding = false;
  std::uint64_t rank = 0;
  std::uint64_t inputs = 0;  // A is [rank, inputs], B [outputs, rank]
  std::uint64_t outputs = 0;
  std::vector<std::byte> a;
  std::vector<std::byte> b;
};

// A tensor that the adapter holds whole, of a module in `modules_to_save`.
struct SavedTensor {
  std::string name;
  checkpoint::TensorSourcePtr source;
};

struct AdapterContents {
  std::string base_model;  // as PEFT finds it: a path or a name of the hub
  tensor::DType dtype = tensor::DType::kF32;
  bool fan_in_fan_out = false;
  std::vector<std::string> target_modules;
  std::vector<WrittenModule> modules;
  std::vector<std::string> modules_to_save;
  std::vector<SavedTensor> saved;
};

// Writes adapter_config.json and adapter_model.safetensors into an existing folder, synced. The
// scale of every module is 1 (alpha = rank).
Status write_adapter(const AdapterContents& contents, const std::filesystem::path& folder,
                     io::Syscalls& calls = io::system());

}  // namespace crucible::lora
