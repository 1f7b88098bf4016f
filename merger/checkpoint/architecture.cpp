#include "merger/checkpoint/architecture.hpp"

#include <algorithm>
#include <array>

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
constexpr std::uint64_t kLayerLimit = 100'000;

std::vector<TensorTemplate> read_templates(const json& list) {
  std::vector<TensorTemplate> templates;
  for (const json& item : list) {
    templates.push_back({item.at("name").get<std::string>(),
                         item.at("shape").get<std::vector<std::string>>(),
                         item.value("optional", false), item.value("tied_to", std::string())});
  }
  return templates;
}

// The tables are part of the program: a mistake in one is a bug and throws.
Architecture read_architecture(std::string_view text) {
  const json table = json::parse(text);
  return {table.at("model_type").get<std::string>(),
          table.at("architectures").get<std::vector<std::string>>(),
          table.at("layer_count").get<std::string>(),
          read_templates(table.at("before")),
          read_templates(table.at("layer")),
          read_templates(table.at("after"))};
}

std::optional<std::uint64_t> positive(const json& config, const std::string& key) {
  const auto found = config.find(key);
  if (found == config.end() || !found->is_number_integer()) return std::nullopt;
  const auto value = found->get<std::int64_t>();
  if (value <= 0 || value > UINT32_MAX) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

std::optional<std::uint64_t> head_size(const json& config) {
  if (const auto size = positive(config, "head_dim")) return size;
  const auto hidden = positive(config, "hidden_size");
  const auto heads = positive(config, "num_attention_heads");
  if (!hidden || !heads) return std::nullopt;
  return *hidden / *heads;
}

std::optional<std::uint64_t> symbol_value(const json& config, const std::string& symbol) {
  if (symbol == "head_dim") return head_size(config);
  if (symbol != "attention_size" && symbol != "key_value_size") return positive(config, symbol);
  auto heads = positive(config, "num_attention_heads");
  if (symbol == "key_value_size" && config.contains("num_key_value_heads")) {
    heads = positive(config, "num_key_value_heads");
  }
  const auto size = head_size(config);
  if (!heads || !size) return std::nullopt;
  return *heads * *size;
}

std::string supported_names() {
  std::string text;
  for (const Architecture& known : architectures()) {
    for (const std::string& name : known.names) text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace

std::string TensorTemplate::in_layer(std::uint64_t index) const {
  std::string text = name;
  const std::size_t at = text.find(kLayerIndex);
  if (at != std::string::npos) text.replace(at, kLayerIndex.size(), std::to_string(index));
  return text;
}

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> kAll = [] {
    std::vector<Architecture> all;
    for (const std::string_view text : kTables) all.push_back(read_architecture(text));
    return all;
  }();
  return kAll;
}

Result<const Architecture*> find_architecture(const Checkpoint& checkpoint) {
  const std::string name = checkpoint.architecture();
  for (const Architecture& known : architectures()) {
    if (std::ranges::find(known.names, name) != known.names.end() &&
        known.model_type == checkpoint.model_type()) {
      return &known;
    }
  }
  const std::string what = name.empty() ? "config.json names no architecture"
                                        : "architecture " + name + " (model_type \"" +
                                              checkpoint.model_type() + "\") is not supported";
  return fail(ErrorCode::kUnsupported, what + "; supported: " + supported_names());
}

Result<std::uint64_t> layer_count(const Architecture& architecture, const json& config) {
  const auto count = positive(config, architecture.layer_count_key);
  if (!count || *count > kLayerLimit) {
    return fail(ErrorCode::kCorrupt, "config.json: " + architecture.layer_count_key +
                                         " must be a whole number from 1 to " +
                                         std::to_string(kLayerLimit));
  }
  return *count;
}

std::optional<tensor::Shape> expected_shape(const TensorTemplate& tensor, const json& config) {
  tensor::Shape shape;
  for (const std::string& symbol : tensor.shape) {
    const auto value = symbol_value(config, symbol);
    if (!value) return std::nullopt;
    shape.push_back(*value);
  }
  return shape;
}

}  // namespace crucible::checkpoint
