#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"
#include "merger/recipe/recipe.hpp"
#include "merger/tensor/dtype.hpp"

// A mergekit-moe recipe as an immutable value: dense models that become the experts of one mixture.
namespace crucible::moe {

// Where the router's rows come from.
enum class GateMode {
  kHiddenLast,     // states of the base model at the last position of each prompt
  kHiddenAverage,  // the same, averaged over positions
  kCheapEmbed,     // token embeddings of the prompts, equal in all layers
  kRandom,         // N(0, 1)
  kUniformRandom   // U(-1/sqrt(hidden), 1/sqrt(hidden)), torch.nn.Linear's initialisation
};
std::string_view to_string(GateMode mode);  // as recipes spell it
// Whether prompts are computed by the base model, or at least tokenized.
bool needs_states(GateMode mode);
bool needs_prompts(GateMode mode);

struct Expert {
  recipe::ModelReference source_model;
  std::vector<std::string> positive_prompts;
  std::vector<std::string> negative_prompts;
  double noise_scale = 0;     // standard deviation of noise added to its weights
  double residual_scale = 1;  // factor of its down projection
};

struct MoeRecipe {
  recipe::ModelReference base_model;
  std::vector<Expert> experts;
  std::vector<Expert> shared_experts;  // see every token, beside the routed ones
  GateMode gate_mode = GateMode::kHiddenLast;
  std::optional<tensor::DType> dtype;  // of the output; default: what the base's config names
  std::uint64_t experts_per_token = 2;
  std::string architecture;  // beginning of an output layout's name; "" = any
  std::string source_text;   // as submitted

  // The shared experts' prompts too make router rows.
  bool shared_gates() const;
};

struct MoeRules {
  // Experts that all come from one model give that model's answers at several times its cost; only
  // a start for training.
  bool allow_identical_experts = false;
};

// Whether YAML text asks for a mixture: it has the key `experts`.
bool is_moe_recipe(std::string_view text);

// Equal recipes give equal text, however they are written.
std::string canonical_text(const MoeRecipe& recipe);

// Reads YAML or JSON. Error kInvalidArgument with all faults and their paths; the same limits as
// recipe::read_recipe. Unknown keys are faults.
Result<MoeRecipe> read_moe_recipe(std::string_view text, const MoeRules& rules = {});

}  // namespace crucible::moe
