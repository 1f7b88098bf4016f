#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "merger/moe/layout.hpp"
#include "merger/moe/moe_recipe.hpp"
#include "merger/moe/prompt_model.hpp"
#include "merger/moe/router.hpp"
#include "merger/plan/merge.hpp"

// Mixtures of experts from dense models: preflight a recipe, build it, get a folder that
// transformers loads. Weights stream through the merge engine, so memory and publication are as for
// a merge.
namespace crucible::moe {

struct MoeOptions {
  plan::MergeOptions merge;      // seed: of random rows and of noise
  std::optional<Layout> layout;  // empty: the first possible one
};

struct MoePreflight {
  plan::Preflight output;  // architecture is the layout's name
  Layout layout = Layout::kMixtral;
  std::vector<LayoutVerdict> layouts;  // all, with what stands against each
  std::uint64_t experts = 0;
  std::uint64_t shared_experts = 0;
  std::uint64_t experts_per_token = 0;
  std::uint64_t active_parameters = 0;  // that one token is multiplied with
  std::string gate_mode;
  std::uint64_t state_bytes = 0;  // the base in float32, when hidden states are needed; else 0
};
// From configs and headers. Error kInvalidArgument or kUnsupported with every fault.
Result<MoePreflight> preflight(const MoeRecipe& recipe, const plan::ModelResolver& resolver,
                               const MoeOptions& options, const std::filesystem::path& out_parent);

// Computes the router and writes the whole folder to `out`, which must not exist; it appears whole
// or not at all. Same recipe, models, seed and prompt model give the same bytes. Errors: as
// preflight, those of the prompt model, kNoSpace, kIo, kCancelled.
Result<plan::MergeReport> build(const MoeRecipe& recipe, const plan::ModelResolver& resolver,
                                const MoeOptions& options, const PromptModelLoader& load,
                                const std::filesystem::path& out, const ProgressSink& progress,
                                std::stop_token stop);

// The plan of a mixture: copies for the merge engine. Its `models` are empty; they are to be moved
// there from `sources`. Without rows the routers are zeros, which is enough to know sizes.
plan::MergePlan plan_mixture(const MoeRecipe& recipe, const SourceModels& sources, Layout layout,
                             std::uint64_t seed, const RouterRows* rows);

// The element type that the output is to have: the recipe's, else what the base's config names.
std::optional<tensor::DType> output_dtype(const MoeRecipe& recipe, const SourceModels& sources);

// The README of a mixture.
std::string mixture_card(const MoeRecipe& recipe, Layout layout, const std::string& title);

}  // namespace crucible::moe
