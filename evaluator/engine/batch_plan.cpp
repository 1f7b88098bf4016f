#include "evaluator/engine/batch_plan.hpp"

#include <algorithm>
#include <numeric>

namespace crucible::engine {
namespace {

using Tokens = std::vector<TokenId>;

// One distinct input and the requests that have it.
struct Entry {
  const Tokens* input = nullptr;
  std::vector<std::size_t> requests;
  std::size_t first_scored = 0;  // the smallest of them
  std::size_t scored = 0;        // targets of all of them
};

std::size_t common_prefix(const Tokens& a, const Tokens& b) {
  const auto [end, unused] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(end - a.begin());
}

std::vector<Entry> sorted_entries(std::span<const EncodedRequest> requests) {
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return requests[a].input < requests[b].input;
  });
  std::vector<Entry> entries;
  for (const std::size_t index : order) {
    const EncodedRequest& request = requests[index];
    if (entries.empty() || *entries.back().input != request.input) {
      entries.push_back({&request.input, {}, request.first_scored(), 0});
    }
    Entry& entry = entries.back();
    entry.requests.push_back(index);
    entry.first_scored = std::min(entry.first_scored, request.first_scored());
    entry.scored += request.targets.size();
  }
  return entries;
}

// How many of the next entries fit one batch, and what they keep of the batch before.
struct Run {
  std::size_t entries = 0;
  std::size_t kept = 0;
};

Run next_run(std::span<const Entry> entries, const Tokens* before, const PlanLimits& limits) {
  Run run;
  const Entry& first = entries.front();
  run.entries = 1;
  if (before != nullptr) {
    run.kept = std::min(common_prefix(*before, *first.input), first.first_scored);
  }
  std::size_t nodes = first.input->size();  // of the tree, kept ones included
  std::size_t outputs = first.scored;
  const std::size_t budget =
      std::max(limits.tokens, first.input->size() - run.kept + limits.tokens / 2);
  while (run.entries < entries.size() && run.entries < limits.sequences) {
    const Entry& entry = entries[run.entries];
    const std::size_t shared = common_prefix(*entries[run.entries - 1].input, *entry.input);
    const std::size_t kept = std::min({run.kept, shared, entry.first_scored});
    nodes += entry.input->size() - shared;
    outputs += entry.scored;
    if (nodes - kept > budget || outputs > limits.outputs) break;
    run.kept = kept;
    ++run.entries;
  }
  return run;
}

// Builds one batch entry by entry, depth first.
class BatchBuilder {
 public:
  explicit BatchBuilder(std::span<const EncodedRequest> requests, std::size_t kept)
      : requests_(requests) {
    batch_.kept = kept;
  }

  // `is_leaf` is false when the next entry's input begins with this one.
  void add(const Entry& entry, std::size_t shared, bool is_leaf) {
    path_.resize(shared - batch_.kept);
    for (std::size_t i = shared; i < entry.input->size(); ++i) {
      path_.push_back(batch_.tokens.size());
      batch_.tokens.push_back(
          {(*entry.input)[i], static_cast<std::int32_t>(i), batch_.sequences, 1, false});
    }
    for (const std::size_t request : entry.requests) add_request(request);
    if (!is_leaf) return;
    for (const std::size_t index : path_) {
      BatchToken& token = batch_.tokens[index];
      token.sequences = batch_.sequences - token.first_sequence + 1;
    }
    ++batch_.sequences;
  }

  Batch take() { return std::move(batch_); }

 private:
  void add_request(std::size_t index) {
    const EncodedRequest& request = requests_[index];
    BatchRequest scored{index, {}};
    for (std::size_t i = 0; i < request.targets.size(); ++i) {
      const std::size_t node = path_[request.first_scored() + i - batch_.kept];
      batch_.tokens[node].wants_logits = true;
      scored.scored.push_back({node, request.targets[i]});
    }
    batch_.requests.push_back(std::move(scored));
  }

  std::span<const EncodedRequest> requests_;
  Batch batch_;
  std::vector<std::size_t> path_;  // token indices of the current input, from position `kept`
};

Batch build_batch(std::span<const Entry> entries, std::size_t kept,
                  std::span<const EncodedRequest> requests) {
  BatchBuilder builder(requests, kept);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::size_t shared =
        i == 0 ? kept : common_prefix(*entries[i - 1].input, *entries[i].input);
    const bool is_leaf =
        i + 1 == entries.size() ||
        common_prefix(*entries[i].input, *entries[i + 1].input) < entries[i].input->size();
    builder.add(entries[i], shared, is_leaf);
  }
  return builder.take();
}

std::vector<Batch> one_by_one(std::span<const EncodedRequest> requests) {
  std::vector<Batch> batches;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Entry entry{&requests[i].input, {i}, requests[i].first_scored(), 0};
    batches.push_back(build_batch(std::span(&entry, 1), 0, requests));
  }
  return batches;
}

}  // namespace

std::vector<Batch> plan_batches(std::span<const EncodedRequest> requests, const PlanLimits& limits,
                                bool share) {
  if (!share) return one_by_one(requests);
  const std::vector<Entry> entries = sorted_entries(requests);
  std::vector<Batch> batches;
  std::span<const Entry> rest = entries;
  const Tokens* before = nullptr;
  while (!rest.empty()) {
    const Run run = next_run(rest, before, limits);
    Batch batch = build_batch(rest.first(run.entries), run.kept, requests);
    if (run.kept > 0) batch.kept_sequence = batches.back().sequences - 1;
    before = rest[run.entries - 1].input;
    rest = rest.subspan(run.entries);
    batches.push_back(std::move(batch));
  }
  return batches;
}

}  // namespace crucible::engine
