#include "merger/recipe/substitute.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "merger/recipe/text.hpp"
#include "merger/recipe/yaml_tree.hpp"

namespace crucible::recipe {
namespace {

tl::unexpected<Error> refuse(std::string_view parameter, std::string message,
                             std::string suggestion) {
  const std::string name = printable(parameter);
  return fail(Error{ErrorCode::kInvalidArgument,
                    "cannot set `" + name + "` in the recipe: " + message,
                    {Fault{name, std::move(message), std::move(suggestion)}}});
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Names of all ${NAME} in the text.
std::set<std::string, std::less<>> placeholders(std::string_view text) {
  std::set<std::string, std::less<>> names;
  for (std::size_t at = text.find("${"); at != std::string_view::npos;
       at = text.find("${", at + 2)) {
    std::size_t end = at + 2;
    while (end < text.size() && is_name_character(text[end])) ++end;
    if (end > at + 2 && end < text.size() && text[end] == '}')
      names.emplace(text.substr(at + 2, end - at - 2));
  }
  return names;
}

std::string replace_all(std::string_view text, const std::string& from, const std::string& to) {
  std::string out;
  std::size_t at = 0;
  for (std::size_t hit = text.find(from); hit != std::string_view::npos;
       hit = text.find(from, at)) {
    out += text.substr(at, hit - at);
    out += to;
    at = hit + from.size();
  }
  return out += text.substr(at);
}

std::string suggest_key(const YamlNode& map, std::string_view key) {
  std::vector<std::string_view> known;
  for (const auto& [name, value] : map.entries) known.push_back(name);
  const std::string near = did_you_mean(key, known);
  if (!near.empty() || known.empty()) return near;
  return "known here: " + printable(join(known), 200);
}

// Walks to the node; adds a last key that is missing from a `parameters` map.
Result<YamlNode*> locate(YamlNode& root, std::string_view parameter) {
  const auto parts = split_path(parameter);
  if (!parts) return refuse(parameter, parts.error().message, "for example parameters.t");
  const bool names_parameter = std::any_of(
      parts->begin(), parts->end(), [](const auto& part) { return part.first == "parameters"; });
  YamlNode* node = &root;
  std::string path;
  for (std::size_t i = 0; i < parts->size(); ++i) {
    const auto& [name, is_index] = (*parts)[i];
    YamlNode* next = nullptr;
    if (is_index) {
      std::size_t index = 0;
      std::from_chars(name.data(), name.data() + name.size(), index);
      path = child_path(path, index);
      if (node->is_sequence() && index < node->items.size()) next = &node->items[index];
      if (next == nullptr) {
        return refuse(parameter, "there is no " + path,
                      node->is_sequence()
                          ? "the list has " + std::to_string(node->items.size()) + " entries"
                          : "");
      }
    } else {
      const bool adds = i + 1 == parts->size() && i > 0 && (*parts)[i - 1].first == "parameters" &&
                        node->is_map();
      path = child_path(path, name);
      next = node->find(name);
      if (next == nullptr && adds) next = &node->entries.emplace_back(name, YamlNode{}).value;
      if (next == nullptr)
        return refuse(parameter, "there is no " + path, suggest_key(*node, name));
    }
    node = next;
  }
  if (!names_parameter)
    return refuse(parameter, "it is not a parameter", "for example parameters.t");
  return node;
}

}  // namespace

Result<std::string> substitute(std::string_view recipe_text, std::string_view parameter,
                               double value) {
  if (!std::isfinite(value)) return refuse(parameter, "the value is not a finite number", "");
  const auto names = placeholders(recipe_text);
  if (names.contains(parameter)) {
    return replace_all(recipe_text, "${" + std::string(parameter) + "}", number_text(value));
  }
  const bool is_path = parameter.find_first_of(".[") != std::string_view::npos;
  if (!is_path) {
    const std::vector<std::string_view> known(names.begin(), names.end());
    std::string suggestion = did_you_mean(parameter, known);
    if (suggestion.empty() && !known.empty()) suggestion = "placeholders here: " + join(known);
    if (known.empty())
      suggestion = "write ${NAME} where the value goes, or give a path such as parameters.t";
    return refuse(parameter, "the recipe has no placeholder ${" + printable(parameter) + "}",
                  std::move(suggestion));
  }
  auto document = parse_yaml(recipe_text);
  if (!document) return fail(std::move(document.error()).with_context("the recipe is"));
  if (!document->faults.empty()) {
    return fail(Error{ErrorCode::kInvalidArgument, "the recipe cannot be rewritten",
                      std::move(document->faults)});
  }
  auto node = locate(document->root, parameter);
  if (!node) return fail(std::move(node.error()));
  if ((*node)->is_sequence() || (*node)->is_map()) {
    const bool is_list = (*node)->is_sequence();
    return refuse(
        parameter,
        is_list ? "a list stands there, and one number is to be set" : "a map stands there",
        is_list
            ? "name one entry, such as " + printable(parameter) +
                  ((*node)->items.empty() || !(*node)->items.front().is_map() ? "[0]" : "[0].value")
            : "name one key of it");
  }
  **node = YamlNode{};
  (*node)->kind = YamlNode::Kind::kScalar;
  (*node)->scalar = number_text(value);
  return emit_yaml(document->root);
}

}  // namespace crucible::recipe
