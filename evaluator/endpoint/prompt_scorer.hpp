#pragma once

#include <span>
#include <string>
#include <vector>

#include "evaluator/endpoint/endpoint_client.hpp"
#include "evaluator/engine/request_encoding.hpp"

namespace crucible::endpoint {

struct TargetScore {
  double sum_logprob = 0;
  bool is_greedy = true;
};

// Log-probabilities of prompts by completions with echo.
class PromptScorer {
 public:
  PromptScorer(EndpointClient& client, std::string model_name, unsigned batch_size)
      : client_(client), model_name_(std::move(model_name)), batch_size_(batch_size) {}

  // Token-id prompts: the log-probabilities of the last targets.size() tokens, counted in tokens.
  // Equal prompts are asked once.
  Result<std::vector<TargetScore>> score(std::span<const engine::EncodedRequest> requests,
                                         const engine::Call& call);

  // Text prompts, for a server whose tokens are not known: context and continuation are asked as
  // one text, the context alone too, and the continuation's tokens are those behind the context's
  // own: the same rule as with a tokenizer. Whitespace at the end of a context belongs to the
  // continuation. kUnsupported, with the request's number: an empty context, or a continuation of
  // which no token is left.
  Result<std::vector<engine::LoglikelihoodResult>> score_text(
      std::span<const engine::LoglikelihoodRequest> requests, const engine::Call& call);

 private:
  Query echo_query(Json prompt, std::uint64_t tokens, std::size_t prompts) const;

  EndpointClient& client_;
  std::string model_name_;
  unsigned batch_size_;
};

}  // namespace crucible::endpoint
