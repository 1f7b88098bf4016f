#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "merger/moe/layout.hpp"
#include "merger/moe/moe_recipe.hpp"
#include "merger/moe/prompt_model.hpp"

// The rows of the router: what a token's state is multiplied with to choose its experts. As
// mergekit-moe 0.1.5 defines them, but computed from the base's stored weights in float32, where it
// computes hidden states in bfloat16.
//
// For a set P of prompts, v(P) is, per layer,
//   hidden, hidden_last  the mean over P of the state entering the layer at the last token
//   hidden_avg           the mean over P of the mean over the positions of the padded prompt
//   cheap_embed          the sum of the token embeddings of P, divided by its length
// and an expert's row is v(positive) - v(negative), divided by its length. Lengths are at least
// 1e-8.
namespace crucible::moe {

struct RouterRows {
  std::uint64_t layers = 0;
  std::uint64_t rows = 0;  // experts, then shared experts that have a gate
  std::uint64_t hidden = 0;
  // [layers][rows][hidden]
  std::shared_ptr<const std::vector<float>> values;
  std::vector<std::string> warnings;
};

// `load` is used by the modes that need prompts. Random modes give torch's numbers after
// torch.manual_seed(seed): uniform_random to the bit, random to the last bits of float32.
Result<RouterRows> make_router_rows(const MoeRecipe& recipe, const SourceModels& sources,
                                    std::uint32_t seed, const PromptModelLoader& load,
                                    const ProgressSink& progress, std::stop_token stop);

// Ratio of the largest to the smallest singular value of `rows` row vectors; infinity when they are
// linearly dependent.
double condition_number(std::span<const float> values, std::size_t rows);

// What a position that attends to nothing, as left padding does, holds as it enters each layer: the
// token's embedding with the base's MLPs added, and nothing from attention.
Result<LayerStates> padding_states(const SourceModels& sources, std::int32_t token,
                                   std::stop_token stop);

// One row of an embedding matrix as float32.
Status read_row(const checkpoint::TensorSource& matrix, std::uint64_t row, std::span<float> out);

}  // namespace crucible::moe
