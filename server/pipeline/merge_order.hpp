#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "merger/base/digest.hpp"
#include "merger/moe/moe_recipe.hpp"
#include "merger/plan/merge.hpp"
#include "merger/recipe/recipe.hpp"

namespace crucible::server::pipeline {

// Where a recipe mentions a model: "base_model", "models[1].model", "experts[0].source_model", …
struct ModelMention {
  std::string path;
  recipe::ModelReference reference;
};

// What a merge job is asked for: a merge recipe, or a recipe of a mixture of experts, which is told
// by its key `experts`. Immutable.
class MergeOrder {
 public:
  explicit MergeOrder(recipe::Recipe recipe) : recipe_(std::move(recipe)) {}
  explicit MergeOrder(moe::MoeRecipe recipe) : recipe_(std::move(recipe)) {}
  // YAML or JSON; all faults at once.
  static Result<MergeOrder> read(std::string_view text);

  std::string method() const;  // "ties"; "moe"
  Digest digest() const;       // of the canonical form
  std::vector<ModelMention> mentions() const;
  Result<plan::Preflight> preflight(const plan::ModelResolver& resolver,
                                    const plan::MergeOptions& options,
                                    const std::filesystem::path& out_parent) const;
  const std::variant<recipe::Recipe, moe::MoeRecipe>& recipe() const { return recipe_; }

 private:
  std::variant<recipe::Recipe, moe::MoeRecipe> recipe_;
};

}  // namespace crucible::server::pipeline
