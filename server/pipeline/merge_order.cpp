#include "server/pipeline/merge_order.hpp"

#include <fmt/format.h>

#include <utility>

#include "merger/moe/moe.hpp"

namespace crucible::server::pipeline {
namespace {

void mention_slices(const std::vector<recipe::OutputSlice>& slices, const std::string& prefix,
                    std::vector<ModelMention>& mentions) {
  for (std::size_t i = 0; i < slices.size(); ++i) {
    for (std::size_t j = 0; j < slices[i].sources.size(); ++j) {
      mentions.push_back({fmt::format("{}slices[{}].sources[{}].model", prefix, i, j),
                          slices[i].sources[j].model});
    }
    if (slices[i].base_model) {
      mentions.push_back(
          {fmt::format("{}slices[{}].base_model", prefix, i), *slices[i].base_model});
    }
  }
}

void mention_models(const std::vector<recipe::InputModel>& models, const std::string& prefix,
                    std::vector<ModelMention>& mentions) {
  for (std::size_t i = 0; i < models.size(); ++i) {
    mentions.push_back({fmt::format("{}models[{}].model", prefix, i), models[i].model});
  }
}

std::vector<ModelMention> mentions_of(const recipe::Recipe& recipe) {
  std::vector<ModelMention> mentions;
  mention_models(recipe.models, "", mentions);
  mention_slices(recipe.slices, "", mentions);
  for (const auto& [name, module] : recipe.modules) {
    const std::string prefix = fmt::format("modules.{}.", name);
    mention_models(module.models, prefix, mentions);
    mention_slices(module.slices, prefix, mentions);
  }
  if (recipe.base_model) mentions.push_back({"base_model", *recipe.base_model});
  if (recipe.tokenizer && recipe.tokenizer->choice == recipe::TokenizerChoice::kModel)
    mentions.push_back({"tokenizer_source", recipe.tokenizer->model});
  return mentions;
}

std::vector<ModelMention> mentions_of(const moe::MoeRecipe& recipe) {
  std::vector<ModelMention> mentions{{"base_model", recipe.base_model}};
  for (std::size_t i = 0; i < recipe.experts.size(); ++i) {
    mentions.push_back(
        {fmt::format("experts[{}].source_model", i), recipe.experts[i].source_model});
  }
  for (std::size_t i = 0; i < recipe.shared_experts.size(); ++i) {
    mentions.push_back(
        {fmt::format("shared_experts[{}].source_model", i), recipe.shared_experts[i].source_model});
  }
  return mentions;
}

}  // namespace

Result<MergeOrder> MergeOrder::read(std::string_view text) {
  if (moe::is_moe_recipe(text)) {
    auto recipe = moe::read_moe_recipe(text);
    if (!recipe) return fail(std::move(recipe).error());
    return MergeOrder(std::move(*recipe));
  }
  auto recipe = recipe::read_recipe(text);
  if (!recipe) return fail(std::move(recipe).error());
  return MergeOrder(std::move(*recipe));
}

std::string MergeOrder::method() const {
  const auto* merge = std::get_if<recipe::Recipe>(&recipe_);
  return merge != nullptr ? merge->merge_method : "moe";
}

Digest MergeOrder::digest() const {
  if (const auto* merge = std::get_if<recipe::Recipe>(&recipe_)) return recipe::digest(*merge);
  return sha256("mixture " + moe::canonical_text(std::get<moe::MoeRecipe>(recipe_)));
}

std::vector<ModelMention> MergeOrder::mentions() const {
  return std::visit([](const auto& recipe) { return mentions_of(recipe); }, recipe_);
}

Result<plan::Preflight> MergeOrder::preflight(const plan::ModelResolver& resolver,
                                              const plan::MergeOptions& options,
                                              const std::filesystem::path& out_parent) const {
  if (const auto* merge = std::get_if<recipe::Recipe>(&recipe_))
    return plan::preflight(*merge, resolver, options, out_parent);
  auto found = moe::preflight(std::get<moe::MoeRecipe>(recipe_), resolver, {options, std::nullopt},
                              out_parent);
  if (!found) return fail(std::move(found).error());
  return std::move(found->output);
}

}  // namespace crucible::server::pipeline
