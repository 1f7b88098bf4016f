#include "merger/moe/moe_recipe.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "merger/recipe/faults.hpp"
#include "merger/recipe/model_reference.hpp"
#include "merger/recipe/text.hpp"
#include "merger/recipe/yaml_tree.hpp"

namespace crucible::moe {
namespace {

using recipe::child_path;
using recipe::Faults;
using recipe::kind_name;
using recipe::printable;
using recipe::YamlNode;
using Words = std::span<const std::string_view>;

constexpr std::array<std::string_view, 7> kTopKeys{
    "base_model",        "experts",        "gate_mode",   "dtype",
    "experts_per_token", "shared_experts", "architecture"};
constexpr std::array<std::string_view, 5> kExpertKeys{
    "source_model", "positive_prompts", "negative_prompts", "noise_scale", "residual_scale"};
struct NamedMode {
  std::string_view name;
  GateMode mode;
};
constexpr std::array<NamedMode, 6> kModes{{{"hidden_last", GateMode::kHiddenLast},
                                           {"hidden", GateMode::kHiddenLast},
                                           {"hidden_avg", GateMode::kHiddenAverage},
                                           {"cheap_embed", GateMode::kCheapEmbed},
                                           {"random", GateMode::kRandom},
                                           {"uniform_random", GateMode::kUniformRandom}}};
constexpr std::array<std::string_view, 4> kMergeKeys{"merge_method", "models", "slices", "modules"};
constexpr double kMostExperts = 1024;

class MoeReader {
 public:
  MoeReader(const YamlNode& root, const MoeRules& rules, Faults& faults)
      : root_(root), rules_(rules), faults_(faults) {}

  MoeRecipe read() {
    MoeRecipe recipe;
    if (!root_.is_map()) {
      broken("", "the recipe must be a map, not " + kind_name(root_));
      return recipe;
    }
    check_keys(root_, "", kTopKeys);
    read_base(recipe);
    read_mode(recipe);
    read_dtype(recipe);
    read_architecture(recipe);
    recipe.experts = read_experts("experts", true);
    recipe.shared_experts = read_experts("shared_experts", false);
    read_experts_per_token(recipe);
    if (!broken_) check_prompts(recipe);
    if (!broken_) check_sources(recipe);
    return recipe;
  }

 private:
  void fault(std::string path, std::string message, std::string suggestion = {}) {
    faults_.add(std::move(path), std::move(message), std::move(suggestion));
  }
  // A fault that leaves a hole, after which rules that span fields would report nonsense.
  void broken(std::string path, std::string message, std::string suggestion = {}) {
    broken_ = true;
    fault(std::move(path), std::move(message), std::move(suggestion));
  }

  void check_keys(const YamlNode& map, const std::string& path, Words known) {
    for (const auto& [key, value] : map.entries) {
      if (std::ranges::find(known, key) != known.end()) continue;
      std::string suggestion = recipe::did_you_mean(key, known);
      if (suggestion.empty()) suggestion = "known here: " + recipe::join(known);
      if (path.empty() && std::ranges::find(kMergeKeys, key) != kMergeKeys.end()) {
        suggestion = "it belongs to merge recipes, which `crucible merge` runs";
      }
      fault(child_path(path, key), "unknown key `" + printable(key) + "`", std::move(suggestion));
    }
  }

  // The node of a key that is present and not null.
  static const YamlNode* present(const YamlNode& map, std::string_view key) {
    const YamlNode* node = map.find(key);
    return node == nullptr || node->is_null() ? nullptr : node;
  }

  void read_base(MoeRecipe& recipe) {
    const YamlNode* node = present(root_, "base_model");
    if (node == nullptr) {
      broken("base_model", "base_model is missing",
             "name the model that gives attention, embeddings and norms");
      return;
    }
    auto read = recipe::read_model_reference(*node, "base_model", faults_);
    broken_ = broken_ || !read;
    if (read) recipe.base_model = std::move(*read);
  }

  void read_mode(MoeRecipe& recipe) {
    const YamlNode* node = present(root_, "gate_mode");
    if (node == nullptr) return;
    std::vector<std::string_view> names;
    for (const NamedMode& mode : kModes) {
      if (node->is_scalar() && node->scalar == mode.name) {
        recipe.gate_mode = mode.mode;
        return;
      }
      names.push_back(mode.name);
    }
    std::string suggestion =
        node->is_scalar() ? recipe::did_you_mean(node->scalar, names) : std::string();
    if (suggestion.empty()) suggestion = "one of " + recipe::join(names);
    broken("gate_mode", kind_name(*node) + " is no gate mode", std::move(suggestion));
  }

