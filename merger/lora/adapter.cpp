#include "merger/lora/adapter.hpp"

#include <array>
#include <optional>
#include <string_view>
#include <system_error>

#include "merger/checkpoint/content_digest.hpp"

namespace crucible::lora {
namespace fs = std::filesystem;
namespace {

using safetensors::TensorEntry;

enum class Part { kA, kB, kBias, kMagnitude, kReplacement };

struct ParsedName {
  std::string module;  // or the tensor, of a replacement
  Part part = Part::kReplacement;
  bool is_embedding = false;
};

struct Suffix {
  std::string_view text;
  Part part;
  bool is_embedding;
};
constexpr std::array<Suffix, 7> kSuffixes = {{
    {".lora_A.weight", Part::kA, false},
    {".lora_B.weight", Part::kB, false},
    {".lora_B.bias", Part::kBias, false},
    {".lora_embedding_A", Part::kA, true},
    {".lora_embedding_B", Part::kB, true},
    {".lora_magnitude_vector", Part::kMagnitude, false},
    {".lora_magnitude_vector.weight", Part::kMagnitude, false},
}};

void erase_all(std::string& text, std::string_view part) {
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at)) {
    text.replace(at, part.size(), ".");
  }
}

// The adapter's own name ("default") stands in files that were not written by save_pretrained.
ParsedName parse_name(std::string name) {
  constexpr std::string_view kPrefix = "base_model.model.";
  if (name.starts_with(kPrefix)) name.erase(0, kPrefix.size());
  if (name.ends_with(".default")) name.resize(name.size() - std::string_view(".default").size());
  erase_all(name, ".default.");
  for (const Suffix& suffix : kSuffixes) {
    if (!name.ends_with(suffix.text)) continue;
    return {name.substr(0, name.size() - suffix.text.size()), suffix.part, suffix.is_embedding};
  }
  erase_all(name, ".modules_to_save.");
  erase_all(name, ".base_layer.");
  return {std::move(name), Part::kReplacement, false};
}

// The mark of another method in a tensor name; "" = none.
std::string_view foreign_mark(std::string_view name) {
  constexpr std::array<std::string_view, 9> kMarks = {
      ".lora_E", ".lora_", ".hada_",           ".lokr_",           ".ia3_l",
      ".oft_",   ".vera_", "trainable_tokens", "prompt_embeddings"};
  for (const std::string_view mark : kMarks) {
    if (name.find(mark) != std::string_view::npos) return mark;
  }
  return {};
}

std::string text_of(const tensor::Shape& shape) {
  std::string text = "[";
  for (const std::uint64_t extent : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  }
  return text + "]";
}

tl::unexpected<Error> no_weights(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder / "adapter_model.bin", error)) {
    return fail(ErrorCode::kUnsupported,
                (folder / "adapter_model.bin").string() +
                    " is a pickle, which can run code when read; load the adapter with PEFT and "
                    "write it with save_pretrained(..., safe_serialization=True)");
  }
  return fail(ErrorCode::kNotFound,
              folder.string() + " has no " + std::string(kAdapterWeightsFile));
}

}  // namespace

class AdapterReader {
 public:
  explicit AdapterReader(Adapter& adapter) : adapter_(adapter) {}

  Status read_names() {
    for (const TensorEntry& entry : adapter_.file_->tensors()) {
      if (auto status = add(entry); !status) return status;
    }
    if (modules_.empty() && adapter_.replacements_.empty()) {
      return corrupt("it holds no tensor of an adapter");
    }
    for (auto& [name, module] : modules_) {
      if (auto status = complete(module); !status) return status;
      adapter_.modules_.push_back(module);
    }
    return {};
  }

 private:
  tl::unexpected<Error> corrupt(const std::string& message) const {
    return fail(ErrorCode::kCorrupt, adapter_.file_->path().string() + ": " + message);
  }

  Status add(const TensorEntry& entry) {
    if (!tensor::is_floating(entry.dtype)) {
      return fail(ErrorCode::kUnsupported, adapter_.file_->path().string() + ": tensor " +
                                               entry.name + " is " +
                                               std::string(tensor::torch_name(entry.dtype)) +
                                               "; the factors must be floating-point numbers");
    }
    ParsedName parsed = parse_name(entry.name);
    if (parsed.part == Part::kReplacement) return add_replacement(entry, std::move(parsed.module));
    AdapterModule& module = modules_[parsed.module];
    module.name = parsed.module;
    module.is_embedding = module.is_embedding || parsed.is_embedding;
    const TensorEntry** slot = &module.a;
    if (parsed.part == Part::kB) slot = &module.b;
    if (parsed.part == Part::kBias) slot = &module.bias;
    if (parsed.part == Part::kMagnitude) slot = &module.magnitude;
    if (*slot != nullptr) return corrupt(entry.name + " and " + (*slot)->name + " are the same");
    *slot = &entry;
    return {};
  }

