#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/chat/chat_message.hpp"
#include "merger/base/error.hpp"
#include "merger/base/progress.hpp"

// What the evaluator asks of a model, whoever computes it: a local engine, an endpoint, a scripted
// fake. The three kinds of request and their rules are those of lm-evaluation-harness 0.4
// (api/model.py, models/huggingface.py).
namespace crucible::engine {

using TokenId = std::int32_t;
using chat::ChatMessage;

// Whether a beginning-of-sequence token goes before a context.
enum class BosRule {
  kNever,     // as the harness of 2023 did: Open LLM Leaderboard v1, the Nous suite
  kTokenizer  // as tokenizer.json's post-processor adds specials; not twice
};

// What holds for all requests of one call.
struct Call {
  BosRule bos = BosRule::kTokenizer;
  ProgressSink progress;  // stage "evaluate", unit "requests"; may be empty
  std::stop_token stop;   // kCancelled soon after
};

// Sum of natural-log probabilities of the continuation given the context, both as text.
struct LoglikelihoodRequest {
  std::string context;
  std::string continuation;
};
struct LoglikelihoodResult {
  double sum_logprob = 0;
  bool is_greedy = false;      // every continuation token was the argmax
  std::uint32_t tokens = 0;    // continuation tokens scored
  bool truncated = false;      // the context was cut from the left
  bool encoded_apart = false;  // nothing of the continuation was left after the joint split
};

// Log-probability of a whole text in disjoint windows, every token predicted once.
struct RollingRequest {
  std::string text;
};
struct RollingResult {
  double sum_logprob = 0;
  std::uint32_t tokens = 0;
  std::uint32_t windows = 0;
};

struct GenerationSettings {
  std::vector<std::string> until;  // the text ends before the first of these; EOS always ends it
  std::uint32_t max_new_tokens = 256;  // the context is cut from the left to leave room for them
  bool do_sample = false;              // false: greedy, and the rest counts for nothing
  double temperature = 1.0;
  double top_p = 1.0;
  std::uint32_t top_k = 0;  // 0 = all
  std::uint64_t seed = 1234;
};
// `context` is the whole prompt as text. An engine that speaks chat only takes `messages` instead
// (kUnsupported when there are none); where both are given they say the same.
struct GenerationRequest {
  std::string context;
  std::vector<ChatMessage> messages;
  GenerationSettings settings;
  std::uint32_t repeat = 0;  // number of this draw among equal requests; joins the seed
};
enum class StopReason { kStopString, kEndOfText, kLength };
struct GenerationResult {
  std::string text;  // without the stop string
  StopReason stop = StopReason::kEndOfText;
  std::uint32_t prompt_tokens = 0;
  std::uint32_t new_tokens = 0;
  bool truncated = false;  // the context was cut from the left
  // As generated, with what ended the text; empty where the engine is not told them.
  std::vector<TokenId> tokens;
};

// Identity and limits, kept with every score.
struct ModelDescription {
  std::string engine;        // "llama.cpp 0.6.0-dev (crate 0.1.161)"
  std::string architecture;  // "llama"
  std::string dtype;         // "f32": weights as computed with
  std::uint32_t context_length = 0;
  bool adds_bos = false;  // under BosRule::kTokenizer
};

// What a model can be asked. A log-likelihood task is refused where prompt log-probabilities are
// missing: an engine without them would score chance.
struct Capabilities {
  bool prompt_logprobs = true;
  bool generation = true;
  bool chat = false;                 // a chat template, or an endpoint of conversations
  std::string why_no_logprobs = {};  // in words, where they are missing
};

// What was asked and what was computed, in tokens of prompts, since the model was loaded; the
// difference is what sharing saved.
struct ComputeAccount {
  std::uint64_t prompt_tokens_asked = 0;
  std::uint64_t prompt_tokens_computed = 0;
  std::uint64_t tokens_generated = 0;
};

class TokenModel;  // token_model.hpp

// Results come in request order. Non-finite logits are kCorrupt ("the model yields NaN"), never a
// score. Not thread-safe; one caller at a time.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;
  virtual const ModelDescription& description() const = 0;
  virtual Capabilities capabilities() const { return {}; }
  virtual ComputeAccount account() const { return {}; }

  virtual Result<std::vector<LoglikelihoodResult>> loglikelihood(
      std::span<const LoglikelihoodRequest> requests, const Call& call) = 0;
  // Both kUnsupported unless overridden.
  virtual Result<std::vector<RollingResult>> loglikelihood_rolling(
      std::span<const RollingRequest> requests, const Call& call);
  virtual Result<std::vector<GenerationResult>> generate(
      std::span<const GenerationRequest> requests, const Call& call);

  // The conversation as the model's own template spells it, with the header of the next assistant
  // turn when `add_generation_prompt`, else with the last message left open to be continued.
  // kUnsupported: the model has no template.
  virtual Result<std::string> apply_chat_template(std::span<const ChatMessage> messages,
                                                  bool add_generation_prompt) const;
  // The template's text, "" without one: its digest goes into the report.
  virtual std::string chat_template() const { return {}; }

  // The same model by token ids, owned by this one; null where the engine has no such thing.
  virtual TokenModel* token_model() { return nullptr; }
};

}  // namespace crucible::engine
