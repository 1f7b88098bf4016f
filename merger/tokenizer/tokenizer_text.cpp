#include "merger/tokenizer/tokenizer_text.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace crucible::tokenizer {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::array<std::string_view, 9> kFileKeys{"version",        "truncation", "padding",
                                                    "added_tokens",   "normalizer", "pre_tokenizer",
                                                    "post_processor", "decoder",    "model"};

std::string dump(const auto& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string quoted(const std::string& text) { return dump(json(text)); }

void append(std::string& out, const std::string& key, std::string_view value) {
  out += (out.back() == '{' ? "" : ",") + quoted(key) + ":";
  out += value;
}

std::string vocabulary_text(const json& vocabulary) {
  if (!vocabulary.is_object()) return dump(vocabulary);
  std::vector<std::pair<std::uint64_t, std::string_view>> by_id;
  by_id.reserve(vocabulary.size());
  for (const auto& [text, id] : vocabulary.get_ref<const json::object_t&>())
    by_id.emplace_back(id.get<std::uint64_t>(), text);
  std::ranges::sort(by_id);
  std::string out = "{";
  for (const auto& [id, text] : by_id) append(out, std::string(text), std::to_string(id));
  return out + "}";
}

std::string model_text(const json& model) {
  std::string out = "{";
  if (model.contains("type")) append(out, "type", dump(model["type"]));
  for (const auto& [key, value] : model.items()) {
    if (key != "type" && key != "vocab" && key != "merges") append(out, key, dump(value));
  }
  if (model.contains("vocab")) append(out, "vocab", vocabulary_text(model["vocab"]));
  if (model.contains("merges")) append(out, "merges", dump(model["merges"]));
  return out + "}";
}

}  // namespace

ordered_json added_token_json(std::uint32_t id, const AddedToken& token) {
  return {{"id", id},
          {"content", token.content},
          {"single_word", token.single_word},
          {"lstrip", token.lstrip},
          {"rstrip", token.rstrip},
          {"normalized", token.normalized},
          {"special", token.special}};
}

void remove_tokens(json& model, const std::unordered_set<std::string>& tokens) {
  for (const std::string& text : tokens) model["vocab"].erase(text);
  if (!model.contains("merges") || !model["merges"].is_array()) return;
  json kept = json::array();
  for (json& merge : model["merges"]) {  // "a b", or ["a", "b"]
    std::string left;
    std::string right;
    if (merge.is_string()) {
      const std::string text = merge.get<std::string>();
      const std::size_t space = text.find(' ');
      left = text.substr(0, space);
      if (space != std::string::npos) right = text.substr(space + 1);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      left = merge[0].get<std::string>();
      right = merge[1].get<std::string>();
    }
    // A merge whose result is gone would not load either.
    if (!tokens.contains(left) && !tokens.contains(right) && !tokens.contains(left + right))
      kept.push_back(std::move(merge));
  }
  model["merges"] = std::move(kept);
}

std::string tokenizer_text(const json& file) {
  std::string out = "{";
  for (const std::string_view key : kFileKeys) {
    const auto found = file.find(key);
    if (found == file.end()) continue;
    append(out, std::string(key), key == "model" ? model_text(*found) : dump(*found));
  }
  for (const auto& [key, value] : file.items()) {
    if (std::ranges::find(kFileKeys, key) == kFileKeys.end()) append(out, key, dump(value));
  }
  return out + "}\n";
}

}  // namespace crucible::tokenizer
