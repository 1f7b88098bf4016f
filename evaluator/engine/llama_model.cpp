#include "evaluator/engine/llama_model.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <numeric>
#include <utility>

#include "evaluator/chat/chat_template.hpp"
#include "evaluator/engine/batch_plan.hpp"
#include "evaluator/engine/decoder.hpp"
#include "evaluator/engine/generation.hpp"
#include "evaluator/engine/likelihood.hpp"
#include "evaluator/engine/opened_model.hpp"
#include "evaluator/engine/request_encoding.hpp"
#include "evaluator/engine/token_model.hpp"
#include "llama.h"

namespace crucible::engine {
namespace {

constexpr std::size_t kLogitBytes = 64U << 20;  // of one step
constexpr std::size_t kLeastOutputs = 32;
constexpr std::size_t kMostOutputs = 512;

tl::unexpected<Error> cancelled() {
  return fail(ErrorCode::kCancelled, "evaluation was cancelled");
}

// Tells how many requests are done, each of which may have several parts.
class Counter {
 public:
  Counter(const Call& call, std::vector<std::size_t> parts) : call_(call), left_(std::move(parts)) {
    for (const std::size_t parts_of_one : left_) done_ += parts_of_one == 0 ? 1 : 0;
  }
  void finish_part(std::size_t request) {
    if (--left_[request] > 0) return;
    ++done_;
    if (call_.progress) call_.progress({"evaluate", done_, left_.size(), "requests"});
  }

 private:
  const Call& call_;
  std::vector<std::size_t> left_;
  std::uint64_t done_ = 0;
};

// Best first; of equal ones the lower id first.
std::vector<RankedToken> top_tokens(std::span<const float> logits, const LogitSummary& summary,
                                    std::size_t count) {
  if (count == 1)
    return {{summary.argmax, summary.logprob(logits[static_cast<std::size_t>(summary.argmax)])}};
  std::vector<TokenId> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto logit = [&](TokenId id) { return logits[static_cast<std::size_t>(id)]; };
  const auto end = ids.begin() + static_cast<std::ptrdiff_t>(std::min(count, ids.size()));
  std::partial_sort(ids.begin(), end, ids.end(), [&](TokenId a, TokenId b) {
    return logit(a) != logit(b) ? logit(a) > logit(b) : a < b;
  });
  std::vector<RankedToken> top;
  for (auto id = ids.begin(); id != end; ++id) top.push_back({*id, summary.logprob(logit(*id))});
  return top;
}

Result<chat::ChatTemplate> usable(Result<chat::ChatTemplate> found) {
  if (!found && found.error().code == ErrorCode::kNotFound) {
    return fail(ErrorCode::kUnsupported, "the model has no chat template");
  }
  return found;
}

class LlamaModel final : public LanguageModel, public TokenModel {
 public:
  LlamaModel(OpenedModel opened, const LlamaOptions& options)
      : opened_(std::move(opened)),
        options_(options),
        template_(usable(std::move(opened_.chat_template))) {}

  const ModelDescription& description() const override { return opened_.description; }
  ComputeAccount account() const override { return account_; }
  Capabilities capabilities() const override {
    return {.prompt_logprobs = true, .generation = true, .chat = template_.has_value()};
  }

  std::string chat_template() const override { return template_ ? template_->source() : ""; }
  Result<std::string> apply_chat_template(std::span<const ChatMessage> messages,
                                          bool add_generation_prompt) const override {
    if (!template_) return fail(template_.error());
    auto text = template_->apply(messages, add_generation_prompt, !add_generation_prompt);
    if (text) return text;
    // As the harness does it: some templates refuse system messages.
    std::vector<ChatMessage> others;
    std::copy_if(messages.begin(), messages.end(), std::back_inserter(others),
                 [](const ChatMessage& message) { return message.role != "system"; });
    if (others.size() == messages.size()) return text;
    return template_->apply(others, add_generation_prompt, !add_generation_prompt);
  }

  Result<std::vector<LoglikelihoodResult>> loglikelihood(
      std::span<const LoglikelihoodRequest> requests, const Call& call) override {
    if (call.stop.stop_requested()) return cancelled();
    const auto encoded = encode_requests(*opened_.codec, call.bos, max_length(), requests);
    if (!encoded) return fail(encoded.error());
    Counter counter(call, std::vector<std::size_t>(requests.size(), 1));
    const auto scores =
        score(*encoded, call.stop, [&](std::size_t request) { counter.finish_part(request); });
    if (!scores) return fail(scores.error());
    std::vector<LoglikelihoodResult> results(requests.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      const EncodedRequest& request = (*encoded)[i];
      results[i] = {(*scores)[i].sum_logprob, (*scores)[i].is_greedy,
                    static_cast<std::uint32_t>(request.targets.size()), request.truncated,
                    request.encoded_apart};
    }
    return results;
  }

