#pragma once

#include <filesystem>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "merger/safetensors/writer.hpp"
#include "nlohmann/json.hpp"

namespace crucible::test {

// A LoRA adapter in PEFT layout; change the fields before write().
struct TinyAdapter {
  struct Tensor {
    tensor::Shape shape;
    std::vector<float> values;
    tensor::DType dtype = tensor::DType::kF32;
  };
  nlohmann::ordered_json config = {{"peft_type", "LORA"},
                                   {"r", 2},
                                   {"lora_alpha", 3},
                                   {"fan_in_fan_out", false},
                                   {"init_lora_weights", true}};
  std::map<std::string, Tensor> tensors;  // by name in the file, without "base_model.model."
  unsigned seed = 7;

  void add(const std::string& name, tensor::Shape shape,
           tensor::DType dtype = tensor::DType::kF32) {
    Tensor added{std::move(shape), {}, dtype};
    std::mt19937 random(seed++);
    std::normal_distribution<float> normal(0.0F, 0.1F);
    added.values.resize(tensor::element_count(added.shape).value());
    for (float& value : added.values) value = tensor::round_to(dtype, normal(random));
    tensors[name] = std::move(added);
  }
  void add_linear(const std::string& module, std::uint64_t outputs, std::uint64_t inputs,
                  std::uint64_t rank = 2) {
    add(module + ".lora_A.weight", {rank, inputs});
    add(module + ".lora_B.weight", {outputs, rank});
  }
  const std::vector<float>& values(const std::string& name) const {
    return tensors.at(name).values;
  }

  std::filesystem::path write(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    check(io::write_new_file(folder / "adapter_config.json", config.dump(2)));
    std::vector<safetensors::OutputTensor> outputs;
    for (const auto& [name, tensor] : tensors) {
      outputs.push_back({"base_model.model." + name, tensor.dtype, tensor.shape});
    }
    auto writer = safetensors::ShardedWriter::create(folder, outputs, 1ULL << 40);
    if (!writer) throw std::runtime_error(describe(writer.error()));
    std::size_t index = 0;
    for (const auto& [name, tensor] : tensors) {
      std::vector<std::byte> raw(tensor.values.size() * tensor::byte_size(tensor.dtype));
      tensor::from_float32(tensor.dtype, tensor.values, raw);
      check(writer->write(index++, 0, raw));
    }
    check(writer->finish());
    std::filesystem::rename(folder / "model.safetensors", folder / "adapter_model.safetensors");
    return folder;
  }

 private:
  static void check(const Status& status) {
    if (!status) throw std::runtime_error(describe(status.error()));
  }
};

}  // namespace crucible::test
