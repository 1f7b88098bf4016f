#include "server/search/edit.hpp"

#include "merger/recipe/yaml_tree.hpp"
#include "server/search/document.hpp"
#include "server/search/field_reading.hpp"

namespace crucible::server::search {
namespace {

using nlohmann::json;

// The recipe stays text: what stands in it unquoted keeps its form.
Result<json> read(const std::string& document) {
  auto yaml = recipe::parse_yaml(document);
  if (!yaml) return fail(std::move(yaml).error());
  json root = json_of(yaml->root);
  auto known = read_document(document);
  if (!known) return fail(std::move(known).error());
  root["recipe"] = known->recipe;
  return root;
}

}  // namespace

Result<std::string> with_budget(const std::string& document, const json& budget) {
  if (budget.empty()) return document;
  auto root = read(document);
  if (!root) return fail(std::move(root).error());
  if (!root->contains("budget")) (*root)["budget"] = json::object();
  (*root)["budget"].update(budget);
  return root->dump(1);
}

Result<std::string> started_at(const std::string& document, const std::string& values) {
  auto root = read(document);
  if (!root) return fail(std::move(root).error());
  auto known = read_document(document);
  if (!known) return fail(std::move(known).error());
  const json point = json::parse(values, nullptr, false);
  sampler::Point start = known->standard;
  for (const Variable& variable : known->variables) {
    const auto value = point.find(variable.name);
    if (value == point.end() || variable.kind == Variable::Kind::kSubset ||
        variable.kind == Variable::Kind::kCurve) {
      continue;
    }
    json& entry = (*root)["space"][variable.name];
    if (entry.is_array()) entry = json{{"float", entry}};
    entry["default"] = *value;
    if (variable.kind == Variable::Kind::kNumber) start[variable.first] = *value;
  }
  if (sampler::method_name(known->sampler.method) == "cma_es") {
    json sampler = {{"name", "cma_es"}};
    if ((*root).contains("sampler") && (*root)["sampler"].is_object()) sampler = (*root)["sampler"];
    sampler["start"] = start;
    (*root)["sampler"] = sampler;
  }
  return root->dump(1);
}

}  // namespace crucible::server::search
