#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "server/cli/model_source.hpp"
#include "server/trial/trial.hpp"

namespace CLI {
class App;
}

// `crucible eval --recipe`: merges that are evaluated without being written.
namespace crucible::server::cli {

struct RecipeOptions {
  std::vector<std::string> files;
  std::uint64_t seed = 0;
  std::string compatibility = "none";
  bool allow_nonfinite = false;
  bool allow_mixed_architectures = false;
  std::string memory = "512MiB";  // of tensor buffers
  std::string kept = "1GiB";      // of merged tensors, between recipes
};
void add_recipe_options(CLI::App& command, RecipeOptions& options);

// kInvalidArgument for a size that is none.
Result<std::unique_ptr<trial::TrialMemory>> trial_memory(const RecipeOptions& options);

// The merge of one recipe file, loaded as `model` says. Relative paths as in `crucible merge`.
// kUnsupported: the file has several recipes.
Result<trial::TrialModel> load_recipe_file(const std::string& file, const RecipeOptions& options,
                                           const ModelOptions& model, trial::TrialMemory& memory,
                                           std::stop_token stop);

}  // namespace crucible::server::cli