  Result<std::vector<RollingResult>> loglikelihood_rolling(std::span<const RollingRequest> requests,
                                                           const Call& call) override {
    if (call.stop.stop_requested()) return cancelled();
    std::vector<EncodedRequest> windows;
    std::vector<std::size_t> owner;  // the request of each window
    std::vector<std::size_t> parts;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      auto own = encode_windows(*opened_.codec, call.bos, max_length(), requests[i].text);
      if (!own) return fail(std::move(own.error()).with_context("request " + std::to_string(i)));
      parts.push_back(own->size());
      owner.insert(owner.end(), own->size(), i);
      std::move(own->begin(), own->end(), std::back_inserter(windows));
    }
    Counter counter(call, std::move(parts));
    const auto scores =
        score(windows, call.stop, [&](std::size_t window) { counter.finish_part(owner[window]); });
    if (!scores) return fail(scores.error());
    std::vector<RollingResult> results(requests.size());
    for (std::size_t i = 0; i < windows.size(); ++i) {
      RollingResult& result = results[owner[i]];
      result.sum_logprob += (*scores)[i].sum_logprob;
      result.tokens += static_cast<std::uint32_t>(windows[i].targets.size());
      ++result.windows;
    }
    return results;
  }

  Result<std::vector<GenerationResult>> generate(std::span<const GenerationRequest> requests,
                                                 const Call& call) override {
    if (call.stop.stop_requested()) return cancelled();
    std::vector<Prompt> prompts;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      auto prompt = make_prompt(requests[i], call.bos);
      if (!prompt) {
        return fail(std::move(prompt.error()).with_context("request " + std::to_string(i)));
      }
      prompts.push_back(std::move(*prompt));
    }
    return continue_all(prompts, call);
  }

  TokenModel* token_model() override { return this; }
  const tokenizer::TextCodec& codec() const override { return *opened_.codec; }
  std::span<const TokenId> end_tokens() const override { return opened_.end_tokens; }

