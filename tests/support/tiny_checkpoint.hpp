#pragma once

#include <filesystem>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "merger/checkpoint/architecture.hpp"
#include "merger/safetensors/writer.hpp"
#include "nlohmann/json.hpp"

namespace crucible::test {

// A random llama in Hugging Face layout, small enough for tests; change the fields before write().
// Any architecture that has a table will do: its sizes come from the configuration.
struct TinyCheckpoint {
  nlohmann::json config = {{"architectures", nlohmann::json::array({"LlamaForCausalLM"})},
                           {"model_type", "llama"},
                           {"hidden_size", 8},
                           {"intermediate_size", 12},
                           {"num_attention_heads", 2},
                           {"num_key_value_heads", 1},
                           {"num_hidden_layers", 3},
                           {"vocab_size", 20},
                           {"torch_dtype", "float32"}};
  tensor::DType dtype = tensor::DType::kF32;
  unsigned seed = 1;
  bool tied = false;
  bool optional = false;  // with optional tensors
  bool packed = false;    // the experts of a layer in one tensor
  std::uint64_t shard_bytes = 1ULL << 40;
  // Called for every tensor; false leaves it out.
  std::function<bool(safetensors::OutputTensor&)> edit = [](auto&) { return true; };

  std::filesystem::path write(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    check(io::write_new_file(folder / "config.json", config.dump()));
    const std::vector<safetensors::OutputTensor> tensors = listing();
    auto writer = safetensors::ShardedWriter::create(folder, tensors, shard_bytes);
    if (!writer) throw std::runtime_error(describe(writer.error()));
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0F, 0.1F);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      std::vector<float> values(tensor::element_count(tensors[i].shape).value());
      for (float& value : values) value = normal(random);
      std::vector<std::byte> raw(values.size() * tensor::byte_size(tensors[i].dtype));
      if (tensor::is_floating(tensors[i].dtype))
        tensor::from_float32(tensors[i].dtype, values, raw);
      check(writer->write(i, 0, raw));
    }
    check(writer->finish());
    return folder;
  }

 private:
  static void check(const Status& status) {
    if (!status) throw std::runtime_error(describe(status.error()));
  }

  std::vector<safetensors::OutputTensor> listing() const {
    const checkpoint::Architecture* table = nullptr;
    for (const auto& known : checkpoint::architectures()) {
      if (known.model_type == config.at("model_type")) table = &known;
    }
    checkpoint::Architecture found = checkpoint::written_out(*table, config).value();
    if (packed) found = *checkpoint::with_packed_experts(found);
    const checkpoint::Module& module = found.modules.front();
    std::vector<safetensors::OutputTensor> tensors;
    const auto add = [&](const checkpoint::TensorTemplate& tensor, std::uint64_t layer) {
      const bool is_tied = tied && !tensor.tied_to.empty();
      if (is_tied || (tensor.optional && tensor.tied_to.empty() && !optional)) return;
      safetensors::OutputTensor output{tensor.in_layer(layer), dtype,
                                       checkpoint::expected_shape(tensor, config).value()};
      if (edit(output)) tensors.push_back(std::move(output));
    };
    for (const auto& tensor : module.before) add(tensor, 0);
    for (std::uint64_t layer = 0; layer < config.at(module.layer_count_keys.front()); ++layer) {
      for (const auto& tensor : module.layer) add(tensor, layer);
    }
    for (const auto& tensor : module.after) add(tensor, 0);
    return tensors;
  }
};

}  // namespace crucible::test
