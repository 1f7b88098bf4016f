#include "evaluator/engine/generation.hpp"

#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "byte_codec.hpp"
#include "gtest/gtest.h"

namespace crucible::engine {
namespace {

using tokenizer::ByteCodec;
using Tokens = std::vector<TokenId>;

// Decodes by a rule: the logits depend on all tokens of the sequence, so that a wrong or missing
// one shows. Checks positions and counts the cells in use.
class RuleDecoder final : public Decoder {
 public:
  Status decode(std::span<const BatchToken> tokens) override {
    steps.push_back(tokens.size());
    logits_.assign(tokens.size(), {});
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      Sequence& sequence = sequences_[tokens[i].first_sequence];
      EXPECT_EQ(static_cast<std::size_t>(tokens[i].position), sequence.tokens.size());
      sequence.tokens.push_back(tokens[i].token);
      sequence.cells.push_back(next_cell_++);
      if (tokens[i].wants_logits) logits_[i] = rule(sequence.tokens);
    }
    std::set<int> cells;
    for (const auto& [unused, sequence] : sequences_) {
      cells.insert(sequence.cells.begin(), sequence.cells.end());
    }
    most_cells = std::max(most_cells, cells.size());
    return {};
  }
  std::span<const float> logits(std::size_t index) const override { return logits_[index]; }
  void clear() override { sequences_.clear(); }
  void keep_only(std::int32_t) override { FAIL(); }
  void truncate(std::int32_t sequence, std::size_t length) override {
    sequences_[sequence].tokens.resize(length);
    sequences_[sequence].cells.resize(length);
  }
  void share(std::int32_t from, std::int32_t to, std::size_t length) override {
    EXPECT_TRUE(sequences_[to].tokens.empty());
    sequences_[to] = sequences_[from];
    truncate(to, length);
  }

  static std::vector<float> rule(const Tokens& tokens) {
    std::uint32_t hash = 17;
    for (const TokenId token : tokens) hash = hash * 31 + static_cast<std::uint32_t>(token);
    std::vector<float> logits(257);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      hash = hash * 1664525 + 1013904223;
      logits[i] = static_cast<float>(hash >> 24) / 40;
    }
    return logits;
  }

  std::vector<std::size_t> steps;
  std::size_t most_cells = 0;

 private:
  struct Sequence {
    Tokens tokens;
    std::vector<int> cells;
  };
  std::map<std::int32_t, Sequence> sequences_;
  std::vector<std::vector<float>> logits_;
  int next_cell_ = 0;
};

const ByteCodec kCodec;

Prompt prompt(std::string_view text, std::uint32_t most, std::vector<std::string> until = {},
              bool sample = false) {
  GenerationSettings settings;
  settings.max_new_tokens = most;
  settings.do_sample = sample;
  return {*kCodec.encode(text, false), settings, DrawStream(1, 0, text),
          std::make_shared<const StopStrings>(kCodec, std::move(until)), false};
}

// 40 prompts of different lengths behind 200 tokens that all share.
std::vector<Prompt> many(bool sample = false) {
  const std::string shots(200, 's');
  std::vector<Prompt> prompts;
  for (std::uint32_t i = 0; i < 40; ++i) {
    prompts.push_back(prompt(shots + std::to_string(i * i) + std::string(i % 7, '?'), 5 + i % 11,
                             {"a", "bc"}, sample));
  }
  return prompts;
}

struct Outcome {
  std::vector<GenerationResult> results;
  GenerationCounts counts;
  RuleDecoder decoder;
};

void run(std::span<const Prompt> prompts, const GenerationPlan& plan, Outcome& outcome) {
  const Tokens ends = {ByteCodec::kEos};
  auto results = generate_all(outcome.decoder, prompts, ends, plan, outcome.counts, [] {});
  ASSERT_TRUE(results) << describe(results.error());
  outcome.results = std::move(*results);
}