  Result<std::vector<PromptScore>> score_prompts(std::span<const std::vector<TokenId>> prompts,
                                                 std::uint32_t top,
                                                 const std::stop_token& stop) override {
    if (stop.stop_requested()) return cancelled();
    std::vector<EncodedRequest> requests;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      if (auto valid = check_ids(prompts[i], max_length()); !valid) {
        return fail(std::move(valid.error()).with_context("prompt " + std::to_string(i)));
      }
      // The place behind the prompt wants no token's log-probability; any id will do.
      EncodedRequest request{prompts[i], {prompts[i].begin() + 1, prompts[i].end()}};
      request.targets.push_back(0);
      requests.push_back(std::move(request));
    }
    std::vector<PromptScore> scores(prompts.size());
    const auto scored = score(
        requests, stop, [](std::size_t) {},
        [&](std::size_t request, std::span<const float> logits, const LogitSummary& summary) {
          PlaceScore place;
          const std::size_t at = scores[request].places.size();
          if (at + 1 < requests[request].targets.size()) {
            const auto target = static_cast<std::size_t>(requests[request].targets[at]);
            place.logprob = summary.logprob(logits[target]);
          }
          place.top = top_tokens(logits, summary, top);
          scores[request].places.push_back(std::move(place));
        });
    if (!scored) return fail(scored.error());
    return scores;
  }

  Result<std::vector<TokenGeneration>> continue_prompts(std::span<const TokenPrompt> prompts,
                                                        const std::stop_token& stop) override {
    if (stop.stop_requested()) return cancelled();
    std::vector<Prompt> own;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      auto prompt = make_prompt(prompts[i]);
      if (!prompt) {
        return fail(std::move(prompt.error()).with_context("prompt " + std::to_string(i)));
      }
      own.push_back(std::move(*prompt));
    }
    Call call;
    call.stop = stop;
    auto results = continue_all(own, call);
    if (!results) return fail(std::move(results.error()));
    std::vector<TokenGeneration> generations;
    for (GenerationResult& result : *results) {
      generations.push_back({std::move(result.tokens), std::move(result.text), result.stop});
    }
    return generations;
  }

 private:
  Result<std::vector<GenerationResult>> continue_all(std::span<const Prompt> prompts,
                                                     const Call& call) {
    if (prompts.empty()) return std::vector<GenerationResult>();
    for (const Prompt& prompt : prompts) account_.prompt_tokens_asked += prompt.tokens.size();
    const llama_model* model = opened_.model.get();
    GenerationPlan plan =
        plan_generation(prompts, {llama_model_size(model),
                                  static_cast<std::size_t>(llama_model_n_layer(model)) *
                                      static_cast<std::size_t>(llama_model_n_embd(model)),
                                  cell_bytes(model)});
    plan.step_tokens = std::min(plan.step_tokens, step_tokens(model, plan.cells));
    auto decoder =
        make_decoder(opened_.model.get(), {plan.cells, plan.step_tokens, plan.slots, plan.slots},
                     opened_.threads, call.stop);
    if (!decoder) return fail(std::move(decoder.error()));
    std::uint64_t done = 0;
    GenerationCounts counts;
    auto results = generate_all(**decoder, prompts, opened_.end_tokens, plan, counts, [&] {
      ++done;
      if (call.progress) call.progress({"evaluate", done, prompts.size(), "requests"});
    });
    account_.prompt_tokens_computed += counts.prompt_tokens;
    account_.tokens_generated += counts.new_tokens;
    return results;
  }

  std::uint32_t max_length() const { return opened_.description.context_length; }

  Result<std::vector<TargetScore>> score(std::span<const EncodedRequest> requests,
                                         const std::stop_token& stop,
                                         const std::function<void(std::size_t)>& done,
                                         const TargetSink& each = nullptr) {
    if (requests.empty()) return std::vector<TargetScore>();
    for (const EncodedRequest& request : requests) {
      account_.prompt_tokens_asked += request.input.size();
    }
    const std::size_t outputs =
        std::clamp(kLogitBytes / (sizeof(float) * opened_.vocabulary), kLeastOutputs, kMostOutputs);
    PlanLimits limits;
    if (options_.batch_tokens > 0) limits.tokens = options_.batch_tokens;
    limits.sequences = std::min(outputs, llama_max_parallel_sequences());
    BatchPlanner planner(requests, limits, options_.share_prefixes);
    Capacity need = capacity_of(planner, kMostOutputs, outputs);
    need.tokens = std::min(need.tokens, step_tokens(opened_.model.get(), need.cells));
    const auto decoder = make_decoder(opened_.model.get(), need, opened_.threads, stop);
    if (!decoder) return fail(decoder.error());
    return score_plan(**decoder, planner, requests.size(), need, account_.prompt_tokens_computed,
                      done, each);
  }

  Status check_ids(std::span<const TokenId> ids, std::size_t most) const {
    if (ids.empty()) return fail(ErrorCode::kInvalidArgument, "the prompt has no tokens");
    if (ids.size() > most) {
      return fail(ErrorCode::kInvalidArgument, "the prompt has " + std::to_string(ids.size()) +
                                                   " tokens, room is for " + std::to_string(most));
    }
    for (const TokenId id : ids) {
      if (id < 0 || static_cast<std::uint32_t>(id) >= opened_.vocabulary) {
        return fail(ErrorCode::kInvalidArgument, "there is no token " + std::to_string(id) +
                                                     "; the vocabulary has " +
                                                     std::to_string(opened_.vocabulary));
      }
    }
    return {};
  }

  Result<Prompt> make_prompt(const TokenPrompt& request) {
    const GenerationSettings& settings = request.settings;
    if (auto valid = check_settings(settings); !valid) return fail(std::move(valid.error()));
    const std::size_t room = max_length() - std::min(max_length(), settings.max_new_tokens);
    if (auto valid = check_ids(request.tokens, room); !valid) {
      return fail(std::move(valid.error()));
    }
    const auto text = opened_.codec->decode(request.tokens, false);
    if (!text) return fail(text.error());
    return Prompt{request.tokens, settings, DrawStream(settings.seed, 0, *text),
                  stops_for(settings.until), false};
  }

  // The context loses tokens from the left so that the answer fits.
  Result<Prompt> make_prompt(const GenerationRequest& request, BosRule bos) {
    const GenerationSettings& settings = request.settings;
    if (auto valid = check_settings(settings); !valid) return fail(std::move(valid.error()));
    if (settings.max_new_tokens >= max_length()) {
      return fail(ErrorCode::kInvalidArgument,
                  "an answer of up to " + std::to_string(settings.max_new_tokens) +
                      " tokens leaves no room for a prompt in the model's context of " +
                      std::to_string(max_length()));
    }
    auto tokens = encode_prompt(*opened_.codec, bos, request.context);
    if (!tokens) return fail(std::move(tokens.error()));
    Prompt prompt{{},
                  settings,
                  DrawStream(settings.seed, request.repeat, request.context),
                  stops_for(settings.until),
                  false};
    const std::size_t most = max_length() - settings.max_new_tokens;
    if (tokens->size() > most) {
      tokens->erase(tokens->begin(), tokens->end() - static_cast<std::ptrdiff_t>(most));
      prompt.truncated = true;
    }
    prompt.tokens = std::move(*tokens);
    return prompt;
  }

  // Requests of a task have the same ones.
  std::shared_ptr<const StopStrings> stops_for(const std::vector<std::string>& until) {
    if (!stops_ || until != until_) {
      until_ = until;
      stops_ = std::make_shared<const StopStrings>(*opened_.codec, until);
    }
    return stops_;
  }

  OpenedModel opened_;
  LlamaOptions options_;
  Result<chat::ChatTemplate> template_;
  ComputeAccount account_;
  std::vector<std::string> until_;
  std::shared_ptr<const StopStrings> stops_;
};

}  // namespace

Result<std::unique_ptr<LanguageModel>> load_llama_model(const std::filesystem::path& path,
                                                        const LlamaOptions& options) {
  auto opened = open_model(path, options);
  if (!opened) return fail(std::move(opened.error()));
  return std::make_unique<LlamaModel>(std::move(*opened), options);
}

Result<std::unique_ptr<LanguageModel>> load_llama_model(checkpoint::ModelSource& source,
                                                        const LlamaOptions& options,
                                                        const LoadContext& context) {
  auto opened = open_model(source, options, context);
  if (!opened) return fail(std::move(opened.error()));
  return std::make_unique<LlamaModel>(std::move(*opened), options);
}

}  // namespace crucible::engine
