#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "merger/recipe/recipe.hpp"

namespace crucible::recipe {
namespace {

constexpr std::string_view kHead =
    "merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\n";

Recipe must_read(const std::string& rest) {
  auto recipe = read_recipe(std::string(kHead) + rest);
  EXPECT_TRUE(recipe.has_value()) << (recipe ? "" : describe(recipe.error())) << "\n" << rest;
  return recipe ? *recipe : Recipe{};
}

TEST(TokenizerSetting, BothFormsOfTheSource) {
  EXPECT_FALSE(must_read("").tokenizer);
  EXPECT_FALSE(must_read("tokenizer_source: null\ntokenizer: ~\n").tokenizer);
  EXPECT_EQ(must_read("tokenizer_source: base\n").tokenizer->choice, TokenizerChoice::kBase);
  EXPECT_EQ(must_read("tokenizer: {}\n").tokenizer->choice, TokenizerChoice::kUnion);
  const Recipe other = must_read("tokenizer: {source: c/d@v1}\n");
  EXPECT_EQ(other.tokenizer->choice, TokenizerChoice::kModel);
  EXPECT_EQ(other.tokenizer->model.revision, "v1");
  EXPECT_EQ(other.referenced_models().size(), 1U);
  ASSERT_EQ(other.mentioned_models().size(), 2U);
  EXPECT_EQ(other.mentioned_models()[1].path, "c/d");
}

TEST(TokenizerSetting, TokensKeepTheirOrderAndSources) {
  const Recipe recipe = must_read(R"(tokenizer:
  source: union
  pad_to_multiple_of: 64
  tokens:
    "<|z|>": {source: a, force: true}
    "<|a|>": {source: {kind: zero}}
    plain:
    "<|t|>": {source: {kind: model_token, model: a, token: "</s>"}}
    "<|i|>": {source: {kind: model_token, model: {model: {path: a}}, token_id: 17}}
)");
  const TokenizerSetting& setting = *recipe.tokenizer;
  EXPECT_EQ(setting.pad_to_multiple_of, 64U);
  ASSERT_EQ(setting.tokens.size(), 5U);
  EXPECT_EQ(setting.tokens[0].text, "<|z|>");
  EXPECT_TRUE(setting.tokens[0].force);
  EXPECT_EQ(setting.tokens[0].source.kind, TokenSource::Kind::kModel);
  EXPECT_EQ(setting.tokens[1].source.kind, TokenSource::Kind::kZero);
  EXPECT_EQ(setting.tokens[2].source.kind, TokenSource::Kind::kUnset);
  EXPECT_EQ(setting.tokens[3].source.token, "</s>");
  EXPECT_EQ(setting.tokens[4].source.token_id, 17U);
}

TEST(TokenizerSetting, CanonicalTextHoldsEverythingAndReadsBack) {
  const std::vector<std::string> all{
      "",
      "tokenizer_source: union\n",
      "tokenizer_source: base\n",
      "tokenizer_source: x\n",
      "tokenizer: {tokens: {p: {source: a}, q: {source: {kind: zero}}}}\n",
      "tokenizer: {tokens: {q: {source: {kind: zero}}, p: {source: a}}}\n",
      "tokenizer: {tokens: {p: {source: a, force: true}}}\n",
      "tokenizer: {tokens: {p: {source: {kind: model_token, model: a, token_id: 1}}}}\n",
      "tokenizer: {tokens: {p: {source: {kind: model_token, model: a, token: '1'}}}}\n",
      "tokenizer: {pad_to_multiple_of: 8}\n",
      "chat_template: auto\n",
      "chat_template: '{{ messages[0].content }} and more'\n",
  };
  std::set<std::string> texts;
  for (const std::string& rest : all) {
    const std::string text = canonical_text(must_read(rest));
    EXPECT_TRUE(texts.insert(text).second) << rest;
    const auto again = read_recipe(text);
    ASSERT_TRUE(again) << describe(again.error()) << "\n" << text;
    EXPECT_EQ(canonical_text(*again), text);
  }
  EXPECT_EQ(canonical_text(must_read("tokenizer_source: union\n")),
            canonical_text(must_read("tokenizer: {source: union, pad_to_multiple_of: 1}\n")));
}

// A recipe's digest names its result in stores that exist already.
TEST(TokenizerSetting, RecipesWithoutOneKeepTheirDigest) {
  EXPECT_EQ(canonical_text(must_read("name: x\n")), R"({
 "merge_method": "linear",
 "models": [
  {
   "model": "a",
   "parameters": {
    "weight": 1.0
   }
  }
 ]
})");
}

}  // namespace
}  // namespace crucible::recipe
