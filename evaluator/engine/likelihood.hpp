#pragma once

#include <functional>
#include <span>
#include <vector>

#include "evaluator/engine/batch_plan.hpp"
#include "evaluator/engine/decoder.hpp"
#include "evaluator/engine/log_softmax.hpp"

// Log-probabilities of the targets of encoded requests.
namespace crucible::engine {

struct TargetScore {
  double sum_logprob = 0;
  bool is_greedy = true;  // every target was the argmax
};

// Sees the logits that predict each target of a request, in the order of its targets.
using TargetSink = std::function<void(std::size_t request, std::span<const float> logits,
                                      const LogitSummary& summary)>;

// Computes a plan in steps of at most `step.tokens` tokens and `step.outputs` outputs, on a decoder
// whose memory is empty. `computed` counts tokens, `done` is called with the number of every
// request as it is scored. kCorrupt: the model yields NaN or infinite logits.
Result<std::vector<TargetScore>> score_plan(Decoder& decoder, BatchPlanner& planner,
                                            std::size_t requests, const Capacity& step,
                                            std::uint64_t& computed,
                                            const std::function<void(std::size_t)>& done,
                                            const TargetSink& each = nullptr);

}  // namespace crucible::engine
