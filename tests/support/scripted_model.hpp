#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "evaluator/engine/language_model.hpp"

namespace crucible::test {

// A language model whose answers a test dictates. Counts calls; stops and fails on demand.
class ScriptedModel final : public engine::LanguageModel {
 public:
  using Script = std::function<double(const engine::LoglikelihoodRequest&)>;

  explicit ScriptedModel(Script script) : script_(std::move(script)) {
    description_ = {"scripted", "scripted", "f64", 1024, false};
  }

  const engine::ModelDescription& description() const override { return description_; }
  engine::Capabilities capabilities() const override { return able; }
  engine::ComputeAccount account() const override { return account_; }

  Result<std::vector<engine::LoglikelihoodResult>> loglikelihood(
      std::span<const engine::LoglikelihoodRequest> requests, const engine::Call& call) override {
    calls.emplace_back(requests.begin(), requests.end());
    bos_rules.push_back(call.bos);
    if (calls.size() == fail_call) return fail(failure);
    std::vector<engine::LoglikelihoodResult> results;
    for (const engine::LoglikelihoodRequest& request : requests) {
      if (call.stop.stop_requested()) return fail(ErrorCode::kCancelled, "cancelled");
      engine::LoglikelihoodResult result;
      result.sum_logprob = script_(request);
      result.tokens = 1;
      result.truncated = truncate(request);
      results.push_back(result);
      account_.prompt_tokens_asked += 2;
      account_.prompt_tokens_computed += 1;
      if (call.progress) call.progress({"", results.size(), requests.size(), "requests"});
    }
    return results;
  }

  // A text's log-probability is what the script says of it as a context without continuation.
  Result<std::vector<engine::RollingResult>> loglikelihood_rolling(
      std::span<const engine::RollingRequest> requests, const engine::Call&) override {
    std::vector<engine::RollingResult> results;
    for (const engine::RollingRequest& request : requests) {
      results.push_back({script_({request.text, ""}), 1, 1});
    }
    return results;
  }

  Result<std::vector<engine::GenerationResult>> generate(
      std::span<const engine::GenerationRequest> requests, const engine::Call&) override {
    generations.emplace_back(requests.begin(), requests.end());
    std::vector<engine::GenerationResult> results;
    for (const engine::GenerationRequest& request : requests) {
      engine::GenerationResult result;
      result.text = answer(request);
      account_.tokens_generated += 1;
      results.push_back(std::move(result));
    }
    return results;
  }

  Result<std::string> apply_chat_template(std::span<const engine::ChatMessage> messages,
                                          bool add_generation_prompt) const override {
    std::string text;
    for (const engine::ChatMessage& message : messages) {
      text += "<" + message.role + ">" + message.content;
    }
    return text + (add_generation_prompt ? "<assistant>" : "");
  }

  std::vector<std::vector<engine::LoglikelihoodRequest>> calls;
  std::vector<engine::BosRule> bos_rules;  // of those calls
  std::vector<std::vector<engine::GenerationRequest>> generations;
  engine::Capabilities able;
  std::size_t fail_call = 0;  // 1 = the first
  Error failure{ErrorCode::kUnavailable, "out of order", {}};
  std::function<bool(const engine::LoglikelihoodRequest&)> truncate = [](const auto&) {
    return false;
  };
  std::function<std::string(const engine::GenerationRequest&)> answer = [](const auto&) {
    return std::string();
  };

 private:
  Script script_;
  engine::ModelDescription description_;
  engine::ComputeAccount account_;
};

}  // namespace crucible::test
