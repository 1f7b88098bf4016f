#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "merger/recipe/check.hpp"
#include "merger/recipe/documents.hpp"
#include "merger/recipe/faults.hpp"
#include "merger/recipe/method_info.hpp"
#include "merger/recipe/model_reference.hpp"
#include "merger/recipe/parameters_reader.hpp"
#include "merger/recipe/recipe.hpp"
#include "merger/recipe/text.hpp"
#include "merger/recipe/tokenizer_reader.hpp"
#include "merger/recipe/yaml_tree.hpp"

namespace crucible::recipe {
namespace {

using Words = std::span<const std::string_view>;

constexpr std::array<std::string_view, 12> kTopKeys{
    "merge_method", "base_model", "models",           "slices",    "modules",       "parameters",
    "dtype",        "out_dtype",  "tokenizer_source", "tokenizer", "chat_template", "name"};
constexpr std::array<std::string_view, 2> kModelKeys{"model", "parameters"};
constexpr std::array<std::string_view, 3> kSliceKeys{"sources", "base_model", "parameters"};
constexpr std::array<std::string_view, 3> kSourceKeys{"model", "layer_range", "parameters"};
constexpr std::array<std::string_view, 3> kModuleKeys{"models", "slices", "parameters"};

// Keys that mean something to other tools, or nothing to anyone: a better answer than "unknown".
struct Remark {
  std::string_view key;
  std::string_view message;
  std::string_view suggestion;
  bool harmless;  // mergekit takes it and it has no effect there: a warning, not a fault
};
constexpr std::array<Remark, 7> kRemarks{{
    {"layer_range", "has no effect under `models`", "use `slices` with `sources`", true},
    {"residual_weight", "is read by mergekit and never used", "remove it", true},
    {"residual_weights", "is read by mergekit and never used", "remove it", true},
    {"residual_scale", "has an effect in mixture-of-experts recipes only", "remove it", true},
    {"experts", "belongs to mixture-of-experts recipes", "build those with `crucible moe`", false},
    {"gate_mode", "belongs to mixture-of-experts recipes", "build those with `crucible moe`",
     false},
    {"genome", "belongs to evolutionary search configurations, not to recipes", "", false},
}};

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
    recipe.name = read_name();
    recipe.tokenizer = read_tokenizer(root_, faults_);
    recipe.chat_template = read_chat_template(root_, faults_);
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
        const std::string message = "`" + key + "` " + std::string(remark->message);
        if (remark->harmless) {
          faults_.warn(where, message, std::string(remark->suggestion));
        } else {
          fault(where, message, std::string(remark->suggestion));
        }
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

  // What other recipes of the same file call this one's result: a folder's name.
  std::string read_name() {
    const YamlNode* node = find_present("name");
    if (node == nullptr) return {};
    const bool fine =
        node->is_scalar() && !node->scalar.empty() && node->scalar.size() <= 200 &&
        node->scalar.front() != '.' && node->scalar.find_first_of("/\\@+") == std::string::npos &&
        std::none_of(node->scalar.begin(), node->scalar.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
    if (fine) return node->scalar;
    fault("name", "must be a name for a folder, not " + kind_name(*node),
          "letters, digits, `-` and `_`; no `/`, `@`, `+`, nor `.` in front");
    return {};
  }

  const YamlNode* find_present(std::string_view key) const {
    const YamlNode* node = root_.find(key);
    return node != nullptr && !node->is_null() ? node : nullptr;
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
    auto read = read_model_reference(node, path, faults_);
    if (!read) ++structural_;
    return read;
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
      if (find_present(key) != nullptr) present.push_back(key);
    }
    if (present.size() != 1) {
      broken(present.empty() ? "" : std::string(present.back()),
             present.empty() ? "none of `models`, `slices`, `modules` is given"
                             : join(present, " and ") + " stand together",
             "give exactly one of `models`, `slices`, `modules`");
    }
    if (const YamlNode* node = find_present("models")) recipe.models = read_models(*node, "models");
    if (const YamlNode* node = find_present("slices")) recipe.slices = read_slices(*node, "slices");
    if (const YamlNode* node = find_present("modules")) read_modules(*node, recipe);
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
  if (const std::size_t count = split_documents(text).size(); count > 1) {
    return fail(Error{ErrorCode::kInvalidArgument,
                      "the text holds several recipes",
                      {{"", std::to_string(count) + " recipes, separated by `---`, in one text",
                        "run `crucible merge` on the file, or submit the recipes one by one under "
                        "their names, those that others need first"}}});
  }
  auto document = parse_yaml(text);
  if (!document) return fail(std::move(document.error()).with_context("the recipe is"));
  Faults faults(*document);
  Recipe recipe = Reader(document->root, faults).read();
  if (!faults.empty()) return fail(std::move(faults).to_error("the recipe"));
  recipe.warnings = faults.take_warnings();
  recipe.source_text = std::string(text);
  return recipe;
}

}  // namespace crucible::recipe
