#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "merger/recipe/recipe.hpp"
#include "real_recipes.hpp"

namespace crucible::recipe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Recipe must_read(std::string_view text) {
  auto recipe = read_recipe(text);
  EXPECT_TRUE(recipe.has_value()) << (recipe ? "" : describe(recipe.error())) << "\n" << text;
  return recipe ? *recipe : Recipe{};
}

Error must_fail(std::string_view text) {
  const auto recipe = read_recipe(text);
  EXPECT_FALSE(recipe.has_value()) << text;
  if (recipe) return {};
  EXPECT_EQ(recipe.error().code, ErrorCode::kInvalidArgument);
  return recipe.error();
}

std::vector<std::string> paths(const Error& error) {
  std::vector<std::string> all;
  for (const Fault& fault : error.faults) all.push_back(fault.path);
  return all;
}

Fault fault_at(const Error& error, std::string_view path) {
  for (const Fault& fault : error.faults) {
    if (fault.path == path) return fault;
  }
  ADD_FAILURE() << "no fault at " << path << " in\n" << describe(error);
  return {};
}

double number(const ParameterSetting& setting, std::string_view tensor = "x", double t = 0) {
  const auto value = evaluate(setting, tensor, t);
  return value && std::holds_alternative<double>(*value) ? std::get<double>(*value) : -999;
}

class RealRecipe : public testing::TestWithParam<std::pair<std::string_view, std::string_view>> {};

TEST_P(RealRecipe, Reads) {
  const Recipe recipe = must_read(GetParam().second);
  EXPECT_EQ(recipe.source_text, GetParam().second);
  EXPECT_FALSE(recipe.referenced_models().empty());
}

TEST_P(RealRecipe, CanonicalTextReadsBackToItself) {
  const std::string text = canonical_text(must_read(GetParam().second));
  const Recipe again = must_read(text);
  EXPECT_EQ(canonical_text(again), text);
}

INSTANTIATE_TEST_SUITE_P(Published, RealRecipe, testing::ValuesIn(kRealRecipes),
                         [](const auto& test) {
                           std::string name(test.param.first);
                           std::replace_if(
                               name.begin(), name.end(),
                               [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); },
                               '_');
                           return name;
                         });

TEST(ReadRecipe, KeepsEveryField) {
  const Recipe recipe = must_read(kRealRecipes[1].second);
  EXPECT_EQ(recipe.merge_method, "slerp");
  ASSERT_TRUE(recipe.base_model);
  EXPECT_EQ(recipe.base_model->path, "psmathur/orca_mini_v3_13b");
  ASSERT_EQ(recipe.slices.size(), 1U);
  ASSERT_EQ(recipe.slices[0].sources.size(), 2U);
  EXPECT_EQ(recipe.slices[0].sources[1].end_layer, 40U);
  const ParameterSetting& t = recipe.parameters.at("t");
  ASSERT_EQ(t.size(), 3U);
  EXPECT_EQ(number(t, "model.layers.0.self_attn.q_proj.weight", 0.25), 0.5);
  EXPECT_EQ(number(t, "model.layers.0.mlp.up_proj.weight", 0), 1);
  EXPECT_EQ(number(t, "model.norm.weight", 1), 0.5);
  EXPECT_EQ(recipe.dtype, tensor::DType::kF16);
}

TEST(ReadRecipe, NumericTextBecomesANumber) {
  const Recipe recipe = must_read(kRealRecipes[9].second);
  EXPECT_EQ(number(recipe.models[0].parameters.at("weight")), 0.5);
  EXPECT_EQ(number(recipe.models[1].parameters.at("weight")), 0.1);
  EXPECT_EQ(recipe.models[0].model.text(), "mistralai/Mistral-7B-v0.1@main+some/adapter@v2");
  EXPECT_EQ(recipe.models[0].model.lora_revision, "v2");
}

TEST(ReadRecipe, ReferencedModelsInOrderOfMentionBaseLast) {
  std::vector<std::string> names;
  for (const auto& model : must_read(kRealRecipes[3].second).referenced_models())
    names.push_back(model.text());
  EXPECT_THAT(names, ElementsAre("psmathur/orca_mini_v3_13b", "garage-bAInd/Platypus2-13B",
                                 "WizardLM/WizardMath-13B-V1.0", "TheBloke/Llama-2-13B-fp16"));
}

