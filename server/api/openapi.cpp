#include "server/api/openapi.hpp"

#include "merger/recipe/text.hpp"
#include "merger/recipe/yaml_tree.hpp"
#include "server/api/json.hpp"

namespace crucible::server::api {
namespace {

// A plain scalar by the JSON schema of YAML 1.2: true, false, numbers; all else is text.
Json scalar_json(const recipe::YamlNode& node) {
  if (node.quoted) return node.scalar;
  if (node.scalar == "true") return true;
  if (node.scalar == "false") return false;
  const auto number = recipe::parse_number(node.scalar);
  if (!number) return node.scalar;
  const auto whole = static_cast<std::int64_t>(*number);
  const bool is_whole = node.scalar.find_first_not_of("-0123456789") == std::string::npos;
  return is_whole ? Json(whole) : Json(*number);
}

Json node_json(const recipe::YamlNode& node) {
  switch (node.kind) {
    case recipe::YamlNode::Kind::kNull:
      return nullptr;
    case recipe::YamlNode::Kind::kScalar:
      return scalar_json(node);
    case recipe::YamlNode::Kind::kSequence: {
      Json list = Json::array();
      for (const recipe::YamlNode& item : node.items) list.push_back(node_json(item));
      return list;
    }
    case recipe::YamlNode::Kind::kMap: {
      Json map = Json::object();
      for (const auto& [key, value] : node.entries) map[key] = node_json(value);
      return map;
    }
  }
  return nullptr;
}

}  // namespace

const std::string& openapi_json() {
  static const std::string kText = [] {
    const auto document = recipe::parse_yaml(openapi_yaml());
    return document ? dump(node_json(document->root)) : std::string("{}");
  }();
  return kText;
}

}  // namespace crucible::server::api
