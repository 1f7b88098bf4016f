#include "evaluator/engine/batch_plan.hpp"

#include <map>
#include <random>
#include <utility>

#include "gtest/gtest.h"

namespace crucible::engine {
namespace {

using Tokens = std::vector<TokenId>;

EncodedRequest request(Tokens context, Tokens continuation) {
  EncodedRequest result;
  result.input = std::move(context);
  result.input.insert(result.input.end(), continuation.begin(), continuation.end());
  result.input.pop_back();
  result.targets = std::move(continuation);
  return result;
}

std::size_t computed_tokens(const std::vector<Batch>& batches) {
  std::size_t count = 0;
  for (const Batch& batch : batches) count += batch.tokens.size();
  return count;
}

// What an engine would hold in memory: replays a plan and checks that every scored token stands
// behind exactly the tokens of its request's input.
class Replay {
 public:
  explicit Replay(const std::vector<EncodedRequest>& requests) : requests_(requests) {}

  void run(const std::vector<Batch>& batches) {
    for (const Batch& batch : batches) {
      carry(batch);
      decode(batch);
      for (const BatchRequest& scored : batch.requests) check(batch, scored);
    }
    for (std::size_t i = 0; i < requests_.size(); ++i) EXPECT_EQ(seen_[i], 1) << "request " << i;
  }

 private:
  void carry(const Batch& batch) {
    std::map<std::int32_t, Tokens> carried;
    for (std::int32_t i = 0; i < batch.sequences(); ++i) {
      const std::size_t kept = batch.kept[static_cast<std::size_t>(i)];
      ASSERT_LE(kept, batch.kept.front());
      if (kept == 0) continue;
      ASSERT_TRUE(memory_.contains(batch.kept_sequence));
      carried[i] = memory_[batch.kept_sequence];
      ASSERT_LE(kept, carried[i].size());
      carried[i].resize(kept);
    }
    memory_ = std::move(carried);
    for (std::int32_t i = 0; i < batch.sequences(); ++i) memory_[i];
  }
  void decode(const Batch& batch) {
    for (const BatchToken& token : batch.tokens) {
      ASSERT_GE(token.first_sequence, 0);
      ASSERT_LE(token.first_sequence + token.sequences, batch.sequences());
      for (std::int32_t i = 0; i < token.sequences; ++i) {
        Tokens& sequence = memory_[token.first_sequence + i];
        ASSERT_EQ(static_cast<std::size_t>(token.position), sequence.size()) << "a gap";
        sequence.push_back(token.token);
      }
    }
  }
  void check(const Batch& batch, const BatchRequest& scored) {
    ++seen_[scored.request];
    const EncodedRequest& request = requests_[scored.request];
    ASSERT_EQ(scored.scored.size(), request.targets.size());
    for (std::size_t i = 0; i < scored.scored.size(); ++i) {
      EXPECT_EQ(scored.scored[i].target, request.targets[i]);
      const BatchToken& token = batch.tokens[scored.scored[i].index];
      EXPECT_TRUE(token.wants_logits);
      const std::size_t position = request.first_scored() + i;
      ASSERT_EQ(static_cast<std::size_t>(token.position), position);
      const Tokens& sequence = memory_[token.first_sequence];
      EXPECT_TRUE(std::equal(sequence.begin(),
                             sequence.begin() + static_cast<std::ptrdiff_t>(position) + 1,
                             request.input.begin()));
    }
  }

  const std::vector<EncodedRequest>& requests_;
  std::map<std::int32_t, Tokens> memory_;
  std::map<std::size_t, int> seen_;
};

TEST(PlanBatches, ContinuationsOfOneContextShareIt) {
  const std::vector<EncodedRequest> requests = {
      request({1, 2, 3}, {4, 5}), request({1, 2, 3}, {6, 7}), request({1, 2, 3}, {6, 8})};
  const auto batches = plan_batches(requests, {});
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].tokens.size(), 5U);  // 1 2 3, 4, 6
  EXPECT_EQ(batches[0].sequences(), 2);     // the last two differ in their last token only
  Replay(requests).run(batches);
}

TEST(PlanBatches, OneTokenContinuationsCostNothingExtra) {
  const std::vector<EncodedRequest> requests = {request({1, 2}, {3}), request({1, 2}, {4}),
                                                request({1, 2}, {5}), request({1, 2}, {6})};
  const auto batches = plan_batches(requests, {});
  EXPECT_EQ(computed_tokens(batches), 2U);
  Replay(requests).run(batches);
}

