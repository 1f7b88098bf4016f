#include <algorithm>
#include <array>
#include <span>

#include "merger/recipe/model_reference.hpp"
#include "merger/recipe/text.hpp"

namespace crucible::recipe {
namespace {

constexpr std::array<std::string_view, 2> kReferenceKeys{"model", "lora"};
constexpr std::array<std::string_view, 2> kPathKeys{"path", "revision"};

class ReferenceReader {
 public:
  explicit ReferenceReader(Faults& faults) : faults_(faults) {}

  std::optional<ModelReference> read(const YamlNode& node, const std::string& path) {
    if (node.is_map()) return read_map(node, path);
    if (!node.is_scalar()) {
      faults_.add(path,
                  "must be a model (`PATH[@REVISION][+LORA[@REVISION]]`), not " + kind_name(node));
      return std::nullopt;
    }
    auto parsed = parse_model_reference(node.scalar);
    if (parsed) return std::move(*parsed);
    faults_.add(path, "`" + printable(node.scalar) +
                          "` is not a model reference: " + parsed.error().message);
    return std::nullopt;
  }

 private:
  void check_keys(const YamlNode& map, const std::string& path,
                  std::span<const std::string_view> known) {
    for (const auto& [key, value] : map.entries) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      const std::string where = child_path(path, key);
      if (key == "override_architecture") {
        faults_.warn(where, "has no effect: the architecture is the one of config.json",
                     "remove it");
        continue;
      }
      std::string suggestion = did_you_mean(key, known);
      if (suggestion.empty()) suggestion = "known here: " + join(known);
      faults_.add(where, "unknown key `" + printable(key) + "`", std::move(suggestion));
    }
  }

  std::optional<ModelReference> read_map(const YamlNode& node, const std::string& path) {
    check_keys(node, path, kReferenceKeys);
    const YamlNode* model = node.find("model");
    if (model == nullptr) {
      faults_.add(path, "a model in map form needs `model: {path: …}`");
      return std::nullopt;
    }
    ModelReference reference;
    if (!path_and_revision(*model, child_path(path, "model"), reference.path, reference.revision))
      return std::nullopt;
    const YamlNode* lora = node.find("lora");
    if (lora != nullptr && !lora->is_null() &&
        !path_and_revision(*lora, child_path(path, "lora"), reference.lora,
                           reference.lora_revision)) {
      return std::nullopt;
    }
    return reference;
  }

  // {path, revision}, or PATH[@REVISION].
  bool path_and_revision(const YamlNode& node, const std::string& path, std::string& file,
                         std::string& revision) {
    if (node.is_scalar()) {
      auto parsed = parse_model_reference(node.scalar);
      if (!parsed || !parsed->lora.empty()) {
        faults_.add(path, "`" + printable(node.scalar) + "` is not PATH[@REVISION]");
        return false;
      }
      file = std::move(parsed->path);
      revision = std::move(parsed->revision);
      return true;
    }
    if (!node.is_map()) {
      faults_.add(path, "a model's location must be a map, not " + kind_name(node));
      return false;
    }
    check_keys(node, path, kPathKeys);
    const YamlNode* path_node = node.find("path");
    if (path_node == nullptr || !path_node->is_scalar() || path_node->scalar.empty()) {
      faults_.add(child_path(path, "path"), "a path is missing");
      return false;
    }
    file = path_node->scalar;
    const YamlNode* revision_node = node.find("revision");
    if (revision_node == nullptr || revision_node->is_null()) return true;
    if (!revision_node->is_scalar()) {
      faults_.add(child_path(path, "revision"), "must be text, not " + kind_name(*revision_node));
      return false;
    }
    revision = revision_node->scalar;
    return true;
  }

  Faults& faults_;
};

}  // namespace

std::string kind_name(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "`" + printable(node.scalar, 40) + "`";
    case YamlNode::Kind::kSequence:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map";
  }
  return "something else";
}

std::optional<ModelReference> read_model_reference(const YamlNode& node, const std::string& path,
                                                   Faults& faults) {
  return ReferenceReader(faults).read(node, path);
}

}  // namespace crucible::recipe
