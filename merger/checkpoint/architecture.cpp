#include "merger/checkpoint/architecture.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <set>
#include <utility>

namespace crucible::checkpoint {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view,
#include "architecture_count.inc"
                     >
    kTables = {
#include "architecture_tables.inc"
};

constexpr std::string_view kLayerIndex = "${layer_index}";
constexpr std::string_view kExpertIndex = "${expert_index}";
constexpr std::uint64_t kLayerLimit = 100'000;
constexpr std::uint64_t kExpertLimit = 100'000;

tl::unexpected<Error> corrupt(const std::string& message) {
  return fail(ErrorCode::kCorrupt, message);
}

std::string replaced(std::string text, std::string_view mark, const std::string& by) {
  const std::size_t at = text.find(mark);
  if (at != std::string::npos) text.replace(at, mark.size(), by);
  return text;
}

bool has_expert(const std::string& name) { return name.find(kExpertIndex) != std::string::npos; }

std::vector<std::string> strings_at(const json& item, const char* key) {
  return item.value(key, std::vector<std::string>());
}

// {"model.": ["language_model.model."]}: every name that starts so has these other names.
void add_prefix_aliases(TensorTemplate& tensor, const json& prefixes) {
  for (const auto& [prefix, others] : prefixes.items()) {
    if (!tensor.name.starts_with(prefix)) continue;
    for (const auto& other : others)
      tensor.aliases.push_back(other.get<std::string>() + tensor.name.substr(prefix.size()));
    return;
  }
}

std::vector<TensorTemplate> read_templates(const json& table, const char* key) {
  std::vector<TensorTemplate> templates;
  for (const json& item : table.value(key, json::array())) {
    TensorTemplate tensor;
    tensor.name = item.at("name").get<std::string>();
    tensor.shape = strings_at(item, "shape");
    tensor.optional = item.value("optional", false);
    tensor.tied_to = item.value("tied_to", std::string());
    tensor.aliases = strings_at(item, "aliases");
    tensor.parts = strings_at(item, "parts");
    tensor.count = item.value("count", table.value("expert_count", std::string()));
    add_prefix_aliases(tensor, table.value("prefixes", json::object()));
    templates.push_back(std::move(tensor));
  }
  return templates;
}

void connect_ties(Module& module) {
  for (TensorTemplate& tensor : module.after) {
    for (const TensorTemplate& other : module.before) {
      if (other.name == tensor.tied_to) tensor.tied_aliases = other.aliases;
    }
  }
}

// Tensors of single experts can be packed when a packed tensor lists them.
void mark_experts(Module& module) {
  for (TensorTemplate& tensor : module.layer) {
    tensor.per_expert = std::ranges::any_of(module.packed, [&](const TensorTemplate& packed) {
      return std::ranges::find(packed.parts, tensor.name) != packed.parts.end();
    });
  }
}

// The tables are part of the program: a mistake in one is a bug and throws.
Architecture read_architecture(std::string_view text) {
  const json table = json::parse(text);
  Module module{"default",
                table.at("layer_count").get<std::vector<std::string>>(),
                "",
                read_templates(table, "before"),
                read_templates(table, "layer"),
                read_templates(table, "after"),
                read_templates(table, "packed"),
                table.value("full_attention_every", std::string()),
                strings_at(table, "buffers")};
  connect_ties(module);
  mark_experts(module);
  return {table.at("model_type").get<std::string>(),
          table.at("architectures").get<std::vector<std::string>>(),
          false,
          false,
          {std::move(module)}};
}

const Architecture* find_table(const Checkpoint& checkpoint) {
  const std::string name = checkpoint.architecture();
  for (const Architecture& known : architectures()) {
    if (known.model_type == checkpoint.model_type() &&
        (name.empty() || std::ranges::find(known.names, name) != known.names.end())) {
      return &known;
    }
  }
  return nullptr;
}

std::vector<std::string> numbered(const std::vector<std::string>& names, std::uint64_t index) {
  std::vector<std::string> all;
  for (const std::string& name : names)
    all.push_back(replaced(name, kExpertIndex, std::to_string(index)));
  return all;
}

Result<std::uint64_t> repetitions(const TensorTemplate& tensor, const json& config) {
  const auto count = evaluate_size(config, tensor.count);
  if (count && *count <= kExpertLimit) return *count;
  return corrupt("config.json: " + tensor.count + " must be a whole number from 1 to " +
                 std::to_string(kExpertLimit));
}

// Writes ${expert_index} out.
Status write_out_experts(Module& module, const json& config) {
  std::vector<TensorTemplate> all;
  for (const TensorTemplate& tensor : module.layer) {
    if (!has_expert(tensor.name)) {
      all.push_back(tensor);
      continue;
    }
    const auto count = repetitions(tensor, config);
    if (!count) {
      if (tensor.optional && !tensor.per_expert) continue;
      return fail(count.error());
    }
    for (std::uint64_t index = 0; index < *count; ++index) {
      TensorTemplate one = tensor;
      one.name = replaced(one.name, kExpertIndex, std::to_string(index));
      one.aliases = numbered(tensor.aliases, index);
      all.push_back(std::move(one));
    }
  }
  module.layer = std::move(all);
  for (TensorTemplate& packed : module.packed) {
    const auto count = repetitions(packed, config);
    if (!count) return fail(count.error());
    std::vector<std::string> parts;
    for (std::uint64_t index = 0; index < *count; ++index)
      std::ranges::move(numbered(packed.parts, index), std::back_inserter(parts));
    packed.parts = std::move(parts);
    packed.repeated = *count;
  }
  return {};
}

bool holds_packed(const Checkpoint& checkpoint, const Module& module, std::uint64_t layers) {
  for (std::uint64_t layer = 0; layer < layers; ++layer) {
    for (const TensorTemplate& packed : module.packed) {
      for (const std::string& name : packed.spellings(layer)) {
        if (checkpoint.find(name).shard != nullptr) return true;
      }
    }
  }
  return false;
}

Result<std::uint64_t> configured_layers(const Module& module, const json& config) {
  for (const std::string& key : module.layer_count_keys) {
    const auto count = config_number(config, key);
    if (count && *count <= kLayerLimit) return *count;
  }
  return corrupt("config.json: " + module.layer_count_keys.front() +
                 " must be a whole number from 1 to " + std::to_string(kLayerLimit));
}

Result<std::uint64_t> numbered_layers(const Module& module, const Weights& weights) {
  std::set<std::uint64_t> seen;
  for (const std::string& name : weights.names()) {
    if (!name.starts_with(module.layer_prefix)) continue;
    std::uint64_t index = 0;
    const char* begin = name.data() + module.layer_prefix.size();
    const auto [stop, error] = std::from_chars(begin, name.data() + name.size(), index);
    if (error == std::errc() && stop != name.data() + name.size() && *stop == '.')
      seen.insert(index);
  }
  std::uint64_t next = 0;
  for (const std::uint64_t index : seen) {
    if (index != next) return corrupt("no tensor " + module.layer_prefix + std::to_string(next));
    ++next;
  }
  if (next == 0) return corrupt("no tensor " + module.layer_prefix + "0");
  return next;
}

}  // namespace

