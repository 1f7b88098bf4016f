#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "evaluator/engine/decoder.hpp"
#include "evaluator/engine/language_model.hpp"
#include "evaluator/engine/sampling.hpp"
#include "evaluator/engine/stop_strings.hpp"

// Continuous batching: up to `slots` prompts are continued at once, taken up in their order; the
// place of one that ends goes to the next. A prompt begins with what it has in common with any
// prompt still in memory, so that a few-shot block is computed once and shared. The schedule
// depends on the prompts and on what is generated only.
namespace crucible::engine {

struct Prompt {
  std::vector<TokenId> tokens;  // at least one
  GenerationSettings settings;
  DrawStream draws;
  std::shared_ptr<const StopStrings> stops;
  bool truncated = false;
};

struct GenerationPlan {
  std::size_t slots = 1;
  std::size_t cells = 1;        // of memory; at least the longest prompt with its answer
  std::size_t step_tokens = 1;  // at least `slots`
};

// What a choice of slots depends on.
struct GenerationCosts {
  std::size_t model_bytes = 0;
  std::size_t attention_width = 1;  // layers × hidden size
  std::size_t cell_bytes = 1;
};

// More slots read the weights less often a token, but every token of a step attends to the memory
// of all slots: the number of slots balances the two. Memory is what the prompts can need, at most
// 512 MiB or an eighth of the model, or what one prompt needs.
GenerationPlan plan_generation(std::span<const Prompt> prompts, const GenerationCosts& costs);

struct GenerationCounts {
  std::uint64_t prompt_tokens = 0;  // computed
  std::uint64_t new_tokens = 0;
};

// Results in the order of the prompts; `end_tokens` end a text. The decoder's memory must be empty.
// kCorrupt: the model yields NaN or infinite logits.
Result<std::vector<GenerationResult>> generate_all(
    Decoder& decoder, std::span<const Prompt> prompts, std::span<const TokenId> end_tokens,
    const GenerationPlan& plan, GenerationCounts& counts, const std::function<void()>& done);

}  // namespace crucible::engine
