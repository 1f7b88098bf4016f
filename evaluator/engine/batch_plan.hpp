#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "evaluator/engine/request_encoding.hpp"

// Which tokens are computed when. The inputs of all requests form a tree; in sorted order each
// batch is a run of neighbouring inputs in which every shared prefix stands once, and the prefix
// that a batch shares with the end of the one before is kept, not computed again. Depends on the
// requests only.
namespace crucible::engine {

struct PlanLimits {
  std::size_t tokens = 256;     // new tokens a batch; more only for an input that alone is longer
  std::size_t sequences = 256;  // inputs a batch
  std::size_t outputs = 512;    // scored positions a batch; more only for a single input
};

// One token of a batch. It belongs to the sequences [first_sequence, first_sequence + sequences).
struct BatchToken {
  TokenId token = 0;
  std::int32_t position = 0;
  std::int32_t first_sequence = 0;
  std::int32_t sequences = 1;
  bool wants_logits = false;
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
  // The first `kept` positions of all sequences are those of sequence `kept_sequence` of the batch
  // before; 0 = start from nothing.
  std::size_t kept = 0;
  std::int32_t kept_sequence = 0;
  std::int32_t sequences = 0;
  std::vector<BatchToken> tokens;
  std::vector<BatchRequest> requests;
};

// Every request stands in exactly one batch. No positions are shared when `share` is false (one
// request a batch): what sharing is measured against.
std::vector<Batch> plan_batches(std::span<const EncodedRequest> requests, const PlanLimits& limits,
                                bool share = true);

}  // namespace crucible::engine
