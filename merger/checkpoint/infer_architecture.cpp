#include "merger/checkpoint/infer_architecture.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <set>
#include <utility>

namespace crucible::checkpoint {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 11> kLayerCountNames = {
    "num_hidden_layers",     "n_layer",        "num_layers",         "n_layers", "decoder_layers",
    "num_decoder_layers",    "encoder_layers", "num_encoder_layers", "depth",    "num_blocks",
    "num_transformer_layers"};

struct SplitName {
  std::string prefix;  // "model.layers."
  std::uint64_t layer = 0;
  std::string rest;  // ".mlp.up_proj.weight"
};

std::optional<SplitName> split(const std::string& name) {
  for (std::size_t at = name.find('.'); at != std::string::npos; at = name.find('.', at + 1)) {
    const char* begin = name.data() + at + 1;
    const char* end = name.data() + name.size();
    std::uint64_t layer = 0;
    const auto [stop, error] = std::from_chars(begin, end, layer);
    if (error != std::errc() || stop == end || *stop != '.') continue;
    return SplitName{name.substr(0, at + 1), layer, std::string(stop, end)};
  }
  return std::nullopt;
}

// The numbered tensors under one prefix of one model.
struct Stack {
  std::map<std::uint64_t, std::set<std::string>> layers;  // what follows the number
  std::uint64_t count() const { return layers.rbegin()->first + 1; }
  bool has_hole() const { return count() != layers.size(); }
  std::uint64_t first_hole() const {
    std::uint64_t next = 0;
    while (layers.contains(next)) ++next;
    return next;
  }
};

struct ModelNames {
  std::map<std::string, Stack> stacks;  // by prefix
  std::set<std::string> loose;
};

// "num_hidden_layers" -> value, "vision_config.depth" -> value.
std::map<std::string, std::uint64_t> layer_count_candidates(const json& config) {
  std::map<std::string, std::uint64_t> found;
  const auto add = [&found](const json& section, const std::string& path) {
    for (const std::string_view name : kLayerCountNames) {
      const auto value = section.find(name);
      if (value != section.end() && value->is_number_integer() && *value > 0)
        found.emplace(path + std::string(name), value->get<std::uint64_t>());
    }
  };
  add(config, "");
  for (const auto& [key, section] : config.items()) {
    if (section.is_object()) add(section, key + ".");
  }
  return found;
}

tl::unexpected<Error> refused(const std::string& reason) {
  return fail(ErrorCode::kUnsupported, "its tensors do not tell its architecture: " + reason);
}

// Small numbered groups that are no layers (a two-layer projection, say) count as loose tensors.
Result<ModelNames> read_names(const ModelFacts& model) {
  ModelNames names;
  for (const std::string& name : model.weights->names()) {
    if (const auto parts = split(name)) {
      names.stacks[parts->prefix].layers[parts->layer].insert(parts->rest);
    } else {
      names.loose.insert(name);
    }
  }
  const auto candidates = layer_count_candidates(*model.config);
  for (auto at = names.stacks.begin(); at != names.stacks.end();) {
    const auto& [prefix, stack] = *at;
    const bool configured = std::ranges::any_of(
        candidates, [&](const auto& candidate) { return candidate.second == stack.count(); });
    const bool alone = std::ranges::none_of(names.stacks, [&stack](const auto& other) {
      return !other.second.has_hole() && other.second.count() == stack.count();
    });
    if (stack.has_hole() && configured && alone && stack.count() > 2) {
      return refused(model.name + " has no tensor of layer " + prefix +
                     std::to_string(stack.first_hole()) + ", but of layer " +
                     std::to_string(stack.count() - 1));
    }
    if (!stack.has_hole() && (stack.count() > 1 || configured)) {
      ++at;
      continue;
    }
    for (const auto& [layer, rests] : stack.layers) {
      for (const std::string& rest : rests)
        names.loose.insert(prefix + std::to_string(layer) + rest);
    }
    at = names.stacks.erase(at);
  }
  if (names.stacks.empty()) return refused(model.name + " has no numbered layers");
  return names;
}

bool contains_any(const std::string& text, std::initializer_list<std::string_view> parts) {
  return std::ranges::any_of(
      parts, [&](std::string_view part) { return text.find(part) != std::string::npos; });
}

bool is_embedding(const std::string& name) {
  return contains_any(name, {"embed_tokens", "wte", "word_embeddings", "embed_in", "tok_embed",
                             "shared.weight", "token_embedding", "embeddings.weight"});
}

// Output heads and final norms, as opposed to embeddings and what is done to them.
bool belongs_to_end(const std::string& name) {
  if (contains_any(name, {"embed_out", "embedding_norm", "lm_head", "embed_head"})) return true;
  if (contains_any(name, {"emb", "wte", "wpe"})) return false;
  if (contains_any(name, {"norm", "head", "classifier", "pooler", "qa_outputs"})) return true;
  std::size_t begin = 0;
  while (begin < name.size()) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const std::string_view part = std::string_view(name).substr(begin, end - begin);
    if (part == "output" || part == "score" || part == "ln_f" || part == "ln_out") return true;
    begin = end + 1;
  }
  return false;
}