  void read_dtype(MoeRecipe& recipe) {
    const YamlNode* node = present(root_, "dtype");
    if (node == nullptr) return;
    if (node->is_scalar()) recipe.dtype = tensor::from_torch_name(node->scalar);
    if (recipe.dtype && tensor::is_floating(*recipe.dtype)) return;
    fault("dtype", kind_name(*node) + " is not a floating-point dtype",
          "one of bfloat16, float16, float32, float64");
  }

  void read_architecture(MoeRecipe& recipe) {
    const YamlNode* node = present(root_, "architecture");
    if (node == nullptr) return;
    if (node->is_scalar()) {
      recipe.architecture = node->scalar;
    } else {
      fault("architecture", "must be text, not " + kind_name(*node));
    }
  }

  std::vector<Expert> read_experts(const std::string& key, bool required) {
    const YamlNode* list = present(root_, key);
    if (list == nullptr && required) broken(key, key + " is missing", "list the source models");
    if (list == nullptr) return {};
    if (!list->is_sequence() || (required && list->items.empty())) {
      broken(key,
             list->is_sequence() ? "the list is empty" : "must be a list, not " + kind_name(*list));
      return {};
    }
    std::vector<Expert> experts;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      experts.push_back(read_expert(list->items[i], child_path(key, i)));
    }
    return experts;
  }

  Expert read_expert(const YamlNode& node, const std::string& path) {
    Expert expert;
    if (!node.is_map()) {
      broken(path, "each expert must be a map, not " + kind_name(node),
             "source_model: PATH, positive_prompts: [...]");
      return expert;
    }
    check_keys(node, path, kExpertKeys);
    const YamlNode* model = present(node, "source_model");
    if (model == nullptr) {
      broken(path, "`source_model` is missing");
    } else {
      auto read = recipe::read_model_reference(*model, child_path(path, "source_model"), faults_);
      broken_ = broken_ || !read;
      if (read) expert.source_model = std::move(*read);
    }
    expert.positive_prompts = read_prompts(node, path, "positive_prompts");
    expert.negative_prompts = read_prompts(node, path, "negative_prompts");
    expert.noise_scale = read_number(node, path, "noise_scale", 0);
    expert.residual_scale = read_number(node, path, "residual_scale", 1);
    return expert;
  }

  std::vector<std::string> read_prompts(const YamlNode& expert, const std::string& path,
                                        const std::string& key) {
    const YamlNode* list = present(expert, key);
    if (list == nullptr) return {};
    const std::string where = child_path(path, key);
    if (!list->is_sequence()) {
      broken(where, "must be a list of prompts, not " + kind_name(*list),
             list->is_scalar() ? "write `- " + printable(list->scalar, 40) + "` below it" : "");
      return {};
    }
    std::vector<std::string> prompts;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      const YamlNode& item = list->items[i];
      if (item.is_scalar()) {
        prompts.push_back(item.scalar);
      } else {
        broken(child_path(where, i), "a prompt must be text, not " + kind_name(item),
               "put the prompt in quotes");
      }
    }
    return prompts;
  }

  double read_number(const YamlNode& expert, const std::string& path, const std::string& key,
                     double fallback) {
    const YamlNode* node = present(expert, key);
    if (node == nullptr) return fallback;
    const auto number = node->is_scalar() ? recipe::parse_number(node->scalar) : std::nullopt;
    if (number && std::abs(*number) <= 1e6) return *number;
    fault(child_path(path, key), "must be a number, not " + kind_name(*node));
    return fallback;
  }

  void read_experts_per_token(MoeRecipe& recipe) {
    const YamlNode* node = present(root_, "experts_per_token");
    if (node != nullptr) {
      const auto number = node->is_scalar() ? recipe::parse_number(node->scalar) : std::nullopt;
      if (!number || *number < 1 || *number > kMostExperts || *number != std::floor(*number)) {
        fault("experts_per_token", "must be a whole number from 1, not " + kind_name(*node));
        return;
      }
      recipe.experts_per_token = static_cast<std::uint64_t>(*number);
    }
    if (recipe.experts.empty() || recipe.experts.size() >= recipe.experts_per_token) return;
    fault("experts_per_token",
          std::to_string(recipe.experts_per_token) + " experts a token, but only " +
              std::to_string(recipe.experts.size()) + " experts",
          "add experts, or set experts_per_token: " + std::to_string(recipe.experts.size()));
  }

