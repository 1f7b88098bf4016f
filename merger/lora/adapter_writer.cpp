#include "merger/lora/adapter_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <map>

#include "merger/checkpoint/files.hpp"
#include "merger/lora/adapter_config.hpp"
#include "merger/safetensors/writer.hpp"
#include "nlohmann/json.hpp"

namespace crucible::lora {
namespace fs = std::filesystem;
namespace {

using nlohmann::ordered_json;
using safetensors::OutputTensor;

// The rank of most modules; the others are patterns.
std::uint64_t common_rank(const std::vector<WrittenModule>& modules) {
  std::map<std::uint64_t, std::size_t> counts;
  for (const WrittenModule& module : modules) ++counts[module.rank];
  if (counts.empty()) return 1;
  return std::ranges::max_element(counts, {}, [](const auto& item) { return item.second; })->first;
}

// A module's name as a pattern's key. Older PEFT releases look for it after a dot, so the part
// before the first dot is left out.
std::string pattern_key(const std::string& module) {
  const auto dot = module.find('.');
  return dot == std::string::npos ? module : module.substr(dot + 1);
}

ordered_json adapter_config(const AdapterContents& contents) {
  const std::uint64_t rank = common_rank(contents.modules);
  ordered_json ranks = ordered_json::object();
  for (const WrittenModule& module : contents.modules) {
    if (module.rank != rank) ranks[pattern_key(module.name)] = module.rank;
  }
  ordered_json config;
  config["peft_type"] = "LORA";
  config["task_type"] = "CAUSAL_LM";
  config["base_model_name_or_path"] = contents.base_model;
  config["inference_mode"] = true;
  config["r"] = rank;
  config["lora_alpha"] = rank;
  config["lora_dropout"] = 0.0;
  config["bias"] = "none";
  config["fan_in_fan_out"] = contents.fan_in_fan_out;
  config["init_lora_weights"] = true;
  config["target_modules"] = contents.target_modules;
  config["rank_pattern"] = ranks;
  config["alpha_pattern"] = ranks;
  config["modules_to_save"] =
      contents.modules_to_save.empty() ? ordered_json() : ordered_json(contents.modules_to_save);
  return config;
}

std::vector<OutputTensor> outputs_of(const AdapterContents& contents) {
  const std::string prefix = "base_model.model.";
  std::vector<OutputTensor> outputs;
  for (const WrittenModule& module : contents.modules) {
    const std::string stem =
        prefix + module.name + (module.is_embedding ? ".lora_embedding_" : ".lora_");
    const std::string end = module.is_embedding ? "" : ".weight";
    outputs.push_back({stem + "A" + end, contents.dtype, {module.rank, module.inputs}});
    outputs.push_back({stem + "B" + end, contents.dtype, {module.outputs, module.rank}});
  }
  for (const SavedTensor& saved : contents.saved) {
    outputs.push_back({prefix + saved.name, saved.source->dtype(), saved.source->shape()});
  }
  return outputs;
}

Status copy_tensor(const checkpoint::TensorSource& source, safetensors::ShardedWriter& writer,
                   std::size_t index) {
  constexpr std::uint64_t kPieceElements = 1U << 20;
  const std::uint64_t elements = tensor::element_count(source.shape()).value_or(0);
  const std::size_t size = tensor::byte_size(source.dtype());
  std::vector<std::byte> piece;
  for (std::uint64_t first = 0; first < elements; first += kPieceElements) {
    piece.resize(static_cast<std::size_t>(std::min(kPieceElements, elements - first)) * size);
    if (auto status = source.read(first, piece); !status) return status;
    if (auto status = writer.write(index, first * size, piece); !status) return status;
  }
  return {};
}

Status write_weights(const AdapterContents& contents, const fs::path& folder, io::Syscalls& calls) {
  auto writer = safetensors::ShardedWriter::create(
      folder, outputs_of(contents), std::numeric_limits<std::uint64_t>::max(), calls);
  if (!writer) return fail(std::move(writer.error()));
  std::size_t index = 0;
  for (const WrittenModule& module : contents.modules) {
    if (auto status = writer->write(index++, 0, module.a); !status) return status;
    if (auto status = writer->write(index++, 0, module.b); !status) return status;
  }
  for (const SavedTensor& saved : contents.saved) {
    if (auto status = copy_tensor(*saved.source, *writer, index++); !status) return status;
  }
  if (auto status = writer->finish(); !status) return status;
  const fs::path from = folder / checkpoint::kWeightsFile;
  const fs::path to = folder / kAdapterWeightsFile;
  if (calls.rename_noreplace(from.c_str(), to.c_str()) != 0) {
    return fail(from_errno(errno, "cannot rename " + from.string()));
  }
  return {};
}

}  // namespace

Status write_adapter(const AdapterContents& contents, const fs::path& folder, io::Syscalls& calls) {
  if (auto status = io::write_new_file(folder / kAdapterConfigFile,
                                       adapter_config(contents).dump(2) + "\n", calls);
      !status) {
    return status;
  }
  return write_weights(contents, folder, calls);
}

}  // namespace crucible::lora
