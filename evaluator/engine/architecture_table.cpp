#include "evaluator/engine/architecture_table.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>
#include <utility>

namespace crucible::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMaxSize = 1ULL << 62;

constexpr std::string_view kTexts[] = {
#include "engine_architecture_tables.inc"
};

// Calls `part` for each piece between separators.
template <typename Part>
void split(std::string_view text, char separator, const Part& part) {
  while (true) {
    const std::size_t end = text.find(separator);
    part(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::uint64_t> atom(std::string_view text, const Sizes& sizes) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec == std::errc() && read.ptr == text.data() + text.size()) return number;
  const auto found = sizes.find(text);
  if (found == sizes.end()) return std::nullopt;
  return found->second;
}

std::optional<std::uint64_t> quotient(std::string_view text, const Sizes& sizes) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return atom(text, sizes);
  const auto above = atom(text.substr(0, slash), sizes);
  const auto below = atom(text.substr(slash + 1), sizes);
  if (!above || !below || *below == 0 || *above % *below != 0) return std::nullopt;
  return *above / *below;
}

std::optional<std::uint64_t> product(std::string_view text, const Sizes& sizes) {
  std::optional<std::uint64_t> value = 1;
  split(text, '*', [&](std::string_view factor) {
    const auto one = quotient(factor, sizes);
    if (!value || !one || (*one != 0 && *value > kMaxSize / *one)) {
      value.reset();
    } else {
      *value *= *one;
    }
  });
  return value;
}

Change change_of(const std::string& name) {
  static const std::map<std::string, Change> kChanges = {{"interleave", Change::kInterleave},
                                                         {"transpose", Change::kTranspose},
                                                         {"ungroup", Change::kUngroup},
                                                         {"queries", Change::kQueries},
                                                         {"keys", Change::kKeys},
                                                         {"values", Change::kValues},
                                                         {"add_one", Change::kAddOne},
                                                         {"query_scale", Change::kQueryScale},
                                                         {"f32", Change::kFloat32},
                                                         {"flatten", Change::kFlatten}};
  return kChanges.at(name);
}

// One text, or a list of them.
std::vector<std::string> texts(const Json& value) {
  if (value.is_string()) return {value.get<std::string>()};
  return value.get<std::vector<std::string>>();
}

TensorRule read_tensor(const Json& value) {
  TensorRule rule;
  rule.sources.push_back(value.at("from"));
  for (const Json& other : value.value("or", Json::array())) rule.sources.push_back(other);
  rule.target = value.at("to");
  rule.shape = value.at("shape").get<std::vector<std::string>>();
  rule.storage = value.value("of", std::vector<std::string>());
  for (const Json& name : value.value("do", Json::array())) rule.changes.push_back(change_of(name));
  rule.condition = value.value("if", "");
  rule.count = value.value("count", "");
  if (value.contains("packed")) {
    const Json& packed = value["packed"];
    rule.packed = PackedRule{texts(packed.at("from")), packed.at("rows"), packed.at("first")};
  }
  if (value.contains("tied")) {
    rule.when_tied = value["tied"] == "copy" ? WhenTied::kCopy : WhenTied::kOmit;
  }
  return rule;
}

SizeRule read_size(const std::string& name, const Json& value) {
  SizeRule rule;
  rule.name = name;
  if (value.is_string()) {
    rule.choices.push_back({"", value});
    return rule;
  }
  for (const Json& choice : value) {
    rule.choices.push_back({choice.value("if", ""), choice.at("value")});
  }
  return rule;
}

// In the order in which later ones may name earlier ones.
void read_sizes(const Json& value, ArchitectureTable& table) {
  static constexpr std::pair<const char*, const char*> kCommon[] = {
      {"vocab", "vocab_size"},
      {"hidden", "hidden_size"},
      {"layers", "num_hidden_layers"},
      {"heads", "num_attention_heads"},
      {"kv_heads", "num_key_value_heads|heads"},
      {"head_size", "head_dim|hidden/heads"},
      {"ff", "intermediate_size"},
      {"context", "max_position_embeddings"}};
  const Json own = value.value("sizes", Json::object());
  for (const auto& [name, usual] : kCommon) {
    table.sizes.push_back(read_size(name, own.contains(name) ? own[name] : Json(usual)));
  }
  for (const auto& [name, rule] : own.items()) {
    const bool common = std::ranges::any_of(kCommon, [&](auto& one) { return one.first == name; });
    if (!common) table.sizes.push_back(read_size(name, rule));
  }
  for (const Json& name : value.value("zero", Json::array())) {
    for (SizeRule& rule : table.sizes) {
      if (rule.name == name.get<std::string>()) rule.may_be_zero = true;
    }
  }
}

void read_flags(const Json& value, ArchitectureTable& table) {
  const Json flags = value.value("flags", Json::object());
  for (const auto& [name, rule] : flags.items()) {
    if (rule.is_boolean()) {
      table.flags.push_back({name, name, rule.get<bool>(), nullptr});
    } else {
      table.flags.push_back({name, rule.at("key"), false, nlohmann::json(rule.at("equals"))});
    }
  }
}