  void check_prompts(const MoeRecipe& recipe) {
    check_shared_prompts(recipe);
    if (recipe.gate_mode == GateMode::kRandom) return;
    bool all = true;
    for (std::size_t i = 0; i < recipe.experts.size(); ++i) {
      if (!recipe.experts[i].positive_prompts.empty()) continue;
      all = false;
      fault(child_path("experts", i), "the expert has no positive_prompts",
            "give one or more prompts that it should answer, or gate_mode: random");
    }
    if (!all) return;
    const Expert& first = recipe.experts.front();
    const bool equal = std::ranges::all_of(recipe.experts, [&](const Expert& expert) {
      return expert.positive_prompts == first.positive_prompts &&
             expert.negative_prompts == first.negative_prompts;
    });
    if (!equal) return;
    fault("experts",
          recipe.experts.size() == 1 ? "there is one expert, so there is nothing to route"
                                     : "the prompts of all experts are the same, so the router "
                                       "could not tell them apart",
          "give each expert prompts of what it should answer, or gate_mode: random");
  }

  void check_shared_prompts(const MoeRecipe& recipe) {
    const auto prompted = [](const Expert& expert) { return !expert.positive_prompts.empty(); };
    const auto count = std::ranges::count_if(recipe.shared_experts, prompted);
    if (count != 0 && static_cast<std::size_t>(count) != recipe.shared_experts.size()) {
      fault("shared_experts", "some shared experts have positive_prompts and others have none",
            "give prompts to all of them or to none");
    }
    for (std::size_t i = 0; i < recipe.shared_experts.size(); ++i) {
      const Expert& expert = recipe.shared_experts[i];
      if (prompted(expert) || expert.negative_prompts.empty()) continue;
      fault(child_path(child_path("shared_experts", i), "negative_prompts"),
            "negative prompts stand without positive ones", "add positive_prompts");
    }
  }

  void check_sources(const MoeRecipe& recipe) {
    if (rules_.allow_identical_experts || recipe.gate_mode == GateMode::kRandom) return;
    if (recipe.experts.size() < 2) return;
    const recipe::ModelReference& first = recipe.experts.front().source_model;
    const bool equal = std::ranges::all_of(
        recipe.experts, [&](const Expert& expert) { return expert.source_model == first; });
    if (!equal) return;
    fault("experts",
          "all experts come from " + printable(first.text()) +
              ": the mixture would answer as that model does, at several times its cost",
          "use different models; to train the mixture afterwards, pass --allow-identical-experts");
  }

  const YamlNode& root_;
  const MoeRules& rules_;
  Faults& faults_;
  bool broken_ = false;
};

}  // namespace

std::string_view to_string(GateMode mode) {
  for (const NamedMode& known : kModes) {
    if (known.mode == mode) return known.name;
  }
  return "";
}

bool needs_states(GateMode mode) {
  return mode == GateMode::kHiddenLast || mode == GateMode::kHiddenAverage;
}

bool needs_prompts(GateMode mode) { return needs_states(mode) || mode == GateMode::kCheapEmbed; }

bool MoeRecipe::shared_gates() const {
  if (shared_experts.empty()) return false;
  return !needs_prompts(gate_mode) || !shared_experts.front().positive_prompts.empty();
}

bool is_moe_recipe(std::string_view text) {
  const auto document = recipe::parse_yaml(text);
  return document && document->root.find("experts") != nullptr;
}

Result<MoeRecipe> read_moe_recipe(std::string_view text, const MoeRules& rules) {
  auto document = recipe::parse_yaml(text);
  if (!document) return fail(std::move(document.error()).with_context("the recipe is"));
  Faults faults(*document);
  MoeRecipe recipe = MoeReader(document->root, rules, faults).read();
  if (!faults.empty()) return fail(std::move(faults).to_error("the recipe"));
  recipe.source_text = std::string(text);
  return recipe;
}

}  // namespace crucible::moe