TEST(ReadRecipe, ReportsEveryFaultAtOnceWithPathLineAndSuggestion) {
  const Error error = must_fail(R"(merge_method: ties
base_model: base
dtypo: float16
models:
  - model: sums
    parameters:
      wieght: 0.5
      density: 0.5
  - model: words
    parameters: {weight: heavy}
    layer_range: [0, 4]
parameters:
  lamda: 1
tokenizer_source: [base]
)");
  EXPECT_THAT(paths(error),
              ElementsAre("dtypo", "models[0].parameters.wieght", "models[0].parameters",
                          "models[1].parameters.weight", "parameters.lamda", "tokenizer_source"));
  EXPECT_EQ(fault_at(error, "models[0].parameters.wieght").suggestion, "did you mean `weight`?");
  EXPECT_THAT(fault_at(error, "models[0].parameters.wieght").message, HasSubstr("line 7"));
  EXPECT_EQ(fault_at(error, "dtypo").suggestion, "did you mean `dtype`?");
  EXPECT_EQ(fault_at(error, "parameters.lamda").suggestion, "did you mean `lambda`?");
  EXPECT_THAT(fault_at(error, "tokenizer_source").message, HasSubstr("not a list"));
  EXPECT_EQ(error.message, "the recipe has 6 faults");
}

struct Rule {
  std::string_view text;
  std::string_view path;
  std::string_view message;
};

class RecipeRule : public testing::TestWithParam<Rule> {};

TEST_P(RecipeRule, IsReported) {
  const Error error = must_fail(GetParam().text);
  EXPECT_THAT(fault_at(error, GetParam().path).message, HasSubstr(std::string(GetParam().message)));
}

constexpr std::string_view kTwoModels = "models: [{model: a}, {model: b}]\n";

