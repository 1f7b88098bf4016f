#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "merger/recipe/check.hpp"
#include "merger/recipe/faults.hpp"
#include "merger/recipe/method_info.hpp"
#include "merger/recipe/model_reference.hpp"
#include "merger/recipe/parameters_reader.hpp"
#include "merger/recipe/recipe.hpp"
#include "merger/recipe/text.hpp"
#include "merger/recipe/yaml_tree.hpp"

namespace crucible::recipe {
namespace {

using Words = std::span<const std::string_view>;

constexpr std::array<std::string_view, 11> kTopKeys{
    "merge_method", "base_model", "models",           "slices",    "modules",      "parameters",
    "dtype",        "out_dtype",  "tokenizer_source", "tokenizer", "chat_template"};
constexpr std::array<std::string_view, 2> kModelKeys{"model", "parameters"};
constexpr std::array<std::string_view, 3> kSliceKeys{"sources", "base_model", "parameters"};
constexpr std::array<std::string_view, 3> kSourceKeys{"model", "layer_range", "parameters"};
constexpr std::array<std::string_view, 3> kModuleKeys{"models", "slices", "parameters"};
constexpr std::array<std::string_view, 2> kReferenceKeys{"model", "lora"};
constexpr std::array<std::string_view, 2> kPathKeys{"path", "revision"};
constexpr std::string_view kKeepTokenizer =
    "remove it: tokenizer files are copied from base_model or the first model";

// Keys that mean something to other tools, or nothing to anyone: a better answer than "unknown".
struct Remark {
  std::string_view key;
  std::string_view message;
  std::string_view suggestion;
};
constexpr std::array<Remark, 9> kRemarks{{
    {"layer_range", "stands under `models`, where mergekit ignores it",
     "use `slices` with `sources`"},
    {"residual_weight", "is read by mergekit and never used", "remove it"},
    {"residual_scale", "exists in mixture-of-experts recipes only", "remove it"},
    {"name", "belongs to multi-recipe files",
     "remove it: a job's name is given when it is submitted"},
    {"override_architecture", "is not supported yet", "remove it"},
    {"experts", "belongs to mixture-of-experts recipes, which are not supported yet", ""},
    {"gate_mode", "belongs to mixture-of-experts recipes, which are not supported yet", ""},
    {"genome", "belongs to evolutionary search configurations, not to recipes", ""},
    {"residual_weights", "is read by mergekit and never used", "remove it"},
}};

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

class Reader {
 public:
  Reader(const YamlNode& root, Faults& faults) : root_(root), faults_(faults) {}

  Recipe read() {
    Recipe recipe;
    if (!expect_map(root_, "", "the recipe")) return recipe;
    check_keys(root_, "", kTopKeys);
    read_method(recipe);
    const std::size_t before = structural_;
    recipe.base_model = optional_reference(root_, "");
    recipe.dtype = read_dtype("dtype");
    recipe.out_dtype = read_dtype("out_dtype");
    reject_tokenizer();
    recipe.parameters = parameters(root_, "", Level::kShared);
    read_inputs(recipe);
    if (method_ != nullptr && structural_ == before) check_recipe(recipe, *method_, faults_);
    return recipe;
  }

 private:
  void fault(std::string path, std::string message, std::string suggestion = {}) {
    faults_.add(std::move(path), std::move(message), std::move(suggestion));
  }
  // A fault that leaves a hole in the value read, so rules that span fields would report nonsense.
  void broken(std::string path, std::string message, std::string suggestion = {}) {
    ++structural_;
    fault(std::move(path), std::move(message), std::move(suggestion));
  }

  bool expect_map(const YamlNode& node, const std::string& path, const std::string& what) {
    if (node.is_map()) return true;
    broken(path, what + " must be a map, not " + kind_name(node));
    return false;
  }

  void check_keys(const YamlNode& map, const std::string& path, Words known) {
    for (const auto& [key, value] : map.entries) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      const std::string where = child_path(path, key);
      const auto remark = std::find_if(kRemarks.begin(), kRemarks.end(),
                                       [&](const Remark& r) { return r.key == key; });
      if (remark != kRemarks.end()) {
        fault(where, "`" + key + "` " + std::string(remark->message),
              std::string(remark->suggestion));
        continue;
      }
      std::string suggestion = did_you_mean(key, known);
      if (suggestion.empty()) suggestion = "known here: " + join(known);
      fault(where, "unknown key `" + printable(key) + "`", std::move(suggestion));
    }
  }

  void read_method(Recipe& recipe) {
    const YamlNode* node = root_.find("merge_method");
    std::vector<std::string_view> names;
    for (const MethodInfo& info : methods()) names.push_back(info.name);
    if (node == nullptr || !node->is_scalar()) {
      fault("merge_method", node == nullptr ? "merge_method is missing" : "must be a method's name",
            "one of " + join(names));
      return;
    }
    recipe.merge_method = node->scalar;
    method_ = find_method(node->scalar);
    if (method_ != nullptr) return;
    std::string suggestion = did_you_mean(node->scalar, names);
    if (!suggestion.empty()) suggestion += " ";
    fault("merge_method", "unknown merge method `" + printable(node->scalar) + "`",
          suggestion + "known: " + join(names));
  }