std::size_t shared_components(const std::string& name, const std::string& prefix) {
  std::size_t shared = 0;
  for (std::size_t i = 0; i < std::min(name.size(), prefix.size()) && name[i] == prefix[i]; ++i)
    shared += name[i] == '.' ? 1 : 0;
  return shared;
}

class Inference {
 public:
  explicit Inference(std::span<const ModelFacts> models) : models_(models) {}

  Result<ArchitecturePtr> run() {
    for (const ModelFacts& model : models_) {
      auto names = read_names(model);
      if (!names) return fail(std::move(names.error()));
      names_.push_back(std::move(*names));
    }
    if (auto status = check_agreement(); !status) return fail(std::move(status.error()));
    Architecture found;
    const json& config = *models_.front().config;
    found.model_type = config.value("model_type", json()).is_string()
                           ? config.at("model_type").get<std::string>()
                           : "unknown";
    if (const auto& list = config.value("architectures", json()); list.is_array() && !list.empty())
      found.names.push_back(list.front().is_string() ? list.front().get<std::string>() : "");
    found.inferred = true;
    for (const std::string& prefix : prefixes_in_order()) found.modules.push_back(module(prefix));
    if (found.modules.size() == 1) found.modules.front().name = "default";
    place_loose_tensors(found);
    for (Module& module : found.modules) tie_head(module);
    return std::make_shared<const Architecture>(std::move(found));
  }

 private:
  Status check_agreement() const {
    const ModelNames& first = names_.front();
    for (std::size_t i = 1; i < names_.size(); ++i) {
      const ModelNames& other = names_[i];
      const auto differing = [&](const ModelNames& a, const ModelNames& b) -> std::string {
        for (const auto& [prefix, stack] : a.stacks) {
          if (!b.stacks.contains(prefix)) return prefix;
        }
        return "";
      };
      const std::string only = differing(first, other) + differing(other, first);
      if (!only.empty()) {
        return refused(models_.front().name + " and " + models_[i].name +
                       " differ in layer names: only one has " + only + "N");
      }
      std::size_t shared = 0;
      for (const auto& [prefix, stack] : first.stacks) {
        const auto& there = other.stacks.at(prefix).layers.at(0);
        for (const std::string& rest : stack.layers.at(0)) shared += there.contains(rest) ? 1 : 0;
      }
      if (shared == 0) {
        return refused(models_.front().name + " and " + models_[i].name +
                       " have no tensor of layer 0 in common");
      }
    }
    return {};
  }

  std::size_t tensors_under(const std::string& prefix) const {
    std::size_t count = 0;
    for (const auto& [layer, rests] : names_.front().stacks.at(prefix).layers)
      count += rests.size();
    return count;
  }

  // The main module first: the one whose layer count the configuration gives outright.
  std::vector<std::string> prefixes_in_order() const {
    std::vector<std::string> prefixes;
    for (const auto& [prefix, stack] : names_.front().stacks) prefixes.push_back(prefix);
    const auto main = std::ranges::max_element(prefixes, {}, [&](const std::string& prefix) {
      return std::pair(main_count_matches(prefix), tensors_under(prefix));
    });
    std::rotate(prefixes.begin(), main, main + 1);
    return prefixes;
  }

  bool main_count_matches(const std::string& prefix) const {
    const std::uint64_t count = names_.front().stacks.at(prefix).count();
    return std::ranges::any_of(kLayerCountNames, [&](std::string_view name) {
      return config_number(*models_.front().config, name) == count;
    });
  }

