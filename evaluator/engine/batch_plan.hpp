#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "evaluator/engine/decoder.hpp"
#include "evaluator/engine/request_encoding.hpp"

// Which tokens are computed when. The inputs of all requests form a tree; in sorted order each
// batch is a run of neighbouring inputs in which every shared prefix stands once, and the prefix
// that an input shares with the end of the batch before is kept, not computed again. Depends on the
// requests only.
namespace crucible::engine {

struct PlanLimits {
  std::size_t tokens = 256;     // new tokens a batch; more only for an input that alone is longer
  std::size_t sequences = 256;  // inputs a batch
  std::size_t outputs = 512;    // scored positions a batch; more only for a single input
};

// The logits at tokens[index] predict `target`.
struct ScoredToken {
  std::size_t index = 0;
  TokenId target = 0;
};

struct BatchRequest {
  std::size_t request = 0;
  std::vector<ScoredToken> scored;  // in order of the continuation
};

struct Batch {
  // Sequence i begins with the first kept[i] tokens of sequence `kept_sequence` of the batch
  // before; they never grow with i.
  std::vector<std::size_t> kept;
  std::int32_t kept_sequence = 0;
  std::vector<BatchToken> tokens;
  std::vector<BatchRequest> requests;

  std::int32_t sequences() const { return static_cast<std::int32_t>(kept.size()); }
};

// Hands out the batches one by one: a plan of many requests need not be held. The requests must
// outlive it.
class BatchPlanner {
 public:
  // No positions are shared when `share` is false (one request a batch): what sharing is measured
  // against.
  BatchPlanner(std::span<const EncodedRequest> requests, const PlanLimits& limits,
               bool share = true);

  std::optional<Batch> next();  // nullopt: every request has stood in exactly one batch
  void rewind();

 private:
  // One distinct input and the requests that have it.
  struct Entry {
    const std::vector<TokenId>* input = nullptr;
    std::size_t first_request = 0;  // in order_
    std::size_t requests = 0;
    std::size_t first_scored = 0;  // the smallest of them
    std::size_t scored = 0;        // targets of all of them
    std::size_t shared = 0;        // tokens in common with the entry before
  };
  struct Run {
    std::size_t entries = 0;
    std::size_t kept = 0;  // of its first input
  };
  class Builder;

  void add_entries(bool share);
  Run next_run() const;

  std::span<const EncodedRequest> requests_;
  PlanLimits limits_;
  bool share_;
  std::vector<std::size_t> order_;
  std::vector<Entry> entries_;
  std::size_t position_ = 0;        // entries handed out
  std::int32_t last_sequence_ = 0;  // of the batch before
};

// The most that any batch needs; a batch is computed in steps of at most `step` tokens and
// `outputs` outputs.
Capacity capacity_of(BatchPlanner& planner, std::size_t step, std::size_t outputs);

// All at once.
std::vector<Batch> plan_batches(std::span<const EncodedRequest> requests, const PlanLimits& limits,
                                bool share = true);

}  // namespace crucible::engine
