#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "evaluator/engine/language_model.hpp"

namespace crucible::test {

// A language model whose log-probabilities a test dictates. Counts calls; stops and fails on
// demand.
class ScriptedModel final : public engine::LanguageModel {
 public:
  using Script = std::function<double(const engine::LoglikelihoodRequest&)>;

  explicit ScriptedModel(Script script) : script_(std::move(script)) {
    description_ = {"scripted", "scripted", "f64", 1024, false};
  }

  const engine::ModelDescription& description() const override { return description_; }

  Result<std::vector<engine::LoglikelihoodResult>> loglikelihood(
      std::span<const engine::LoglikelihoodRequest> requests, const ProgressSink& progress,
      std::stop_token stop) override {
    calls.emplace_back(requests.begin(), requests.end());
    if (calls.size() == fail_call) return fail(failure);
    std::vector<engine::LoglikelihoodResult> results;
    for (const engine::LoglikelihoodRequest& request : requests) {
      if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "cancelled");
      engine::LoglikelihoodResult result;
      result.sum_logprob = script_(request);
      result.tokens = 1;
      result.truncated = truncate(request);
      results.push_back(result);
      if (progress) progress({"", results.size(), requests.size(), "requests"});
    }
    return results;
  }

  std::vector<std::vector<engine::LoglikelihoodRequest>> calls;
  std::size_t fail_call = 0;  // 1 = the first
  Error failure{ErrorCode::kUnavailable, "out of order", {}};
  std::function<bool(const engine::LoglikelihoodRequest&)> truncate = [](const auto&) {
    return false;
  };

 private:
  Script script_;
  engine::ModelDescription description_;
};

}  // namespace crucible::test