void read_numbers(const Json& value, ArchitectureTable& table) {
  const Json numbers = value.value("numbers", Json::object());
  for (const auto& [name, rule] : numbers.items()) {
    NumberRule number{name, rule.at("key"), {}, NumberRule::Null::kFallback};
    if (rule.contains("default")) number.fallback = rule["default"].get<double>();
    const std::string null = rule.value("null", "");
    if (null == "omit") number.when_null = NumberRule::Null::kOmit;
    if (null == "refuse") number.when_null = NumberRule::Null::kRefuse;
    table.numbers.push_back(std::move(number));
  }
}

void read_refusals(const Json& value, ArchitectureTable& table) {
  const Json required = value.value("require", Json::object());
  for (const auto& [key, allowed] : required.items()) {
    Requirement requirement{key, {}};
    for (const Json& one : allowed) requirement.allowed.push_back(nlohmann::json(one));
    table.requirements.push_back(std::move(requirement));
  }
  if (!value.contains("activation")) return;
  table.activation_keys = value["activation"].at("keys").get<std::vector<std::string>>();
  table.activations = value["activation"].at("allowed").get<std::vector<std::string>>();
}

void read_attention(const Json& value, ArchitectureTable& table) {
  table.rotary = value.value("rotary", true);
  table.rope_theta = value.value("rope_theta", 10000.0);
  table.rope_factors = value.value("rope_factors", false);
  table.long_rope = value.value("long_rope", false);
  table.square_attention = value.value("square_attention", false);
  table.plain_input = value.value("plain_input", false);
  table.rope_base_keys = value.value("rope_base_keys", std::vector<std::string>());
  if (value.contains("partial_rotary")) {
    table.partial_rotary_keys = value["partial_rotary"].at("keys").get<std::vector<std::string>>();
    table.partial_rotary_fallback = value["partial_rotary"].at("default");
  }
  table.window = value.value("window", "");
  if (value.contains("window_layers")) {
    const Json& layers = value["window_layers"];
    table.window_layers = {layers.at("default_period"), layers.value("period_key", ""),
                           layers.value("own_rope", false)};
  }
  if (value.contains("rope_layers")) {
    table.rope_layers_key = value["rope_layers"].at("key");
    table.rope_layers_period = value["rope_layers"].at("period");
  }
  if (value.contains("query_scale")) {
    const Json& scale = value["query_scale"];
    table.query_scale = {scale.at("key"), scale.at("default"), scale.at("layers_scaled_by_width")};
  }
}

}  // namespace

std::optional<std::uint64_t> evaluate_size(std::string_view expression, const Sizes& sizes) {
  std::optional<std::uint64_t> sum = 0;
  split(expression, '+', [&](std::string_view term) {
    const auto value = product(term, sizes);
    if (!sum || !value || *value > kMaxSize - *sum) {
      sum.reset();
    } else {
      *sum += *value;
    }
  });
  return sum;
}

bool holds(std::string_view condition, const Flags& flags) {
  bool all = true;
  if (condition.empty()) return true;
  split(condition, '&', [&](std::string_view part) {
    const bool negated = part.starts_with('!');
    if (negated) part.remove_prefix(1);
    const auto found = flags.find(part);
    const bool value = found != flags.end() && found->second;
    all = all && value != negated;
  });
  return all;
}

ArchitectureTable parse_architecture_table(std::string_view text) {
  const Json value = Json::parse(text);
  ArchitectureTable table;
  table.model_type = value.at("model_type");
  table.class_names = texts(value.at("class"));
  table.gguf = value.at("gguf");
  const Json& norm = value.at("norm");
  table.rms_norm = norm.at("kind") == "rms";
  table.norm_key = norm.at("key");
  table.norm_fallback = norm.at("default");
  read_attention(value, table);
  read_sizes(value, table);
  read_flags(value, table);
  read_numbers(value, table);
  read_refusals(value, table);
  const Json metadata = value.value("metadata", Json::object());
  for (const auto& [key, size] : metadata.items()) table.metadata.emplace_back(key, size);
  const Json flags = value.value("metadata_flags", Json::object());
  for (const auto& [key, flag] : flags.items()) table.metadata_flags.emplace_back(key, flag);
  table.prefixes = value.value("prefixes", std::vector<std::string>());
  table.buffers = value.value("buffers", std::vector<std::string>());
  table.dense_layers = value.value("dense_layers", "");
  for (const Json& tensor : value.at("tensors")) table.tensors.push_back(read_tensor(tensor));
  return table;
}

const std::vector<ArchitectureTable>& architecture_tables() {
  static const std::vector<ArchitectureTable> tables = [] {
    std::vector<ArchitectureTable> all;
    for (const std::string_view text : kTexts) all.push_back(parse_architecture_table(text));
    std::ranges::sort(all, {}, &ArchitectureTable::model_type);
    return all;
  }();
  return tables;
}

}  // namespace crucible::engine
