#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"
#include "merger/base/progress.hpp"

// What the evaluator asks of a model, whoever computes it: a local engine, an endpoint, a scripted
// fake.
namespace crucible::engine {

using TokenId = std::int32_t;

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

// Identity and limits, kept with every score.
struct ModelDescription {
  std::string engine;        // "llama.cpp 0.6.0-dev (crate 0.1.161)"
  std::string architecture;  // "llama"
  std::string dtype;         // "f32": weights as computed with
  std::uint32_t context_length = 0;
  bool adds_bos = false;
};

// Not thread-safe; one caller at a time.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;
  virtual const ModelDescription& description() const = 0;
  // Results in request order. Non-finite logits are kCorrupt ("the model yields NaN"), never a
  // score.
  virtual Result<std::vector<LoglikelihoodResult>> loglikelihood(
      std::span<const LoglikelihoodRequest> requests, const ProgressSink& progress,
      std::stop_token stop) = 0;
};

}  // namespace crucible::engine
