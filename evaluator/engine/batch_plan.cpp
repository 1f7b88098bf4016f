#include "evaluator/engine/batch_plan.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace crucible::engine {
namespace {

std::size_t common_prefix(const std::vector<TokenId>& a, const std::vector<TokenId>& b) {
  const auto [end, unused] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(end - a.begin());
}

}  // namespace

// Builds one batch entry by entry, depth first.
class BatchPlanner::Builder {
 public:
  Builder(const BatchPlanner& planner, std::size_t kept) : planner_(planner), kept_(kept) {}

  // `is_leaf` is false when the next entry's input begins with this one.
  void add(const Entry& entry, std::size_t shared, bool is_leaf) {
    if (shared < kept_) kept_ = shared;
    path_.resize(shared - kept_);
    for (std::size_t i = shared; i < entry.input->size(); ++i) {
      path_.push_back(batch_.tokens.size());
      batch_.tokens.push_back(
          {(*entry.input)[i], static_cast<std::int32_t>(i), batch_.sequences(), 1, false});
    }
    for (std::size_t i = 0; i < entry.requests; ++i) {
      add_request(planner_.order_[entry.first_request + i]);
    }
    if (!is_leaf) return;
    for (const std::size_t index : path_) {
      BatchToken& token = batch_.tokens[index];
      token.sequences = batch_.sequences() - token.first_sequence + 1;
    }
    batch_.kept.push_back(kept_);
  }

  Batch take() { return std::move(batch_); }

 private:
  void add_request(std::size_t index) {
    const EncodedRequest& request = planner_.requests_[index];
    BatchRequest scored{index, {}};
    scored.scored.reserve(request.targets.size());
    for (std::size_t i = 0; i < request.targets.size(); ++i) {
      const std::size_t node = path_[request.first_scored() + i - kept_];
      batch_.tokens[node].wants_logits = true;
      scored.scored.push_back({node, request.targets[i]});
    }
    batch_.requests.push_back(std::move(scored));
  }

  const BatchPlanner& planner_;
  std::size_t kept_;  // of the current input
  Batch batch_;
  std::vector<std::size_t> path_;  // token indices of the current input, from position kept_
};

BatchPlanner::BatchPlanner(std::span<const EncodedRequest> requests, const PlanLimits& limits,
                           bool share)
    : requests_(requests), limits_(limits), share_(share), order_(requests.size()) {
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  if (share) {
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      return requests[a].input < requests[b].input;
    });
  }
  add_entries(share);
}

void BatchPlanner::add_entries(bool share) {
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const EncodedRequest& request = requests_[order_[i]];
    const std::size_t shared =
        share && i > 0 ? common_prefix(*entries_.back().input, request.input) : 0;
    if (shared < request.input.size() || shared < entries_.back().input->size()) {
      entries_.push_back({&request.input, i, 0, request.first_scored(), 0, shared});
    }
    Entry& entry = entries_.back();
    ++entry.requests;
    entry.first_scored = std::min(entry.first_scored, request.first_scored());
    entry.scored += request.targets.size();
  }
}

BatchPlanner::Run BatchPlanner::next_run() const {
  const Entry& first = entries_[position_];
  Run run{1, std::min(first.shared, first.first_scored)};
  if (!share_) return run;
  std::size_t tokens = first.input->size() - run.kept;
  std::size_t outputs = first.scored;
  std::size_t kept = run.kept;
  const std::size_t budget = std::max(limits_.tokens, tokens + limits_.tokens / 2);
  while (position_ + run.entries < entries_.size() && run.entries < limits_.sequences) {
    const Entry& entry = entries_[position_ + run.entries];
    kept = std::min(kept, entry.shared);
    tokens += entry.input->size() - entry.shared;
    outputs += entry.scored;
    // One that scores what the batch keeps has to compute it: in a batch of its own.
    if (tokens > budget || outputs > limits_.outputs || entry.first_scored < kept) break;
    ++run.entries;
  }
  return run;
}

std::optional<Batch> BatchPlanner::next() {
  if (position_ == entries_.size()) return std::nullopt;
  const Run run = next_run();
  Builder builder(*this, run.kept);
  for (std::size_t i = 0; i < run.entries; ++i) {
    const Entry& entry = entries_[position_ + i];
    const bool is_leaf =
        i + 1 == run.entries || entries_[position_ + i + 1].shared < entry.input->size();
    builder.add(entry, i == 0 ? run.kept : entry.shared, is_leaf);
  }
  Batch batch = builder.take();
  batch.kept_sequence = last_sequence_;
  last_sequence_ = batch.sequences() - 1;
  position_ += run.entries;
  return batch;
}

void BatchPlanner::rewind() {
  position_ = 0;
  last_sequence_ = 0;
}

Capacity capacity_of(BatchPlanner& planner, std::size_t step, std::size_t outputs) {
  Capacity need;
  planner.rewind();
  while (const auto batch = planner.next()) {
    const auto wanted = static_cast<std::size_t>(
        std::count_if(batch->tokens.begin(), batch->tokens.end(),
                      [](const BatchToken& token) { return token.wants_logits; }));
    need.cells = std::max(need.cells, batch->kept.front() + batch->tokens.size());
    need.tokens = std::max(need.tokens, std::min(step, batch->tokens.size()));
    need.outputs = std::max(need.outputs, std::min(outputs, wanted));
    need.sequences = std::max(need.sequences, batch->kept.size());
  }
  planner.rewind();
  return need;
}

std::vector<Batch> plan_batches(std::span<const EncodedRequest> requests, const PlanLimits& limits,
                                bool share) {
  BatchPlanner planner(requests, limits, share);
  std::vector<Batch> batches;
  while (auto batch = planner.next()) batches.push_back(std::move(*batch));
  return batches;
}

}  // namespace crucible::engine
