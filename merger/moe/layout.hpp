#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"
#include "merger/moe/moe_recipe.hpp"
#include "merger/plan/fault_list.hpp"
#include "merger/plan/merge_plan.hpp"
#include "nlohmann/json.hpp"

// What a mixture looks like in files: the tensor names and configuration of the model classes that
// can compute one. Tensors are named as the published checkpoints of these classes name them, one
// tensor an expert and projection; transformers 4 and 5 load that, and so do the converters of
// llama.cpp.
namespace crucible::moe {

enum class Layout { kMixtral, kDeepseek, kQwen2Moe, kQwen3Moe, kPhixtral };

struct LayoutInfo {
  Layout layout = Layout::kMixtral;
  std::string_view name;         // "mixtral", for --layout and config.json's model_type
  std::string_view title;        // "Mixtral", what a recipe's `architecture` is compared with
  std::string_view model_class;  // "MixtralForCausalLM"
};
std::span<const LayoutInfo> layouts();  // in order of preference
const LayoutInfo& info(Layout layout);

// The opened models of a recipe by their parts.
struct SourceModels {
  std::vector<plan::PlannedModel> models;  // distinct
  std::size_t base = 0;                    // index into models, as all below
  std::vector<std::size_t> experts;
  std::vector<std::size_t> shared;
  std::uint64_t hidden = 0;
  std::uint64_t expert_size = 0;  // intermediate size of every expert
  std::uint64_t shared_size = 0;  // of the shared expert; 0 without one

  const plan::PlannedModel& base_model() const { return models[base]; }
  // The base's tensors.
  const checkpoint::Module& tensors() const { return base_model().architecture->modules.front(); }
};

// A model's tensor under its name or an alias; nullptr when it has none.
checkpoint::TensorSourcePtr find_tensor(const plan::PlannedModel& model,
                                        const checkpoint::TensorTemplate& tensor,
                                        std::uint64_t layer);

// Model types of which experts can be made, whatever the layout.
inline constexpr std::string_view kExpertTypes[] = {"llama", "mistral", "qwen2", "qwen3", "phi"};

// Opens the models and holds the experts against the base: kind, layers, sizes, biases, activation.
// Adds faults; the result is usable only when there are none.
SourceModels open_sources(const MoeRecipe& recipe, const plan::ModelResolver& resolver,
                          plan::FaultList& faults);

// Why a layout cannot hold a recipe's mixture; nothing = it can.
struct LayoutVerdict {
  Layout layout = Layout::kMixtral;
  std::vector<std::string> obstacles;
};
// All layouts, in order of preference.
std::vector<LayoutVerdict> judge_layouts(const MoeRecipe& recipe, const SourceModels& sources);

// The layout that was asked for, else the first possible one that the recipe's `architecture`
// admits. Faults list every obstacle of every layout that was asked for.
std::optional<Layout> choose_layout(const MoeRecipe& recipe,
                                    const std::vector<LayoutVerdict>& verdicts,
                                    std::optional<Layout> forced, plan::FaultList& faults);

// One tensor of a dense model's MLP: "gate_proj.weight", "fc1.bias".
struct MlpPart {
  std::string_view name;
  bool is_bias = false;
  bool is_last = false;  // of the last projection, from the intermediate size to the hidden one
};
// Those of a model type: gated MLPs without biases; phi's two projections with biases.
std::span<const MlpPart> mlp_parts(std::string_view model_type);
tensor::Shape shape_of(const MlpPart& part, std::uint64_t hidden, std::uint64_t intermediate);

// Names inside a layer; `part` is an MlpPart's name.
std::string expert_tensor(Layout layout, std::uint64_t layer, std::size_t expert,
                          std::string_view part);
std::string shared_tensor(Layout layout, std::uint64_t layer, std::string_view part);
std::string router_tensor(Layout layout, std::uint64_t layer);
std::string shared_router_tensor(std::uint64_t layer);  // qwen2_moe only

// The class that computes a layout, where transformers has none: a Python file of the output
// folder, which transformers runs when it is told to trust the folder's code. Empty for the other
// layouts.
struct ModelCode {
  std::string_view file;
  std::string_view text;
};
ModelCode model_code(Layout layout);

// config.json of the mixture: the base's, as the layout's model class reads it. Values that the
// base's class and the layout's class default to differently are written out.
Result<nlohmann::ordered_json> mixture_config(const MoeRecipe& recipe, const SourceModels& sources,
                                              Layout layout, tensor::DType dtype,
                                              io::Syscalls& calls = io::system());

}  // namespace crucible::moe