INSTANTIATE_TEST_SUITE_P(
    All, RecipeRule,
    testing::Values(
        Rule{"models: [{model: a}]\n", "merge_method", "missing"},
        Rule{"merge_method: tises\nmodels: [{model: a}]\n", "merge_method",
             "unknown merge method `tises`"},
        Rule{"merge_method: linear\n", "", "none of"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\nslices: []\n",
             "slices", "stand together"},
        Rule{"merge_method: linear\nmodels: []\n", "models", "empty"},
        Rule{"merge_method: linear\nmodels: {a: b}\n", "models", "must be a list"},
        Rule{"merge_method: linear\nmodels: [a, b]\n", "models[0]", "must be a map"},
        Rule{"merge_method: linear\nmodels: [{parameters: {weight: 1}}]\n", "models[0]",
             "`model` is missing"},
        Rule{"merge_method: linear\nmodels: [{model: a}]\n", "models[0].parameters",
             "needs `weight`"},
        Rule{"merge_method: linear\nbase_model: c\nmodels: [{model: a, parameters: {weight: 1}}]\n",
             "base_model", "counts base_model as an input"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}, {model: b, "
             "parameters: {weight: -1}}]\n",
             "models", "add up to 0"},
        Rule{"merge_method: slerp\nparameters: {t: 0.5}\nmodels: [{model: a}, {model: b}]\n",
             "base_model", "needs base_model"},
        Rule{"merge_method: slerp\nbase_model: a\nmodels: [{model: a}, {model: b}]\n",
             "parameters.t", "needs `t`"},
        Rule{"merge_method: slerp\nbase_model: c\nparameters: {t: 0}\nmodels: [{model: a}, {model: "
             "b}]\n",
             "models", "exactly 2 models, here are 3, base_model included"},
        Rule{"merge_method: slerp\nbase_model: a\nparameters: {t: 0}\nmodels: [{model: a}]\n",
             "models", "here is 1"},
        Rule{"merge_method: slerp\nbase_model: a\nmodels: [{model: a}, {model: b, parameters: {t: "
             "0.5}}]\n",
             "parameters.t", "needs `t`"},
        Rule{"merge_method: passthrough\nmodels: [{model: a}, {model: b}]\n", "models",
             "exactly 1 model"},
        Rule{"merge_method: ties\nmodels: [{model: a, parameters: {weight: 1}}]\n", "base_model",
             "needs base_model"},
        Rule{"merge_method: ties\nbase_model: c\nmodels: [{model: a, parameters: {weight: 1}}, "
             "{model: a, parameters: {weight: 1}}]\n",
             "models[1].model", "stands twice"},
        Rule{"merge_method: ties\nbase_model: c\nslices: [{sources: [{model: a, layer_range: [0, "
             "2], parameters: {weight: 1}}]}]\n",
             "slices[0].sources", "base model `c` is not among the sources"},
        Rule{"merge_method: passthrough\nslices: [{sources: [{model: a, layer_range: [4, 2]}]}]\n",
             "slices[0].sources[0].layer_range", "backwards"},
        Rule{
            "merge_method: passthrough\nslices: [{sources: [{model: a, layer_range: [0, 1.5]}]}]\n",
            "slices[0].sources[0].layer_range[1]", "whole number"},
        Rule{"merge_method: passthrough\nslices: [{sources: [{model: a, layer_range: 4}]}]\n",
             "slices[0].sources[0].layer_range", "must be [first, end]"},
        Rule{"merge_method: passthrough\nslices: [{sources: [{model: a}]}]\n",
             "slices[0].sources[0]", "`layer_range` is missing"},
        Rule{"merge_method: passthrough\nslices: [{}]\n", "slices[0]", "`sources` is missing"},
        Rule{"merge_method: passthrough\nslices: [{sources: [{model: a, layer_range: [3, 3]}]}]\n",
             "slices", "no layer"},
        Rule{"merge_method: slerp\nbase_model: a\nparameters: {t: 0}\nslices: [{sources: [{model: "
             "a, layer_range: [0, 3]}, {model: b, layer_range: [0, 4]}]}]\n",
             "slices[0].sources[1].layer_range", "has 4 layers"},
        Rule{"merge_method: linear\nname: x/y\nmodels: [{model: a, parameters: {weight: 1}}]\n",
             "name", "a folder"},
        Rule{"merge_method: linear\nname: ..\nmodels: [{model: a, parameters: {weight: 1}}]\n",
             "name", "a folder"},
        Rule{"merge_method: linear\ndtype: bf16\nmodels: [{model: a, parameters: {weight: 1}}]\n",
             "dtype", "bf16"},
        Rule{"merge_method: linear\ndtype: int64\nmodels: [{model: a, parameters: {weight: 1}}]\n",
             "dtype", "int64"},
        Rule{"merge_method: linear\nmodels: [{model: a@b@c, parameters: {weight: 1}}]\n",
             "models[0].model", "more than one `@`"},
        Rule{"merge_method: linear\nmodels: [{model: a+b+c, parameters: {weight: 1}}]\n",
             "models[0].model", "more than one `+`"},
        Rule{"merge_method: linear\nmodels: [{model: '', parameters: {weight: 1}}]\n",
             "models[0].model", "empty"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: [1, x]}}]\n",
             "models[0].parameters.weight[1]", "not a number"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: [1, {value: 2}]}}]\n",
             "models[0].parameters.weight[1]", "mixed"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: .nan}}]\n",
             "models[0].parameters.weight", "not a number"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: 1e999}}]\n",
             "models[0].parameters.weight", "not a number"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: {filter: mlp}}}]\n",
             "models[0].parameters.weight", "`value` is missing"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: {filtre: mlp, value: "
             "1}}}]\n",
             "models[0].parameters.weight.filtre", "unknown key"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\nparameters: "
             "{normalize: 0.5}\n",
             "parameters.normalize", "not true or false"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\ntokenizer: "
             "{source: union}\ntokenizer_source: base\n",
             "tokenizer", "exclude each other"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\ntokenizer: "
             "{sorce: union}\n",
             "tokenizer.sorce", "unknown key"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\ntokenizer: "
             "{tokens: {x: {source: {kind: one}}}}\n",
             "tokenizer.tokens.x.source.kind", "unknown"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\ntokenizer: "
             "{tokens: {x: {source: {kind: model_token, model: a, token: y, token_id: 1}}}}\n",
             "tokenizer.tokens.x.source", "exactly one"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\ntokenizer: "
             "{tokens: {x: {source: a, force: maybe}}}\n",
             "tokenizer.tokens.x.force", "true or false"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\ntokenizer: "
             "{pad_to_multiple_of: 0}\n",
             "tokenizer.pad_to_multiple_of", "whole number"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\nchat_template: "
             "chatlm\n",
             "chat_template", "neither"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\n---\n"
             "merge_method: linear\nmodels: [{model: b, parameters: {weight: 1}}]\n",
             "", "2 recipes"},
        Rule{"merge_method: linear\nmodules: {text: {}}\n", "modules.text", "exactly one of"},
        Rule{"merge_method: linear\nmodels: [{model: a, parameters: {weight: 1, weight: 2}}]\n",
             "models[0].parameters.weight", "second time"},
        Rule{"merge_method: linear\nmodels: [{model: &m a, parameters: {weight: 1}}]\n",
             "models[0].model", "anchors"},
        Rule{"merge_method: !!str linear\nmodels: [{model: a, parameters: {weight: 1}}]\n",
             "merge_method", "tags"},
        Rule{"base_model: a\nexperts: []\nmerge_method: linear\nmodels: [{model: a, parameters: "
             "{weight: 1}}]\n",
             "experts", "mixture-of-experts"},
        Rule{"merge_method: linear\nmodels: [{model: {path: x}, parameters: {weight: 1}}]\n",
             "models[0].model", "map form"}));

TEST(ReadRecipe, UnknownMethodSuggestsAndLists) {
  const Fault fault =
      fault_at(must_fail("merge_method: dare-ties\nmodels: [{model: a}]\n"), "merge_method");
  EXPECT_THAT(fault.suggestion, HasSubstr("did you mean `dare_ties`?"));
  EXPECT_THAT(fault.suggestion, HasSubstr("passthrough"));
}