TEST(GenerateAll, SlotsAndMemoryChangeNoAnswer) {
  for (const bool sample : {false, true}) {
    const auto prompts = many(sample);
    Outcome alone;
    run(prompts, {1, 300, 300}, alone);
    for (const GenerationPlan& plan :
         {GenerationPlan{3, 1000, 16}, GenerationPlan{8, 1000, 8}, GenerationPlan{8, 240, 100},
          GenerationPlan{40, 2000, 256}}) {
      Outcome outcome;
      run(prompts, plan, outcome);
      ASSERT_EQ(outcome.results.size(), prompts.size());
      for (std::size_t i = 0; i < prompts.size(); ++i) {
        EXPECT_EQ(outcome.results[i].text, alone.results[i].text) << plan.slots << " slots, " << i;
        EXPECT_EQ(outcome.results[i].new_tokens, alone.results[i].new_tokens);
        EXPECT_EQ(outcome.results[i].stop, alone.results[i].stop);
      }
      EXPECT_LE(outcome.decoder.most_cells, plan.cells);
      for (const std::size_t step : outcome.decoder.steps) EXPECT_LE(step, plan.step_tokens);
    }
  }
}

TEST(GenerateAll, ACommonPrefixIsComputedOnce) {
  const auto prompts = many();
  std::size_t own = 0;
  for (const Prompt& one : prompts) own += one.tokens.size() - 200;
  for (const std::size_t slots : {1U, 4U, 16U}) {
    Outcome outcome;
    run(prompts, {slots, 2000, 64}, outcome);
    EXPECT_LE(outcome.counts.prompt_tokens, 200 + own) << slots;
  }
}

TEST(GenerateAll, EqualPromptsCostOneTokenEach) {
  const std::vector<Prompt> prompts(6, prompt("the very same", 4));
  Outcome outcome;
  run(prompts, {6, 200, 64}, outcome);
  EXPECT_EQ(outcome.counts.prompt_tokens, 13U + 5);
  for (const auto& result : outcome.results) EXPECT_EQ(result.text, outcome.results[0].text);
}

TEST(GenerateAll, AnswersSoOftenAsAskedAndCountsThem) {
  const std::vector<Prompt> prompts = {prompt("x", 7), prompt("y", 0), prompt("z", 1)};
  Outcome outcome;
  run(prompts, {2, 20, 64}, outcome);
  EXPECT_EQ(outcome.results[1].text, "");
  EXPECT_EQ(outcome.results[1].stop, StopReason::kLength);
  EXPECT_EQ(outcome.results[2].new_tokens, 1U);
  std::uint64_t sum = 0;
  for (const auto& result : outcome.results) sum += result.new_tokens;
  EXPECT_EQ(outcome.counts.new_tokens, sum);
}

TEST(GenerateAll, StopStringsEndAnswers) {
  Outcome open;
  const std::vector<Prompt> endless = {prompt("tell", 60)};
  run(endless, {1, 100, 64}, open);
  const std::string text = open.results[0].text;
  const auto visible = text.find_first_not_of("\xEF\xBF\xBD", 3);
  ASSERT_NE(visible, std::string::npos);
  const std::string stop = text.substr(visible, 1);
  Outcome cut;
  const std::vector<Prompt> ending = {prompt("tell", 60, {stop})};
  run(ending, {1, 100, 64}, cut);
  EXPECT_EQ(cut.results[0].stop, StopReason::kStopString);
  EXPECT_EQ(cut.results[0].text, text.substr(0, text.find(stop)));
  EXPECT_LT(cut.results[0].new_tokens, 60U);
}

TEST(PlanGeneration, HoldsTheLongestAndNotMoreThanIsNeeded) {
  const auto prompts = many();
  const GenerationPlan plan = plan_generation(prompts, {2'000'000'000, 24576, 65536});
  EXPECT_GT(plan.slots, 8U);
  EXPECT_GE(plan.cells, 200U + 3 + 15);
  EXPECT_LT(plan.cells, 200U + plan.slots * 30);
  const std::vector<Prompt> one = {prompt("abc", 5)};
  const GenerationPlan single = plan_generation(one, {1, 1, 1});
  EXPECT_EQ(single.slots, 1U);
  EXPECT_EQ(single.cells, 8U);
}

}  // namespace
}  // namespace crucible::engine