std::string TensorTemplate::in_layer(std::uint64_t index) const {
  return replaced(name, kLayerIndex, std::to_string(index));
}

std::vector<std::string> TensorTemplate::spellings(std::uint64_t index) const {
  std::vector<std::string> all = {in_layer(index)};
  for (const std::string& alias : aliases)
    all.push_back(replaced(alias, kLayerIndex, std::to_string(index)));
  return all;
}

std::vector<std::string> TensorTemplate::tied_spellings() const {
  std::vector<std::string> all;
  if (tied_to.empty()) return all;
  all.push_back(tied_to);
  all.insert(all.end(), tied_aliases.begin(), tied_aliases.end());
  return all;
}

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> kAll = [] {
    std::vector<Architecture> all;
    for (const std::string_view text : kTables) all.push_back(read_architecture(text));
    return all;
  }();
  return kAll;
}

std::string supported_names() {
  std::string text;
  for (const Architecture& known : architectures()) {
    for (const std::string& name : known.names) text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

Result<Architecture> written_out(const Architecture& table, const json& config) {
  Architecture found = table;
  for (Module& module : found.modules) {
    if (auto status = write_out_experts(module, config); !status)
      return fail(std::move(status.error()));
  }
  return found;
}

Result<ArchitecturePtr> find_architecture(const Checkpoint& checkpoint) {
  const Architecture* table = find_table(checkpoint);
  if (table == nullptr) return ArchitecturePtr();
  auto found = written_out(*table, checkpoint.config());
  if (!found) return fail(std::move(found.error()));
  const Module& module = found->modules.front();
  const auto layers = configured_layers(module, checkpoint.config());
  if (layers && holds_packed(checkpoint, module, *layers)) return with_packed_experts(*found);
  return std::make_shared<const Architecture>(std::move(*found));
}

ArchitecturePtr with_packed_experts(const Architecture& architecture) {
  Architecture packed = architecture;
  if (packed.packed_experts) return std::make_shared<const Architecture>(std::move(packed));
  packed.packed_experts = true;
  for (Module& module : packed.modules) {
    std::erase_if(module.layer, [](const TensorTemplate& tensor) { return tensor.per_expert; });
    module.layer.insert(module.layer.end(), module.packed.begin(), module.packed.end());
  }
  return std::make_shared<const Architecture>(std::move(packed));
}

Result<std::vector<std::uint64_t>> layer_counts(const Architecture& architecture,
                                                const json& config, const Weights& weights) {
  std::vector<std::uint64_t> counts;
  for (const Module& module : architecture.modules) {
    const auto count = module.layer_prefix.empty() ? configured_layers(module, config)
                                                   : numbered_layers(module, weights);
    if (!count) return fail(count.error());
    counts.push_back(*count);
  }
  return counts;
}

}  // namespace crucible::checkpoint
