#include "evaluator/engine/hidden_states.hpp"

#include <cmath>
#include <filesystem>
#include <numeric>

#include "gtest/gtest.h"
#include "tests/support/checkpoint_copy.hpp"

namespace crucible::engine {
namespace {

namespace fs = std::filesystem;
using moe::LayerStates;
using moe::StatePosition;
using moe::TokenIds;

constexpr std::size_t kHidden = 32;
const TokenIds kText = {302, 222, 321, 269, 76, 285,
                        324, 79,  222, 308, 89};  // "The quick brown fox"

fs::path golden(const char* name) {
  return fs::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate" / "goldens" / name;
}

std::unique_ptr<moe::PromptModel> open(const fs::path& folder) {
  auto model = open_prompt_model(folder, {});
  EXPECT_TRUE(model) << describe(model.error());
  return model ? std::move(*model) : nullptr;
}

LayerStates states(moe::PromptModel& model, const TokenIds& ids, StatePosition position) {
  auto found = model.layer_inputs(std::span(&ids, 1), position, {}, {});
  EXPECT_TRUE(found) << describe(found.error());
  return found ? found->front() : LayerStates(2 * kHidden);
}

// What transformers 5.24 gives in float32: hidden_states[layer][0, -1, :4], and the sum over
// positions of hidden_states[layer][0, :, 0].
struct Expected {
  const char* model;
  float last[2][4];
  float sum[2];
};
constexpr Expected kExpected[] = {
    {"llama-biases-linear-rope",
     {{0.4808954F, 1.277696F, 1.019442F, 1.793414F},
      {-0.9887014F, 6.1726F, 2.025134F, -0.4464927F}},
     {3.012376F, 44.2575F}},
    {"llama-llama3-rope",
     {{0.5820312F, -0.53125F, 0.2177734F, 0.05053711F},
      {1.766485F, 6.522981F, 4.370844F, -3.202457F}},
     {0.8337402F, -3.2642F}},
    {"mistral",
     {{-0.7211914F, -0.1849365F, 0.1702881F, 0.4763184F},
      {5.937183F, 5.370429F, -4.029707F, -3.45979F}},
     {0.1628418F, -8.233189F}},
    {"qwen2-tied",
     {{0.3339844F, -0.40625F, 0.859375F, -1.710938F},
      {3.008496F, -0.2114686F, -0.5108738F, 0.9600475F}},
     {0.5795898F, 24.2898F}},
};

TEST(HiddenStates, AreThoseOfTransformers) {
  for (const Expected& expected : kExpected) {
    const auto model = open(golden(expected.model));
    ASSERT_NE(model, nullptr);
    const LayerStates last = states(*model, kText, StatePosition::kLast);
    const LayerStates sum = states(*model, kText, StatePosition::kSum);
    ASSERT_EQ(last.size(), 2 * kHidden);
    for (std::size_t layer = 0; layer < 2; ++layer) {
      for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_NEAR(last[layer * kHidden + i], expected.last[layer][i], 3e-5)
            << expected.model << " layer " << layer << " element " << i;
      }
      EXPECT_NEAR(sum[layer * kHidden], expected.sum[layer], 1e-4) << expected.model;
    }
  }
}

TEST(HiddenStates, TheSumGrowsByTheLastPosition) {
  const auto model = open(golden("llama-llama3-rope"));
  const TokenIds shorter(kText.begin(), kText.end() - 1);
  const LayerStates whole = states(*model, kText, StatePosition::kSum);
  const LayerStates part = states(*model, shorter, StatePosition::kSum);
  const LayerStates last = states(*model, kText, StatePosition::kLast);
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(whole[i] - part[i], last[i], 1e-4);
}

TEST(HiddenStates, OnePromptDoesNotChangeTheNext) {
  const auto model = open(golden("qwen2-tied"));
  const std::vector<TokenIds> prompts = {{5, 6, 7}, kText, {5, 6, 7}};
  const auto found = model->layer_inputs(prompts, StatePosition::kLast, {}, {});
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)[0], (*found)[2]);
  EXPECT_NE((*found)[0], (*found)[1]);
}

TEST(HiddenStates, PromptsBeginWithTheTokenizersBos) {
  const std::string text = "The quick brown fox";
  const auto with = open(golden("mistral"))->encode(std::span(&text, 1));
  ASSERT_TRUE(with);
  TokenIds expected = {0};
  expected.insert(expected.end(), kText.begin(), kText.end());
  EXPECT_EQ(with->front(), expected);

  // config.json's bos_token_id does not count.
  test::CheckpointCopy copy(golden("mistral"));
  fs::remove(copy.path() / "tokenizer_config.json");
  const auto model = open(copy.path());
  const auto without = model->encode(std::span(&text, 1));
  ASSERT_TRUE(without);
  EXPECT_EQ(without->front(), kText);
  EXPECT_EQ(model->padding_token(), std::nullopt);
}

TEST(HiddenStates, PromptsBeyondTheWindowAreRefused) {
  const auto model = open(golden("mistral"));  // a sliding window of 96
  TokenIds ids(97);
  std::iota(ids.begin(), ids.end(), 3);
  const auto found = model->layer_inputs(std::span(&ids, 1), StatePosition::kLast, {}, {});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(found.error().message.find("sliding window"), std::string::npos);
}

TEST(HiddenStates, CancelledBeforeThePrompt) {
  const auto model = open(golden("qwen2-tied"));
  std::stop_source stop;
  stop.request_stop();
  const auto found =
      model->layer_inputs(std::span(&kText, 1), StatePosition::kLast, {}, stop.get_token());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace crucible::engine