TEST(ReadRecipe, TaskVectorBaseNeedsNoWeightAndEmptyListIsUnset) {
  must_read(
      "merge_method: ties\nbase_model: a\nmodels: [{model: a}, {model: b, parameters: {weight: "
      "1}}]\n");
  const Recipe recipe = must_read(
      "merge_method: linear\nmodels: [{model: a, parameters: {weight: []}}]\n"
      "parameters: {weight: 2}\n");
  EXPECT_TRUE(recipe.models[0].parameters.empty());
}

TEST(ReadRecipe, SliceBaseOverridesTheGlobalOne) {
  must_read(
      "merge_method: ties\nbase_model: c\nslices:\n"
      "- base_model: d\n  sources:\n  - {model: d, layer_range: [0, 2]}\n"
      "  - {model: a, layer_range: [0, 2], parameters: {weight: 1}}\n");
}

TEST(ReadRecipe, WarnsOfWhatHasNoEffect) {
  const Recipe recipe = must_read(R"(merge_method: slerp
name: step-1
base_model: a
models: [{model: a, layer_range: [0, 4]},
         {model: {model: {path: b}, override_architecture: X}, parameters: {t: 0.1, density: 1}}]
slices: null
parameters: {t: 0.5, embed_slerp: true, int8_mask: true}
)");
  EXPECT_EQ(recipe.name, "step-1");
  std::vector<std::string> where;
  for (const Fault& warning : recipe.warnings) where.push_back(warning.path);
  EXPECT_THAT(where, testing::UnorderedElementsAre(
                         "models[0].layer_range", "models[1].model.override_architecture",
                         "models[1].parameters.t", "models[1].parameters.density",
                         "parameters.embed_slerp", "parameters.int8_mask"));
  EXPECT_TRUE(recipe.models[1].parameters.empty());
  const Recipe sliced = must_read(
      "merge_method: passthrough\nslices: [{residual_weight: 1, sources: [{model: a, layer_range: "
      "[0, 3]}]}]\n");
  ASSERT_EQ(sliced.warnings.size(), 1U);
  EXPECT_EQ(sliced.warnings[0].path, "slices[0].residual_weight");
  EXPECT_THAT(sliced.warnings[0].message, HasSubstr("line 2"));
}

TEST(Evaluate, InterpolatesGradientsAndTakesTheFirstMatch) {
  const ParameterSetting gradient{{"", {Scalar(0.0), Scalar(1.0), Scalar(0.5)}}};
  EXPECT_EQ(number(gradient, "x", 0), 0);
  EXPECT_EQ(number(gradient, "x", 0.25), 0.5);
  EXPECT_EQ(number(gradient, "x", 0.5), 1);
  EXPECT_EQ(number(gradient, "x", 1), 0.5);
  const ParameterSetting filtered{
      {"mlp", {Scalar(1.0)}}, {"*", {Scalar(2.0)}}, {"", {Scalar(3.0)}}};
  EXPECT_EQ(number(filtered, "layers.0.mlp.up"), 1);
  EXPECT_EQ(number(filtered, "layers.0.norm"), 2);
  EXPECT_FALSE(evaluate({{"mlp", {Scalar(1.0)}}}, "norm", 0).has_value());
  const ParameterSetting booleans{{"", {Scalar(true), Scalar(false)}}};
  EXPECT_EQ(std::get<bool>(*evaluate(booleans, "x", 0.9)), true);
  EXPECT_EQ(std::get<bool>(*evaluate(booleans, "x", 1)), false);
}

TEST(CanonicalText, EqualRecipesAreEqual) {
  const std::string a =
      canonical_text(must_read("merge_method: ties\nbase_model: c\ndtype: "
                               "torch.float16\nparameters: {normalize: true, lambda: 1.0}\n"
                               "models: [{model: a, parameters: {weight: '1e0', density: 1}}]\n"));
  const std::string b = canonical_text(
      must_read("models:\n- parameters:\n    weight:\n    - filter: '*'\n      value: [1]\n    - "
                "value: 7\n  model: {model: {path: a}}\n"
                "base_model: c\nmerge_method: ties\ndtype: float16\nout_dtype: float16\n"));
  EXPECT_EQ(a, b);
}

TEST(CanonicalText, DefaultThatOverridesALowerLevelStays) {
  const auto digest_of = [](std::string_view model_density) {
    return digest(
        must_read("merge_method: ties\nbase_model: c\nparameters: {density: 0.5}\n"
                  "models: [{model: a, parameters: {weight: 1" +
                  std::string(model_density) + "}}]\n"));
  };
  EXPECT_NE(digest_of(", density: 1"), digest_of(""));
}

}  // namespace
}  // namespace crucible::recipe
