#include "evaluator/engine/likelihood.hpp"

#include <algorithm>
#include <string>

#include "evaluator/engine/log_softmax.hpp"

namespace crucible::engine {
namespace {

// Leaves in memory what the batch keeps of the one before, as the beginning of its sequences.
void prepare_memory(Decoder& decoder, const Batch& batch) {
  if (batch.kept.front() == 0) {
    decoder.clear();
    return;
  }
  const std::int32_t source = batch.kept_sequence;
  decoder.keep_only(source);
  for (std::int32_t sequence = 0; sequence < batch.sequences(); ++sequence) {
    const std::size_t kept = batch.kept[static_cast<std::size_t>(sequence)];
    if (sequence != source && kept > 0) decoder.share(source, sequence, kept);
  }
  decoder.truncate(source,
                   source < batch.sequences() ? batch.kept[static_cast<std::size_t>(source)] : 0);
}

// A target with whose it is.
struct Wanted {
  std::size_t index = 0;
  TokenId target = 0;
  std::size_t request = 0;
};

// By token; those of one request stay in the order of its continuation, along its path.
std::vector<Wanted> wanted_of(const Batch& batch) {
  std::vector<Wanted> wanted;
  for (const BatchRequest& request : batch.requests) {
    for (const ScoredToken& token : request.scored) {
      wanted.push_back({token.index, token.target, request.request});
    }
  }
  std::stable_sort(wanted.begin(), wanted.end(),
                   [](const Wanted& a, const Wanted& b) { return a.index < b.index; });
  return wanted;
}

// Tokens of the next step.
std::size_t step_length(std::span<const BatchToken> tokens, const Capacity& step) {
  std::size_t outputs = 0;
  std::size_t length = 0;
  while (length < tokens.size() && length < step.tokens) {
    outputs += tokens[length].wants_logits ? 1 : 0;
    if (outputs > step.outputs) break;
    ++length;
  }
  return length;
}

class PlanScorer {
 public:
  PlanScorer(Decoder& decoder, const Capacity& step, std::size_t requests, const TargetSink& each)
      : decoder_(decoder), step_(step), each_(each), scores_(requests) {}

  Status compute(const Batch& batch) {
    prepare_memory(decoder_, batch);
    const std::vector<Wanted> wanted = wanted_of(batch);
    std::span<const Wanted> left = wanted;
    for (std::size_t begin = 0; begin < batch.tokens.size();) {
      const auto rest = std::span(batch.tokens).subspan(begin);
      const auto step = rest.first(step_length(rest, step_));
      if (auto decoded = decoder_.decode(step); !decoded) return decoded;
      if (auto read = read_step(left, begin, begin + step.size()); !read) return read;
      begin += step.size();
    }
    return {};
  }

  std::vector<TargetScore> take() { return std::move(scores_); }

 private:
  // Consumes what the tokens [begin, end) of the batch were wanted for.
  Status read_step(std::span<const Wanted>& left, std::size_t begin, std::size_t end) {
    while (!left.empty() && left.front().index < end) {
      const std::size_t index = left.front().index;
      const std::span<const float> logits = decoder_.logits(index - begin);
      const auto summary = summarize(logits);
      if (!summary) {
        return fail(ErrorCode::kCorrupt, "the model yields NaN or infinite logits (request " +
                                             std::to_string(left.front().request) + ")");
      }
      for (; !left.empty() && left.front().index == index; left = left.subspan(1)) {
        const Wanted& one = left.front();
        TargetScore& score = scores_[one.request];
        score.sum_logprob += summary->logprob(logits[static_cast<std::size_t>(one.target)]);
        score.is_greedy = score.is_greedy && summary->argmax == one.target;
        if (each_) each_(one.request, logits, *summary);
      }
    }
    return {};
  }

  Decoder& decoder_;
  const Capacity& step_;
  const TargetSink& each_;
  std::vector<TargetScore> scores_;
};

}  // namespace

Result<std::vector<TargetScore>> score_plan(Decoder& decoder, BatchPlanner& planner,
                                            std::size_t requests, const Capacity& step,
                                            std::uint64_t& computed,
                                            const std::function<void(std::size_t)>& done,
                                            const TargetSink& each) {
  PlanScorer scorer(decoder, step, requests, each);
  while (const auto batch = planner.next()) {
    if (auto scored = scorer.compute(*batch); !scored) return fail(std::move(scored.error()));
    computed += batch->tokens.size();
    for (const BatchRequest& request : batch->requests) done(request.request);
  }
  return scorer.take();
}

}  // namespace crucible::engine