  std::optional<tensor::DType> read_dtype(const std::string& key) {
    const YamlNode* node = root_.find(key);
    if (node == nullptr || node->is_null()) return std::nullopt;
    constexpr std::string_view kKnown = "one of float16, bfloat16, float32, float64";
    if (!node->is_scalar()) {
      fault(key, "must be a dtype's name, not " + kind_name(*node), std::string(kKnown));
      return std::nullopt;
    }
    const auto dtype = tensor::from_torch_name(node->scalar);
    if (dtype && tensor::is_floating(*dtype)) return dtype;
    std::string suggestion(kKnown);
    if (node->scalar == "bf16") suggestion = "did you mean `bfloat16`?";
    if (node->scalar == "fp16" || node->scalar == "half") suggestion = "did you mean `float16`?";
    if (node->scalar == "fp32" || node->scalar == "float") suggestion = "did you mean `float32`?";
    fault(key, "`" + printable(node->scalar) + "` is not a floating-point dtype",
          std::move(suggestion));
    return std::nullopt;
  }

  void reject_tokenizer() {
    const auto present = [&](std::string_view key) {
      const YamlNode* node = root_.find(key);
      return node != nullptr && !node->is_null() ? node : nullptr;
    };
    const YamlNode* source = present("tokenizer_source");
    const YamlNode* tokenizer = present("tokenizer");
    const YamlNode* chat = present("chat_template");
    if (source != nullptr && source->is_sequence())
      fault("tokenizer_source", "must be text, not a list");
    if (tokenizer != nullptr && !tokenizer->is_map()) {
      fault("tokenizer", "must be a map, not " + kind_name(*tokenizer));
    }
    if (chat != nullptr && !chat->is_scalar())
      fault("chat_template", "must be text, not " + kind_name(*chat));
    if (source != nullptr && tokenizer != nullptr) {
      fault("tokenizer", "`tokenizer` and `tokenizer_source` exclude each other");
    }
    for (const std::string_view key : {"tokenizer_source", "tokenizer", "chat_template"}) {
      if (present(key) == nullptr) continue;
      fault(std::string(key), "`" + std::string(key) + "` is not supported yet",
            std::string(kKeepTokenizer));
    }
  }

  Parameters parameters(const YamlNode& parent, const std::string& path, Level level) {
    const YamlNode* node = parent.find("parameters");
    if (node == nullptr || node->is_null()) return {};
    return read_parameters(*node, child_path(path, "parameters"), method_, level, faults_);
  }

  std::optional<ModelReference> optional_reference(const YamlNode& parent,
                                                   const std::string& path) {
    const YamlNode* node = parent.find("base_model");
    if (node == nullptr || node->is_null()) return std::nullopt;
    return reference(*node, child_path(path, "base_model"));
  }

  std::optional<ModelReference> reference(const YamlNode& node, const std::string& path) {
    if (node.is_map()) return reference_map(node, path);
    if (!node.is_scalar()) {
      broken(path, "must be a model (`PATH[@REVISION][+LORA[@REVISION]]`), not " + kind_name(node));
      return std::nullopt;
    }
    auto parsed = parse_model_reference(node.scalar);
    if (parsed) return std::move(*parsed);
    broken(path,
           "`" + printable(node.scalar) + "` is not a model reference: " + parsed.error().message);
    return std::nullopt;
  }

  std::optional<ModelReference> reference_map(const YamlNode& node, const std::string& path) {
    check_keys(node, path, kReferenceKeys);
    const YamlNode* model = node.find("model");
    if (model == nullptr) {
      broken(path, "a model in map form needs `model: {path: …}`");
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
        broken(path, "`" + printable(node.scalar) + "` is not PATH[@REVISION]");
        return false;
      }
      file = std::move(parsed->path);
      revision = std::move(parsed->revision);
      return true;
    }
    if (!expect_map(node, path, "a model's location")) return false;
    check_keys(node, path, kPathKeys);
    const YamlNode* path_node = node.find("path");
    if (path_node == nullptr || !path_node->is_scalar() || path_node->scalar.empty()) {
      broken(child_path(path, "path"), "a path is missing");
      return false;
    }
    file = path_node->scalar;
    const YamlNode* revision_node = node.find("revision");
    if (revision_node == nullptr || revision_node->is_null()) return true;
    if (!revision_node->is_scalar()) {
      broken(child_path(path, "revision"), "must be text, not " + kind_name(*revision_node));
      return false;
    }
    revision = revision_node->scalar;
    return true;
  }

  ModelReference required_model(const YamlNode& entry, const std::string& path) {
    const YamlNode* node = entry.find("model");
    if (node == nullptr) {
      broken(path, "`model` is missing");
      return {};
    }
    return reference(*node, child_path(path, "model")).value_or(ModelReference{});
  }