TEST(PlanBatches, AnInputThatBeginsAnotherNeedsNoSequence) {
  const std::vector<EncodedRequest> requests = {request({1}, {2, 3, 4}), request({1}, {2}),
                                                request({1, 2}, {3})};
  const auto batches = plan_batches(requests, {});
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].sequences(), 1);
  EXPECT_EQ(computed_tokens(batches), 3U);
  Replay(requests).run(batches);
}

TEST(PlanBatches, ALongPrefixIsComputedOnceAcrossBatches) {
  Tokens shots(100);
  for (std::size_t i = 0; i < shots.size(); ++i) shots[i] = static_cast<TokenId>(i);
  std::vector<EncodedRequest> requests;
  for (TokenId item = 0; item < 50; ++item) {
    Tokens context = shots;
    context.insert(context.end(), {500 + item, 600, 601});
    requests.push_back(request(context, {1, 2}));
    requests.push_back(request(context, {3, 4}));
  }
  const auto batches = plan_batches(requests, {.tokens = 40, .sequences = 256, .outputs = 512});
  EXPECT_GT(batches.size(), 3U);
  // Where a batch's end cuts an item in two, its last context token is computed for both options.
  EXPECT_GE(computed_tokens(batches), 100U + 50 * 5);
  EXPECT_LE(computed_tokens(batches), 100U + 50 * 5 + (batches.size() - 1));
  Replay(requests).run(batches);
}

TEST(PlanBatches, SiblingsOfALongInputStayWithIt) {
  const Tokens passage(300, 7);
  std::vector<EncodedRequest> requests;
  for (TokenId choice = 0; choice < 4; ++choice) {
    requests.push_back(request(passage, {choice, choice, choice}));
  }
  const auto batches = plan_batches(requests, {.tokens = 64, .sequences = 256, .outputs = 512});
  EXPECT_EQ(batches.size(), 1U);
  Replay(requests).run(batches);
}

TEST(PlanBatches, LimitsHold) {
  std::vector<EncodedRequest> requests;
  for (TokenId i = 0; i < 100; ++i) requests.push_back(request({i, 1, 2}, {3, 4}));
  const PlanLimits limits{.tokens = 512, .sequences = 8, .outputs = 10};
  const auto batches = plan_batches(requests, limits);
  for (const Batch& batch : batches) {
    EXPECT_LE(batch.sequences(), 8);
    EXPECT_LE(batch.requests.size() * 2, 10U);
  }
  Replay(requests).run(batches);
}

TEST(PlanBatches, OrderOfRequestsDoesNotMatter) {
  std::vector<EncodedRequest> requests;
  for (TokenId i = 0; i < 40; ++i) requests.push_back(request({i % 7, i % 3, i}, {i, i % 5}));
  const auto forward = plan_batches(requests, {.tokens = 30, .sequences = 9, .outputs = 50});
  std::vector<EncodedRequest> reversed(requests.rbegin(), requests.rend());
  const auto backward = plan_batches(reversed, {.tokens = 30, .sequences = 9, .outputs = 50});
  ASSERT_EQ(forward.size(), backward.size());
  for (std::size_t i = 0; i < forward.size(); ++i) {
    ASSERT_EQ(forward[i].tokens.size(), backward[i].tokens.size());
    EXPECT_EQ(forward[i].kept, backward[i].kept);
    for (std::size_t k = 0; k < forward[i].tokens.size(); ++k) {
      EXPECT_EQ(forward[i].tokens[k].token, backward[i].tokens[k].token);
    }
  }
}

TEST(PlanBatches, RandomTreesReplayWhateverTheLimits) {
  std::mt19937 random(5);
  const auto below = [&](unsigned limit) { return static_cast<std::size_t>(random() % limit); };
  for (int round = 0; round < 300; ++round) {
    std::vector<EncodedRequest> requests;
    const std::size_t count = 1 + below(40);
    for (std::size_t i = 0; i < count; ++i) {
      Tokens context(1 + below(12));
      Tokens continuation(1 + below(5));
      for (TokenId& token : context) token = static_cast<TokenId>(below(2));
      for (TokenId& token : continuation) token = static_cast<TokenId>(below(3));
      requests.push_back(request(context, continuation));
    }
    const PlanLimits limits{1 + below(30), 1 + below(10), 1 + below(30)};
    const auto shared = plan_batches(requests, limits);
    Replay(requests).run(shared);
    const auto alone = plan_batches(requests, limits, false);
    Replay(requests).run(alone);
    EXPECT_EQ(alone.size(), requests.size());
    EXPECT_LE(computed_tokens(shared), computed_tokens(alone));
  }
}

}  // namespace
}  // namespace crucible::engine
