#include "evaluator/engine/model_shape.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "evaluator/engine/config_reader.hpp"

namespace crucible::engine {
namespace {

using nlohmann::json;

// Bounds that keep every product within 64 bits and inside what the engine can hold.
constexpr std::uint32_t kMaxLayers = 512;
constexpr std::uint32_t kMaxExperts = 512;
constexpr std::uint32_t kMaxHeads = 4096;
constexpr std::uint32_t kMaxHeadSize = 1024;
constexpr std::uint32_t kMaxWidth = 1U << 20;
constexpr std::uint32_t kMaxVocabulary = 1U << 24;
constexpr std::uint32_t kMaxContext = 1U << 28;
constexpr std::uint32_t kDefaultWindow = 4096;  // of transformers' Gemma configurations

std::uint32_t limit_of(std::string_view size) {
  if (size == "layers" || size == "dense_layers") return kMaxLayers;
  if (size == "heads" || size == "kv_heads") return kMaxHeads;
  if (size == "head_size") return kMaxHeadSize;
  if (size == "vocab") return kMaxVocabulary;
  if (size == "context") return kMaxContext;
  if (size == "experts" || size == "experts_used" || size == "experts_shared") return kMaxExperts;
  return kMaxWidth;
}

std::string list_of_types() {
  std::string text;
  for (const ArchitectureTable& table : architecture_tables()) {
    text += (text.empty() ? "" : ", ") + table.model_type;
  }
  return text;
}

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

Result<const ArchitectureTable*> find_table(const json& config) {
  const std::string type = text_of(config.value("model_type", json()));
  const json classes = config.value("architectures", json());
  const std::string architecture =
      classes.is_array() && !classes.empty() ? text_of(classes.front()) : std::string();
  for (const ArchitectureTable& table : architecture_tables()) {
    const bool fits = architecture.empty() ||
                      std::ranges::find(table.class_names, architecture) != table.class_names.end();
    if (type == table.model_type && fits) return &table;
  }
  return fail(ErrorCode::kUnsupported,
              "models of type '" + type + "' (architecture '" + architecture +
                  "') cannot be evaluated by this engine; it computes " + list_of_types());
}

tl::unexpected<Error> unsupported(const ArchitectureTable& table, const std::string& key,
                                  const json& value) {
  return fail(ErrorCode::kUnsupported, "config.json " + key + " " + ConfigReader::shown(value) +
                                           " is not supported for " + table.model_type +
                                           ", whose graph in llama.cpp has nothing for it");
}

// What changes the computation in ways that the architecture's graph does not have.
Status refuse_unsupported(const json& config, const ArchitectureTable& table) {
  if (ConfigReader::find(config, "quantization_config") != nullptr) {
    return fail(ErrorCode::kUnsupported,
                "config.json quantization_config: quantised checkpoints are not supported; "
                "use the original floating-point weights");
  }
  for (const Requirement& requirement : table.requirements) {
    const json* found = ConfigReader::find(config, requirement.key);
    const json value = found == nullptr ? json() : *found;
    if (std::ranges::find(requirement.allowed, value) == requirement.allowed.end()) {
      return unsupported(table, requirement.key, value);
    }
  }
  for (const std::string& key : table.activation_keys) {
    const json* found = ConfigReader::find(config, key);
    if (found == nullptr) continue;
    const bool allowed = std::ranges::any_of(table.activations,
                                             [&](const std::string& one) { return *found == one; });
    if (!allowed) return unsupported(table, key, *found);
    break;
  }
  return {};
}

void read_flags(ConfigReader& config, ModelShape& shape) {
  for (const FlagRule& rule : shape.architecture->flags) {
    if (rule.equals.is_null()) {
      shape.flags[rule.name] = config.flag(rule.key, rule.fallback);
    } else {
      const json* value = config.find(rule.key);
      shape.flags[rule.name] = value != nullptr && *value == rule.equals;
    }
  }
  shape.tied_embeddings = shape.flags["tie_word_embeddings"];
}

// The first alternative that is a key of the configuration, or an expression with a value.
std::optional<std::uint64_t> read_size(ConfigReader& config, const ModelShape& shape,
                                       const SizeRule& rule, std::string_view alternatives) {
  const std::uint32_t most = limit_of(rule.name);
  while (true) {
    const std::size_t bar = alternatives.find('|');
    const std::string_view one = alternatives.substr(0, bar);
    const auto given = config.integer(std::string(one), rule.may_be_zero ? 0 : 1, most);
    if (given) return *given;
    const auto value = evaluate_size(one, shape.sizes);
    if (value && *value <= most && (*value > 0 || rule.may_be_zero)) return value;
    if (bar == std::string_view::npos) return std::nullopt;
    alternatives.remove_prefix(bar + 1);
  }
}

void read_sizes(ConfigReader& config, ModelShape& shape) {
  for (const SizeRule& rule : shape.architecture->sizes) {
    for (const SizeChoice& choice : rule.choices) {
      if (!holds(choice.condition, shape.flags)) continue;
      const auto value = read_size(config, shape, rule, choice.value);
      if (!value && rule.name == "head_size") {
        config.fault("num_attention_heads",
                     "does not divide hidden_size, and there is no head_dim");
      } else if (!value) {
        config.fault(choice.value.substr(0, choice.value.find('|')), "is missing");
      }
      shape.sizes[rule.name] = value.value_or(1);
      break;
    }
  }
  const auto size = [&](const char* name) {
    return static_cast<std::uint32_t>(shape.sizes.find(std::string_view(name))->second);
  };
  shape.vocabulary = size("vocab");
  shape.hidden = size("hidden");
  shape.layers = size("layers");
  shape.heads = size("heads");
  shape.kv_heads = size("kv_heads");
  shape.head_size = size("head_size");
  shape.feed_forward = size("ff");
  shape.context = size("context");
  shape.sizes["q"] = std::uint64_t{shape.heads} * shape.head_size;
  shape.sizes["kv"] = std::uint64_t{shape.kv_heads} * shape.head_size;
}

Status check_sizes(ConfigReader& config, const ModelShape& shape) {
  if (shape.heads % shape.kv_heads != 0) {
    config.fault("num_key_value_heads", "does not divide num_attention_heads");
  }
  const auto experts = shape.sizes.find("experts");
  const auto used = shape.sizes.find("experts_used");
  if (experts != shape.sizes.end() && used != shape.sizes.end() && used->second > experts->second) {
    config.fault("num_experts_per_tok", std::to_string(used->second) + " is more than the " +
                                            std::to_string(experts->second) + " experts");
  }
  const auto dense = shape.sizes.find("dense_layers");
  if (dense != shape.sizes.end() && dense->second > shape.layers) {
    config.fault("first_k_dense_replace", "is more than the number of layers");
  }
  if (shape.architecture->square_attention && config.faults().empty() &&
      shape.sizes.at("q") != shape.hidden) {
    return fail(ErrorCode::kUnsupported,
                "config.json: " + std::to_string(shape.heads) + " heads of " +
                    std::to_string(shape.head_size) + " are not the hidden size " +
                    std::to_string(shape.hidden) + "; llama.cpp's graph of " + model_type(shape) +
                    " needs that");
  }
  return {};
}

Status read_numbers(ConfigReader& config, ModelShape& shape) {
  for (const NumberRule& rule : shape.architecture->numbers) {
    const json& whole = config.whole();
    const bool null = whole.contains(rule.key) && whole[rule.key].is_null();
    if (null && rule.when_null == NumberRule::Null::kRefuse) {
      return unsupported(*shape.architecture, rule.key, json());
    }
    if (config.find(rule.key) == nullptr && !rule.fallback) continue;
    shape.numbers.emplace_back(rule.name, config.positive(rule.key, rule.fallback.value_or(1)));
  }
  return {};
}

// Attention is scaled by the graph's own rule; what is left of the configuration's goes into
// weights of the queries.
void read_query_scale(ConfigReader& config, ModelShape& shape) {
  const auto& rule = shape.architecture->query_scale;
  if (!rule) return;
  const double wanted = config.positive(rule->key, rule->fallback);
  const double computed = shape.layers == rule->layers_scaled_by_width
                              ? std::max(1U, shape.hidden / shape.heads)
                              : shape.head_size;
  shape.query_scale = std::sqrt(computed / wanted);
}

// The period of layer_types in which every period-th layer alone attends to everything.
std::optional<std::uint32_t> period_of(const json& types, std::uint32_t layers) {
  if (!types.is_array() || types.size() != layers) return std::nullopt;
  std::uint32_t period = layers + 1;
  for (std::uint32_t i = 0; i < layers; ++i) {
    if (types[i] == "full_attention") {
      period = i + 1;
      break;
    }
  }
  for (std::uint32_t i = 0; i < layers; ++i) {
    const char* expected = (i + 1) % period == 0 ? "full_attention" : "sliding_attention";
    if (types[i] != expected) return std::nullopt;
  }
  return period;
}

Status read_window_layers(ConfigReader& config, ModelShape& shape, const WindowLayers& rule) {
  shape.graph_window = config.integer("sliding_window", 1, kMaxContext).value_or(kDefaultWindow);
  shape.window_period = rule.default_period;
  if (const json* types = config.find("layer_types")) {
    const auto period = period_of(*types, shape.layers);
    if (!period || (*period == 1 && !rule.own_rope)) {
      return unsupported(*shape.architecture, "layer_types", *types);
    }
    shape.window_period = *period;
  } else if (!rule.period_key.empty()) {
    const auto period = config.integer(rule.period_key, 1, kMaxLayers);
    shape.window_period = period.value_or(rule.default_period);
  }
  if (shape.window_period == 1) shape.graph_window = 0;
  return {};
}

// A list of 1 and 0 for layers with and without rotary embedding.
Status check_rope_layers(const ConfigReader& config, const ModelShape& shape) {
  const ArchitectureTable& table = *shape.architecture;
  const json* layers = table.rope_layers_period > 0 ? config.find(table.rope_layers_key) : nullptr;
  if (layers == nullptr) return {};
  bool same = layers->is_array() && layers->size() == shape.layers;
  for (std::uint32_t i = 0; same && i < shape.layers; ++i) {
    same = (*layers)[i] == ((i + 1) % table.rope_layers_period == 0 ? 0 : 1);
  }
  if (!same) return unsupported(table, table.rope_layers_key, *layers);
  return {};
}

Status read_window(ConfigReader& config, ModelShape& shape) {
  const ArchitectureTable& table = *shape.architecture;
  if (table.window_layers) return read_window_layers(config, shape, *table.window_layers);
  if (table.window.empty()) return {};
  if (table.window == "use_sliding_window" && !config.flag("use_sliding_window", false)) return {};
  const json* types = config.find("layer_types");
  if (types != nullptr && types->is_array() &&
      std::ranges::find(*types, json("sliding_attention")) == types->end()) {
    return {};
  }
  shape.sliding_window = config.integer("sliding_window", 1, kMaxContext).value_or(0);
  return {};
}

}  // namespace

std::uint32_t ModelShape::longest() const {
  std::uint32_t most = context;
  if (sliding_window > 0) most = std::min(most, sliding_window);
  if (rope.scaling.kind == RopeScaling::Kind::kLongRope) {
    most = static_cast<std::uint32_t>(std::min<double>(most, rope.scaling.original_context));
  }
  return most;
}

Result<ModelShape> read_shape(const checkpoint::ModelSource& source) {
  const json& whole = source.config();
  const auto table = find_table(whole);
  if (!table) return fail(table.error());
  if (auto supported = refuse_unsupported(whole, **table); !supported) {
    return fail(supported.error());
  }
  ModelShape shape;
  shape.architecture = *table;
  ConfigReader config(whole);
  read_flags(config, shape);
  read_sizes(config, shape);
  if (auto sizes = check_sizes(config, shape); !sizes) return fail(sizes.error());
  shape.norm_epsilon = config.positive((*table)->norm_key, (*table)->norm_fallback);
  if (auto numbers = read_numbers(config, shape); !numbers) return fail(numbers.error());
  read_query_scale(config, shape);
  if (auto window = read_window(config, shape); !window) return fail(window.error());
  if (auto layers = check_rope_layers(config, shape); !layers) return fail(layers.error());
  auto rope = read_rope(config, **table, shape.head_size, shape.context);
  if (!rope) return fail(std::move(rope.error()));
  shape.rope = std::move(*rope);
  if (config.faults().empty()) return shape;
  return fail(Error{ErrorCode::kInvalidArgument,
                    source.label() + ": config.json describes no possible model",
                    std::move(config.faults())});
}

}  // namespace crucible::engine