  // Calls `read(item, path)` for every item of a list of maps.
  template <typename Read>
  void each(const YamlNode& list, const std::string& path, Words keys, Read read) {
    if (!list.is_sequence() || list.items.empty()) {
      broken(path,
             list.is_sequence() ? "the list is empty" : "must be a list, not " + kind_name(list));
      return;
    }
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      const std::string where = child_path(path, i);
      if (!expect_map(list.items[i], where, "each entry")) continue;
      check_keys(list.items[i], where, keys);
      read(list.items[i], where);
    }
  }

  std::vector<InputModel> read_models(const YamlNode& list, const std::string& path) {
    std::vector<InputModel> models;
    each(list, path, kModelKeys, [&](const YamlNode& entry, const std::string& where) {
      models.push_back({required_model(entry, where), parameters(entry, where, Level::kModel)});
    });
    return models;
  }

  std::vector<OutputSlice> read_slices(const YamlNode& list, const std::string& path) {
    std::vector<OutputSlice> slices;
    each(list, path, kSliceKeys, [&](const YamlNode& entry, const std::string& where) {
      OutputSlice slice;
      slice.base_model = optional_reference(entry, where);
      slice.parameters = parameters(entry, where, Level::kShared);
      const YamlNode* sources = entry.find("sources");
      if (sources == nullptr) {
        broken(where, "`sources` is missing");
      } else {
        each(*sources, child_path(where, "sources"), kSourceKeys,
             [&](const YamlNode& source, const std::string& at) {
               slice.sources.push_back(read_source(source, at));
             });
      }
      slices.push_back(std::move(slice));
    });
    return slices;
  }

  InputSlice read_source(const YamlNode& entry, const std::string& path) {
    InputSlice source;
    source.model = required_model(entry, path);
    source.parameters = parameters(entry, path, Level::kModel);
    const YamlNode* range = entry.find("layer_range");
    if (range == nullptr) {
      broken(path, "`layer_range` is missing", "layer_range: [first, end], end not included");
      return source;
    }
    const std::string where = child_path(path, "layer_range");
    if (!range->is_sequence() || range->items.size() != 2) {
      broken(where, "must be [first, end], end not included");
      return source;
    }
    source.first_layer = layer(range->items[0], child_path(where, std::size_t{0}));
    source.end_layer = layer(range->items[1], child_path(where, std::size_t{1}));
    if (source.end_layer < source.first_layer) {
      broken(where, "the range runs backwards: " + std::to_string(source.first_layer) + " to " +
                        std::to_string(source.end_layer));
    }
    return source;
  }

  std::uint64_t layer(const YamlNode& node, const std::string& path) {
    constexpr double kMostLayers = 1'000'000;
    const auto number = node.is_scalar() ? parse_number(node.scalar) : std::nullopt;
    if (number && *number >= 0 && *number <= kMostLayers && *number == std::floor(*number)) {
      return static_cast<std::uint64_t>(*number);
    }
    broken(path, "must be a layer number (a whole number from 0), not " + kind_name(node));
    return 0;
  }

  void read_inputs(Recipe& recipe) {
    std::vector<std::string_view> present;
    for (const std::string_view key : {"models", "slices", "modules"}) {
      if (root_.find(key) != nullptr) present.push_back(key);
    }
    if (present.size() != 1) {
      broken(present.empty() ? "" : std::string(present.back()),
             present.empty() ? "none of `models`, `slices`, `modules` is given"
                             : join(present, " and ") + " stand together",
             "give exactly one of `models`, `slices`, `modules`");
    }
    if (const YamlNode* node = root_.find("models")) recipe.models = read_models(*node, "models");
    if (const YamlNode* node = root_.find("slices")) recipe.slices = read_slices(*node, "slices");
    if (const YamlNode* node = root_.find("modules")) read_modules(*node, recipe);
  }

  void read_modules(const YamlNode& map, Recipe& recipe) {
    if (!expect_map(map, "modules", "modules")) return;
    if (map.entries.empty()) broken("modules", "no module is given");
    for (const auto& [name, entry] : map.entries) {
      const std::string path = child_path("modules", name);
      if (!expect_map(entry, path, "a module")) continue;
      check_keys(entry, path, kModuleKeys);
      Module module;
      module.parameters = parameters(entry, path, Level::kShared);
      const YamlNode* models = entry.find("models");
      const YamlNode* slices = entry.find("slices");
      if ((models == nullptr) == (slices == nullptr))
        broken(path, "give exactly one of `models` and `slices`");
      if (models != nullptr) module.models = read_models(*models, child_path(path, "models"));
      if (slices != nullptr) module.slices = read_slices(*slices, child_path(path, "slices"));
      recipe.modules.emplace(name, std::move(module));
    }
  }

  const YamlNode& root_;
  Faults& faults_;
  const MethodInfo* method_ = nullptr;
  std::size_t structural_ = 0;
};

}  // namespace

Result<Recipe> read_recipe(std::string_view text) {
  auto document = parse_yaml(text);
  if (!document) return fail(std::move(document.error()).with_context("the recipe is"));
  Faults faults(*document);
  Recipe recipe = Reader(document->root, faults).read();
  if (!faults.empty()) return fail(std::move(faults).to_error("the recipe"));
  recipe.source_text = std::string(text);
  return recipe;
}

}  // namespace crucible::recipe
