#include "merger/checkpoint/checkpoint.hpp"

#include <algorithm>
#include <set>
#include <system_error>

#include "merger/checkpoint/files.hpp"
#include "merger/checkpoint/json_file.hpp"

namespace crucible::checkpoint {
namespace fs = std::filesystem;
namespace {

using WeightMap = std::map<std::string, std::string>;  // tensor name -> shard file name

constexpr std::size_t kLongestName = 255;  // what file systems take

bool is_present(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// A shard name comes from an untrusted index: a plain file name only, never a way out of the
// folder.
bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\\') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos && name.ends_with(".safetensors");
}

Result<WeightMap> read_weight_map(const fs::path& path, io::Syscalls& calls) {
  const auto index = read_json_object(path, kIndexLimitBytes, calls);
  if (!index) return fail(index.error());
  const auto corrupt = [&path](const std::string& message) {
    return fail(ErrorCode::kCorrupt, path.string() + ": " + message);
  };
  const auto found = index->find("weight_map");
  if (found == index->end() || !found->is_object()) return corrupt("weight_map must be an object");
  WeightMap map;
  for (const auto& [tensor, shard] : found->items()) {
    if (!shard.is_string()) return corrupt("weight_map." + tensor + " must be a file name");
    const auto& name = shard.get_ref<const std::string&>();
    if (!is_plain_file_name(name)) {
      return corrupt("weight_map." + tensor +
                     " must name a .safetensors file of this folder, got \"" + name + "\"");
    }
    map.emplace(tensor, name);
  }
  return map;
}

// Why there are no weights, and what to do about it.
tl::unexpected<Error> no_weights(const fs::path& folder) {
  std::error_code error;
  for (const auto& item : fs::directory_iterator(folder, error)) {
    const std::string extension = item.path().extension().string();
    if (extension == ".bin" || extension == ".pt" || extension == ".pth" || extension == ".ckpt") {
      return fail(ErrorCode::kUnsupported,
                  folder.string() + " has pickle weights only (" + item.path().filename().string() +
                      "), which can run code when read; convert them with save_pretrained(..., "
                      "safe_serialization=True) and use the result");
    }
  }
  return fail(ErrorCode::kNotFound, folder.string() + " has neither " + std::string(kWeightsFile) +
                                        " nor " + std::string(kIndexFile));
}

struct Weights {
  std::vector<std::string> shards;  // file names
  WeightMap map;                    // empty without an index
};

Result<Weights> find_weights(const fs::path& folder, io::Syscalls& calls) {
  if (is_present(folder / kWeightsFile)) return Weights{{std::string(kWeightsFile)}, {}};
  if (!is_present(folder / kIndexFile)) return no_weights(folder);
  auto map = read_weight_map(folder / kIndexFile, calls);
  if (!map) return fail(std::move(map.error()));
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : *map) shards.insert(shard);
  return Weights{{shards.begin(), shards.end()}, std::move(*map)};
}

}  // namespace

Result<Checkpoint> Checkpoint::open(const fs::path& folder, io::Syscalls& calls) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return fail(ErrorCode::kNotFound, folder.string() + " is not a folder");
  }
  Checkpoint checkpoint;
  checkpoint.folder_ = folder;
  auto config = read_json_object(folder / kConfigFile, kConfigLimitBytes, calls);
  if (!config) return fail(std::move(config.error()));
  checkpoint.config_ = std::move(*config);

  auto weights = find_weights(folder, calls);
  if (!weights) return fail(std::move(weights.error()));
  for (const std::string& name : weights->shards) {
    auto reader = safetensors::Reader::open(folder / name, calls);
    if (!reader) return fail(std::move(reader.error()));
    checkpoint.shards_.push_back(std::make_unique<safetensors::Reader>(std::move(*reader)));
    const safetensors::Reader* shard = checkpoint.shards_.back().get();
    for (const safetensors::TensorEntry& entry : shard->tensors()) {
      if (!checkpoint.tensors_.emplace(entry.name, TensorLocation{shard, &entry}).second) {
        return fail(ErrorCode::kCorrupt,
                    folder.string() + ": tensor " + entry.name + " is in more than one shard");
      }
    }
  }
  for (const auto& [tensor, shard] : weights->map) {
    const TensorLocation location = checkpoint.find(tensor);
    if (location.shard == nullptr || location.shard->path().filename() != shard) {
      return fail(ErrorCode::kCorrupt, folder.string() + ": the index places tensor " + tensor +
                                           " in " + shard + ", which does not have it");
    }
  }
  for (const auto& [name, location] : checkpoint.tensors_) checkpoint.names_.push_back(name);
  for (const std::string_view name : kTokenizerFiles) {
    if (fs::is_regular_file(folder / name, error)) checkpoint.tokenizer_files_.emplace_back(name);
  }
  return checkpoint;
}

std::string Checkpoint::model_type() const {
  const auto found = config_.find("model_type");
  return found != config_.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string Checkpoint::architecture() const {
  const auto found = config_.find("architectures");
  if (found == config_.end() || !found->is_array() || found->empty()) return {};
  return found->front().is_string() ? found->front().get<std::string>() : std::string();
}

TensorLocation Checkpoint::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? TensorLocation{} : found->second;
}

std::uint64_t Checkpoint::weight_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, location] : tensors_) bytes += location.entry->bytes;
  return bytes;
}

std::uint64_t Checkpoint::parameter_count() const {
  std::uint64_t count = 0;
  for (const auto& [name, location] : tensors_) {
    count += tensor::element_count(location.entry->shape).value_or(0);
  }
  return count;
}

}  // namespace crucible::checkpoint
