#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "merger/base/error.hpp"
#include "merger/base/progress.hpp"
#include "merger/checkpoint/checkpoint.hpp"

// What a router's rows need of the base model; whoever can compute it hands it in.
namespace crucible::moe {

using TokenIds = std::vector<std::int32_t>;

// The residual stream as it enters each layer, unnormalised: [layers][hidden], row-major.
using LayerStates = std::vector<float>;

enum class StatePosition { kLast, kSum };  // at the last token, or summed over all tokens

// Not thread-safe.
class PromptModel {
 public:
  virtual ~PromptModel() = default;
  // Token ids of each prompt with the tokenizer's BOS text, where it has one, in front; no special
  // token is added beyond that. Error kInvalidArgument for text that cannot be encoded.
  virtual Result<std::vector<TokenIds>> encode(std::span<const std::string> prompts) const = 0;
  // What shorter prompts of a batch are filled with: BOS, else EOS, else nothing.
  virtual std::optional<std::int32_t> padding_token() const = 0;
  // One entry a prompt. Errors: kInvalidArgument (a prompt longer than the model's context),
  // kCorrupt (NaN), kUnsupported (a model that cannot be computed), kCancelled.
  virtual Result<std::vector<LayerStates>> layer_inputs(std::span<const TokenIds> prompts,
                                                        StatePosition position,
                                                        const ProgressSink& progress,
                                                        std::stop_token stop) = 0;
};

// Opens the base model for prompts. Weights are loaded when states are first asked for.
using PromptModelLoader =
    std::function<Result<std::unique_ptr<PromptModel>>(const checkpoint::Checkpoint& base)>;

}  // namespace crucible::moe
