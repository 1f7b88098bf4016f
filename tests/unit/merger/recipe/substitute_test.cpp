#include "merger/recipe/substitute.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "merger/recipe/recipe.hpp"
#include "real_recipes.hpp"

namespace crucible::recipe {
namespace {

using testing::HasSubstr;

Fault refused(std::string_view text, std::string_view parameter) {
  const auto out = substitute(text, parameter, 0.5);
  EXPECT_FALSE(out.has_value());
  if (out || out.error().faults.size() != 1) return {};
  return out.error().faults[0];
}

TEST(Substitute, ReplacesEveryPlaceholderAndNothingElse) {
  const auto out = substitute("a: ${T} # ${T}\nb: ${U}\n", "T", 0.1);
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(*out, "a: 0.1 # 0.1\nb: ${U}\n");
}

TEST(Substitute, SetsAPathAndKeepsTheRest) {
  const auto out = substitute(kRealRecipes[2].second, "parameters.t", 0.8);
  ASSERT_TRUE(out.has_value());
  const auto recipe = read_recipe(*out);
  ASSERT_TRUE(recipe.has_value()) << *out;
  EXPECT_EQ(std::get<double>(*evaluate(recipe->parameters.at("t"), "x", 0)), 0.8);
  EXPECT_EQ(recipe->models[1].model.path, "./words");
}

TEST(Substitute, SetsInsideListsAndAddsAMissingParameter) {
  const auto filtered = substitute(kRealRecipes[1].second, "parameters.t[0].value[4]", 0.25);
  ASSERT_TRUE(filtered.has_value());
  EXPECT_EQ(std::get<double>(*evaluate(read_recipe(*filtered)->parameters.at("t"), "self_attn", 1)),
            0.25);
  const auto added = substitute(kRealRecipes[3].second, "models[1].parameters.density", 0.75);
  ASSERT_TRUE(added.has_value());
  const auto lambda = substitute(kRealRecipes[3].second, "parameters.lambda", 0.75);
  ASSERT_TRUE(lambda.has_value());
  EXPECT_TRUE(read_recipe(*lambda)->parameters.contains("lambda"));
}

TEST(Substitute, ExplainsWhatItCannotSet) {
  EXPECT_THAT(refused("a: ${TEMP}\n", "TEMPS").suggestion, HasSubstr("`TEMP`"));
  EXPECT_THAT(refused("a: 1\n", "X").message, HasSubstr("no placeholder"));
  EXPECT_THAT(refused(kRealRecipes[2].second, "parametrs.t").suggestion, HasSubstr("`parameters`"));
  EXPECT_THAT(refused(kRealRecipes[2].second, "models[7].parameters.weight").suggestion,
              HasSubstr("2 entries"));
  EXPECT_THAT(refused(kRealRecipes[1].second, "parameters.t").suggestion, HasSubstr("[0].value"));
  EXPECT_THAT(refused(kRealRecipes[2].second, "models[0].model").message,
              HasSubstr("not a parameter"));
  EXPECT_THAT(refused(kRealRecipes[2].second, "models[").message, HasSubstr("not a path"));
}

}  // namespace
}  // namespace crucible::recipe
