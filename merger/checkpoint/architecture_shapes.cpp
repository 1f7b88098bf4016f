#include <charconv>
#include <initializer_list>

#include "merger/checkpoint/architecture.hpp"

namespace crucible::checkpoint {
namespace {

using nlohmann::json;
using Size = std::optional<std::uint64_t>;

Size number_at(const json& section, std::string_view key) {
  const auto found = section.find(key);
  if (found == section.end() || !found->is_number_integer()) return std::nullopt;
  const auto value = found->get<std::int64_t>();
  if (value <= 0 || value > UINT32_MAX) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

bool flag(const json& config, const char* key) {
  const auto found = config.find(key);
  return found != config.end() && found->is_boolean() && found->get<bool>();
}

Size first_of(const json& config, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (const auto value = config_number(config, key)) return value;
  }
  return std::nullopt;
}

Size product(Size a, Size b) {
  if (!a || !b || (*b != 0 && *a > UINT64_MAX / *b)) return std::nullopt;
  return *a * *b;
}

Size heads(const json& config) { return first_of(config, {"num_attention_heads", "n_head"}); }

Size head_size(const json& config) {
  if (const auto size = config_number(config, "head_dim")) return size;
  const auto hidden = first_of(config, {"hidden_size", "n_embd"});
  const auto count = heads(config);
  if (!hidden || !count) return std::nullopt;
  return *hidden / *count;
}

Size key_value_heads(const json& config) {
  const auto count = config_number(config, "num_key_value_heads");
  return count ? count : heads(config);
}

// Queries, keys and values of all heads in one matrix, with Falcon's and GPTBigCode's ways to say
// how many key-value heads there are.
Size fused_attention_size(const json& config) {
  const auto queries = heads(config);
  if (!queries) return std::nullopt;
  std::uint64_t key_values = *queries;
  if (flag(config, "new_decoder_architecture")) {
    key_values = config_number(config, "num_kv_heads").value_or(*queries);
  } else if (flag(config, "multi_query")) {
    key_values = 1;
  }
  return product(*queries + 2 * key_values, head_size(config));
}

Size symbol_value(const json& config, std::string_view symbol) {
  if (symbol == "head_dim") return head_size(config);
  if (symbol == "attention_size") return product(heads(config), head_size(config));
  if (symbol == "key_value_size") return product(key_value_heads(config), head_size(config));
  if (symbol == "query_key_value_size") return fused_attention_size(config);
  return config_number(config, symbol);
}

Size evaluate_factor(const json& config, std::string_view text) {
  std::uint64_t number = 0;
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && stop == end) return number;
  return symbol_value(config, text);
}

// Splits at the lowest operator: '|', then '+', then '*'.
Size evaluate_part(const json& config, std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto cut = [&text](char operation) -> std::optional<std::size_t> {
    const std::size_t at = text.find(operation);
    return at == std::string_view::npos ? std::nullopt : std::optional(at);
  };
  const auto left = [&](std::size_t at) { return evaluate_part(config, text.substr(0, at)); };
  const auto right = [&](std::size_t at) { return evaluate_part(config, text.substr(at + 1)); };
  if (const auto at = cut('|')) {
    const Size value = left(*at);
    return value ? value : right(*at);
  }
  if (const auto at = cut('+')) {
    const Size a = left(*at);
    const Size b = right(*at);
    if (!a || !b || *a > UINT64_MAX - *b) return std::nullopt;
    return *a + *b;
  }
  if (const auto at = cut('*')) return product(left(*at), right(*at));
  return evaluate_factor(config, text);
}

}  // namespace

std::optional<std::uint64_t> config_number(const json& config, std::string_view key) {
  const std::size_t dot = key.find('.');
  if (dot != std::string_view::npos) {
    const auto section = config.find(key.substr(0, dot));
    if (section == config.end() || !section->is_object()) return std::nullopt;
    return number_at(*section, key.substr(dot + 1));
  }
  if (const auto value = number_at(config, key)) return value;
  const auto text = config.find("text_config");
  if (text == config.end() || !text->is_object()) return std::nullopt;
  return number_at(*text, key);
}

std::optional<std::uint64_t> evaluate_size(const json& config, std::string_view expression) {
  return evaluate_part(config, expression);
}

std::optional<tensor::Shape> expected_shape(const TensorTemplate& tensor, const json& config) {
  if (tensor.shape.empty()) return std::nullopt;
  tensor::Shape shape;
  for (const std::string& expression : tensor.shape) {
    const auto value = evaluate_size(config, expression);
    if (!value) return std::nullopt;
    shape.push_back(*value);
  }
  return shape;
}

}  // namespace crucible::checkpoint
