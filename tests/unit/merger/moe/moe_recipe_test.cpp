#include "merger/moe/moe_recipe.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace crucible::moe {
namespace {

constexpr const char* kGood = R"(
base_model: base@main
gate_mode: hidden_avg
dtype: bfloat16
experts_per_token: 1
architecture: mixtral
experts:
  - source_model: a
    positive_prompts: [chat, "42"]
    negative_prompts: [code]
    noise_scale: 0.01
  - source_model: {model: {path: b}}
    positive_prompts: [code]
    residual_scale: 0.5
shared_experts:
  - source_model: c
)";

std::vector<Fault> faults(const std::string& text, const MoeRules& rules = {}) {
  const auto recipe = read_moe_recipe(text, rules);
  return recipe ? std::vector<Fault>() : recipe.error().faults;
}

std::vector<std::string> paths(const std::string& text) {
  std::vector<std::string> found;
  for (const Fault& fault : faults(text)) found.push_back(fault.path);
  return found;
}

TEST(MoeRecipe, ReadsEveryField) {
  const auto recipe = read_moe_recipe(kGood);
  ASSERT_TRUE(recipe) << describe(recipe.error());
  EXPECT_EQ(recipe->base_model.path, "base");
  EXPECT_EQ(recipe->base_model.revision, "main");
  EXPECT_EQ(recipe->gate_mode, GateMode::kHiddenAverage);
  EXPECT_EQ(recipe->dtype, tensor::DType::kBF16);
  EXPECT_EQ(recipe->experts_per_token, 1U);
  EXPECT_EQ(recipe->architecture, "mixtral");
  ASSERT_EQ(recipe->experts.size(), 2U);
  EXPECT_EQ(recipe->experts[0].positive_prompts, (std::vector<std::string>{"chat", "42"}));
  EXPECT_EQ(recipe->experts[0].negative_prompts, std::vector<std::string>{"code"});
  EXPECT_EQ(recipe->experts[0].noise_scale, 0.01);
  EXPECT_EQ(recipe->experts[0].residual_scale, 1);
  EXPECT_EQ(recipe->experts[1].source_model.path, "b");
  EXPECT_EQ(recipe->experts[1].residual_scale, 0.5);
  ASSERT_EQ(recipe->shared_experts.size(), 1U);
  EXPECT_FALSE(recipe->shared_gates());
  EXPECT_EQ(recipe->source_text, kGood);
}

TEST(MoeRecipe, DefaultsAreMergekits) {
  const auto recipe = read_moe_recipe(
      "base_model: a\nexperts:\n- {source_model: a, positive_prompts: [x]}\n"
      "- {source_model: b, positive_prompts: [y]}\n");
  ASSERT_TRUE(recipe) << describe(recipe.error());
  EXPECT_EQ(recipe->gate_mode, GateMode::kHiddenLast);
  EXPECT_EQ(recipe->experts_per_token, 2U);
  EXPECT_FALSE(recipe->dtype);
}

TEST(MoeRecipe, AllFaultsComeAtOnceInOrder) {
  EXPECT_EQ(paths(R"(
base_modle: base
gate_mode: hiden
dtype: int8
experts_per_token: 0
experts:
  - source_model: a
    positive_prompt: [x]
    positive_prompts: chat
  - positive_prompts: [[x]]
    noise_scale: loud
)"),
            (std::vector<std::string>{"base_modle", "base_model", "gate_mode", "dtype",
                                      "experts_per_token", "experts[0].positive_prompt",
                                      "experts[0].positive_prompts", "experts[1]",
                                      "experts[1].positive_prompts[0]", "experts[1].noise_scale"}));
}

TEST(MoeRecipe, SuggestsTheNearestName) {
  const auto found = faults("base_model: a\ngate_mode: cheap_embd\nexperts:\n- source_modle: a\n");
  const auto mode = std::ranges::find(found, "gate_mode", &Fault::path);
  ASSERT_NE(mode, found.end());
  EXPECT_EQ(mode->suggestion, "did you mean `cheap_embed`?");
  const auto key = std::ranges::find(found, "experts[0].source_modle", &Fault::path);
  ASSERT_NE(key, found.end());
  EXPECT_EQ(key->suggestion, "did you mean `source_model`?");
}

TEST(MoeRecipe, MergeRecipesAreToldApart) {
  const auto found = faults("base_model: a\nmerge_method: ties\nexperts: [{source_model: a}]\n");
  const auto key = std::ranges::find(found, "merge_method", &Fault::path);
  ASSERT_NE(key, found.end());
  EXPECT_NE(key->suggestion.find("crucible merge"), std::string::npos);
  EXPECT_TRUE(is_moe_recipe("experts: []"));
  EXPECT_FALSE(is_moe_recipe("merge_method: ties"));
}

// The rules that span fields, one fault each.
TEST(MoeRecipe, RulesOfPromptsAndCounts) {
  const std::string head = "base_model: base\nexperts:\n";
  const std::string a = "- {source_model: a, positive_prompts: [x]}\n";
  const std::string b = "- {source_model: b, positive_prompts: [y]}\n";
  EXPECT_TRUE(paths(head + a + b).empty());
  EXPECT_EQ(paths(head + a + "- {source_model: b}\n"), std::vector<std::string>{"experts[1]"});
  EXPECT_EQ(paths(head + a + "- {source_model: b, positive_prompts: [x]}\n"),
            std::vector<std::string>{"experts"});
  EXPECT_EQ(paths("experts_per_token: 1\n" + head + a), std::vector<std::string>{"experts"});
  EXPECT_EQ(paths("experts_per_token: 3\n" + head + a + b),
            std::vector<std::string>{"experts_per_token"});
  EXPECT_TRUE(
      paths("gate_mode: random\n" + head + "- {source_model: a}\n- {source_model: b}\n").empty());
  EXPECT_EQ(paths(head + a + b +
                  "shared_experts:\n- {source_model: a, positive_prompts: [z]}\n"
                  "- {source_model: b}\n"),
            std::vector<std::string>{"shared_experts"});
  EXPECT_EQ(paths(head + a + b + "shared_experts:\n- {source_model: a, negative_prompts: [z]}\n"),
            std::vector<std::string>{"shared_experts[0].negative_prompts"});
}

TEST(MoeRecipe, IdenticalExpertsNeedTheFlag) {
  const std::string text =
      "base_model: a\nexperts:\n- {source_model: a, positive_prompts: [x]}\n"
      "- {source_model: a, positive_prompts: [y]}\n";
  const auto found = faults(text);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].path, "experts");
  EXPECT_NE(found[0].suggestion.find("--allow-identical-experts"), std::string::npos);
  EXPECT_TRUE(faults(text, {true}).empty());
}

}  // namespace
}  // namespace crucible::moe