  Module module(const std::string& prefix) const {
    Module module;
    module.name = prefix.substr(0, prefix.size() - 1);
    module.layer_prefix = prefix;
    module.layer_count_keys = count_keys(prefix);
    std::map<std::string, std::size_t> seen;  // in how many layers of all models
    std::size_t layers = 0;
    for (const ModelNames& names : names_) {
      for (const auto& [layer, rests] : names.stacks.at(prefix).layers) {
        ++layers;
        for (const std::string& rest : rests) ++seen[rest];
      }
    }
    for (const auto& [rest, count] : seen) {
      TensorTemplate tensor;
      tensor.name = prefix + "${layer_index}" + rest;
      tensor.optional = count < layers;
      module.layer.push_back(std::move(tensor));
    }
    return module;
  }

  // Keys whose value is the module's layer count in every model. With several modules, a key in a
  // section (vision_config) or about one side (decoder_layers) must go with the module's name.
  std::vector<std::string> count_keys(const std::string& prefix) const {
    std::vector<std::string> keys;
    for (const auto& [key, value] : layer_count_candidates(*models_.front().config)) {
      bool everywhere = true;
      for (std::size_t i = 0; i < models_.size(); ++i) {
        const auto there = layer_count_candidates(*models_[i].config);
        const auto found = there.find(key);
        everywhere = everywhere && found != there.end() &&
                     found->second == names_[i].stacks.at(prefix).count();
      }
      if (everywhere && (names_.front().stacks.size() == 1 || goes_with(key, prefix)))
        keys.push_back(key);
    }
    return keys;
  }

  static bool goes_with(const std::string& key, const std::string& prefix) {
    for (const std::string_view side : {"vis", "audio", "speech", "encoder", "decoder"}) {
      const bool in_key = key.find(side) != std::string::npos;
      const bool in_prefix = prefix.find(side) != std::string::npos;
      if (in_key && !in_prefix) return false;
      if (in_prefix && !in_key && (side == "vis" || side == "audio" || side == "speech"))
        return false;
    }
    return true;
  }

  void place_loose_tensors(Architecture& architecture) const {
    std::map<std::string, std::size_t> seen;
    for (const ModelNames& names : names_) {
      for (const std::string& name : names.loose) ++seen[name];
    }
    for (const auto& [name, count] : seen) {
      const auto home = std::ranges::max_element(
          architecture.modules, {},
          [&name](const Module& module) { return shared_components(name, module.layer_prefix); });
      TensorTemplate tensor;
      tensor.name = name;
      tensor.optional = count < models_.size();
      tensor.shape = vocabulary_shape(name);
      (belongs_to_end(name) ? home->after : home->before).push_back(std::move(tensor));
    }
  }

  // Marks the first axis that is as long as the vocabulary in every model that has the tensor.
  std::vector<std::string> vocabulary_shape(const std::string& name) const {
    std::vector<std::string> shape;
    std::optional<std::size_t> axis;
    for (const ModelFacts& model : models_) {
      const TensorSourcePtr source = model.weights->find(name);
      if (source == nullptr) continue;
      const auto vocabulary = config_number(*model.config, "vocab_size");
      const auto at = std::ranges::find(source->shape(), vocabulary.value_or(0));
      if (at == source->shape().end()) return {};
      const auto here = static_cast<std::size_t>(at - source->shape().begin());
      if (axis && (*axis != here || shape.size() != source->shape().size())) return {};
      axis = here;
      shape.assign(source->shape().size(), "");
    }
    if (axis) shape[*axis] = "vocab_size";
    return shape;
  }

  // Where only some models have the output head, the others' embeddings stand in.
  void tie_head(Module& module) const {
    for (TensorTemplate& head : module.after) {
      if (!head.optional || head.shape.size() != 2 || head.shape.front() != "vocab_size") continue;
      if (!lacking_models_are_tied(head.name)) continue;
      const auto embedding =
          std::ranges::find_if(module.before, [&head](const TensorTemplate& tensor) {
            return is_embedding(tensor.name) && tensor.shape == head.shape && !tensor.optional;
          });
      if (embedding != module.before.end()) head.tied_to = embedding->name;
    }
  }

  bool lacking_models_are_tied(const std::string& head) const {
    for (std::size_t i = 0; i < models_.size(); ++i) {
      if (names_[i].loose.contains(head)) continue;
      const auto tied = models_[i].config->find("tie_word_embeddings");
      if (tied != models_[i].config->end() && *tied == false) return false;
    }
    return true;
  }

  std::span<const ModelFacts> models_;
  std::vector<ModelNames> names_;
};

}  // namespace

Result<ArchitecturePtr> infer_architecture(std::span<const ModelFacts> models) {
  return Inference(models).run();
}

}  // namespace crucible::checkpoint
