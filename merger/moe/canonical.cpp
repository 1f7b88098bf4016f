#include "merger/moe/moe_recipe.hpp"
#include "nlohmann/json.hpp"

namespace crucible::moe {
namespace {

using nlohmann::json;

json experts_json(const std::vector<Expert>& experts) {
  json list = json::array();
  for (const Expert& expert : experts) {
    list.push_back({{"source_model", expert.source_model.text()},
                    {"positive_prompts", expert.positive_prompts},
                    {"negative_prompts", expert.negative_prompts},
                    {"noise_scale", expert.noise_scale},
                    {"residual_scale", expert.residual_scale}});
  }
  return list;
}

}  // namespace

std::string canonical_text(const MoeRecipe& recipe) {
  const json object{
      {"base_model", recipe.base_model.text()},
      {"experts", experts_json(recipe.experts)},
      {"shared_experts", experts_json(recipe.shared_experts)},
      {"gate_mode", to_string(recipe.gate_mode)},
      {"dtype", recipe.dtype ? json(tensor::torch_name(*recipe.dtype)) : json(nullptr)},
      {"experts_per_token", recipe.experts_per_token},
      {"architecture", recipe.architecture}};
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace crucible::moe
