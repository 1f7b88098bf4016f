#pragma once

#include <string>

#include "server/cli/local_commands.hpp"

namespace crucible::server::cli {

struct MoeCommandOptions {
  MergeCommandOptions merge;   // recipe, out, seed, threads, memory, shard size, resume
  std::string layout;          // "" = the first that can hold the mixture
  std::string states = "f32";  // weights that hidden states are computed with: f32, bf16, f16, q8_0
  bool allow_identical_experts = false;
  bool check = false;  // write nothing
};

// Builds a mixture of experts from dense models by a mergekit-moe recipe.
int build_mixture(const MoeCommandOptions& options, const CommonOptions& common);

}  // namespace crucible::server::cli