  Status add_replacement(const TensorEntry& entry, std::string name) {
    const std::string_view mark = foreign_mark(name);
    if (!mark.empty()) {
      return fail(ErrorCode::kUnsupported, adapter_.file_->path().string() + ": tensor " +
                                               entry.name +
                                               " belongs to another method than LoRA or DoRA");
    }
    if (!adapter_.replacements_.emplace(std::move(name), &entry).second) {
      return corrupt("two tensors stand for the same one; one is " + entry.name);
    }
    return {};
  }

  Status complete(AdapterModule& module) {
    if (module.a == nullptr || module.b == nullptr) {
      return corrupt("module " + module.name + " lacks its factor " +
                     (module.a == nullptr ? "A" : "B"));
    }
    for (const TensorEntry* factor : {module.a, module.b}) {
      if (factor->shape.size() != 2) {
        return fail(ErrorCode::kUnsupported, adapter_.file_->path().string() + ": tensor " +
                                                 factor->name + " is " + text_of(factor->shape) +
                                                 "; only adapters of matrices are folded");
      }
    }
    const auto rank = adapter_.config_.rank_of(module.name);
    if (!rank) return fail(rank.error());
    const auto scale = adapter_.config_.scale_of(module.name);
    if (!scale) return fail(scale.error());
    module.rank = module.a->shape[0];
    module.scale = static_cast<float>(*scale);
    if (module.rank != *rank || module.b->shape[1] != *rank) {
      return corrupt("module " + module.name + " has A " + text_of(module.a->shape) + " and B " +
                     text_of(module.b->shape) + ", but " + std::string(kAdapterConfigFile) +
                     " says rank " + std::to_string(*rank));
    }
    return check_variant(module);
  }

  Status check_variant(const AdapterModule& module) const {
    if (adapter_.config_.is_dora() != (module.magnitude != nullptr)) {
      return corrupt("module " + module.name +
                     (module.magnitude == nullptr ? " lacks lora_magnitude_vector, but use_dora is "
                                                    "set"
                                                  : " has lora_magnitude_vector, but use_dora is "
                                                    "not set"));
    }
    if (module.bias != nullptr && module.is_embedding) {
      return corrupt("embedding " + module.name + " has a bias");
    }
    return {};
  }

  Adapter& adapter_;
  std::map<std::string, AdapterModule> modules_;
};

Result<Adapter> Adapter::open(const fs::path& folder, io::Syscalls& calls) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return fail(ErrorCode::kNotFound, folder.string() + " is not a folder");
  }
  Adapter adapter;
  adapter.folder_ = folder;
  auto config = AdapterConfig::read(folder / kAdapterConfigFile, calls);
  if (!config) return fail(std::move(config.error()));
  adapter.config_ = std::move(*config);
  if (!fs::exists(folder / kAdapterWeightsFile, error)) return no_weights(folder);
  auto reader = safetensors::Reader::open(folder / kAdapterWeightsFile, calls);
  if (!reader) return fail(std::move(reader.error()));
  adapter.file_ = std::make_shared<const safetensors::Reader>(std::move(*reader));
  if (auto status = AdapterReader(adapter).read_names(); !status) {
    return fail(std::move(status.error()));
  }
  return adapter;
}

Result<std::vector<float>> Adapter::read(const TensorEntry& entry) const {
  std::vector<std::byte> raw(static_cast<std::size_t>(entry.bytes));
  if (auto status = file_->read(entry, 0, raw); !status) return fail(std::move(status.error()));
  std::vector<float> values(raw.size() / tensor::byte_size(entry.dtype));
  tensor::to_float32(entry.dtype, raw, values);
  return values;
}

Result<Digest> adapter_digest(const fs::path& folder, io::Syscalls& calls) {
  Sha256 hash;
  hash.field("crucible adapter 1");
  for (const std::string_view name : {kAdapterConfigFile, kAdapterWeightsFile}) {
    const auto digest = checkpoint::file_digest(folder / name, calls);
    if (!digest) return fail(digest.error());
    hash.field(digest->hex());
  }
  return hash.finish();
}

}  // namespace crucible::lora
