#include "server/trial/trial.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "evaluator/run/open_model.hpp"
#include "evaluator/task/suite.hpp"
#include "tests/support/scratch_folder.hpp"

// Recipes evaluated in memory score as the models that they would write, to the last bit.
namespace crucible::server::trial {
namespace {

namespace fs = std::filesystem;

fs::path family() { return fs::path(CRUCIBLE_SOURCE_DIR) / "deploy" / "demo-family"; }

std::vector<task::Suite> suites() {
  std::vector<task::Suite> all;
  for (const char* name : {"sums", "words"}) {
    task::BuildOptions options;
    options.limit = 12;
    auto suite = task::read_suite(family() / "suites" / (std::string(name) + ".yaml"), options);
    EXPECT_TRUE(suite) << describe(suite.error());
    all.push_back(std::move(*suite));
  }
  return all;
}

recipe::Recipe recipe_of(const std::string& text) {
  auto recipe = recipe::read_recipe(text);
  EXPECT_TRUE(recipe) << describe(recipe.error());
  return std::move(*recipe);
}

std::string slerp(const std::string& t) {
  return "{merge_method: slerp, base_model: words, models: [{model: words}, {model: sums}], "
         "parameters: {t: " +
         t + "}, dtype: bfloat16}";
}

// Every answer's number.
std::vector<double> answers(const std::vector<run::EvaluationReport>& reports) {
  std::vector<double> all;
  for (const auto& report : reports) {
    all.push_back(report.score.score.value);
    for (const auto& task : report.tasks) {
      for (const auto& sample : task.samples) {
        for (const auto& one : sample.responses.loglikelihoods) all.push_back(one.sum_logprob);
      }
    }
  }
  return all;
}

class Trial : public ::testing::Test {
 protected:
  std::vector<double> written(const std::string& text) {
    fs::remove_all(scratch_.path() / "out");
    const auto report =
        plan::merge(recipe_of(text), resolver_, options_.merge, scratch_.path() / "out", {}, {});
    EXPECT_TRUE(report) << describe(report.error());
    auto model = run::open_model((scratch_.path() / "out").string(), options_.engine);
    EXPECT_TRUE(model) << describe(model.error());
    std::vector<run::EvaluationReport> reports;
    for (const task::Suite& suite : suites_)
      reports.push_back(run::evaluate(**model, suite).value());
    return answers(reports);
  }
  std::vector<double> in_memory(const std::string& text, TrialMemory& memory) {
    auto reports =
        evaluate_recipe_in_memory(recipe_of(text), resolver_, suites_, options_, {}, memory);
    EXPECT_TRUE(reports) << describe(reports.error());
    return reports ? answers(*reports) : std::vector<double>();
  }

  test::ScratchFolder scratch_;
  plan::ModelResolver resolver_ = plan::resolve_beneath({family()});
  TrialOptions options_;
  std::vector<task::Suite> suites_ = suites();
};

TEST_F(Trial, ScoresAreThoseOfTheWrittenModel) {
  TrialMemory memory(1U << 28);
  const std::string recipes[] = {
      slerp("0.3"),
      slerp("0.7"),
      slerp("[{filter: mlp, value: 0.2}, {value: 0.7}]"),
      R"({merge_method: dare_ties, base_model: base, models: [
          {model: sums, parameters: {weight: 0.7, density: 0.8}},
          {model: words, parameters: {weight: 0.7, density: 0.8}}], dtype: float32,
          out_dtype: bfloat16})",
      R"({merge_method: passthrough, slices: [{sources: [{model: words, layer_range: [0, 1]}]},
          {sources: [{model: words, layer_range: [0, 2]}]}]})",
      slerp("0.3")};
  for (const std::string& text : recipes) {
    SCOPED_TRACE(text);
    const std::vector<double> expected = written(text);
    EXPECT_GT(expected.size(), 50U);
    EXPECT_EQ(in_memory(text, memory), expected);
  }
  EXPECT_GT(memory.tensors().counts().hits, 0U);
}

TEST_F(Trial, WithoutRoomForTensorsTheScoresAreTheSame) {
  TrialMemory none(0);
  for (const char* t : {"0.2", "0.8", "0.2"})
    EXPECT_EQ(in_memory(slerp(t), none), written(slerp(t)));
  EXPECT_EQ(none.tensors().counts().kept_bytes, 0U);
}

TEST_F(Trial, FaultsOfTheRecipeAndStopsAreErrors) {
  TrialMemory memory(1U << 28);
  const auto missing = load_recipe(
      recipe_of("{merge_method: linear, models: [{model: nowhere}], parameters: {weight: 1}}"),
      resolver_, options_, memory);
  ASSERT_FALSE(missing);
  EXPECT_NE(describe(missing.error()).find("nowhere"), std::string::npos);
  std::stop_source stop;
  stop.request_stop();
  options_.stop = stop.get_token();
  const auto stopped = load_recipe(recipe_of(slerp("0.5")), resolver_, options_, memory);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  options_.stop = {};
  EXPECT_TRUE(load_recipe(recipe_of(slerp("0.5")), resolver_, options_, memory));
}

}  // namespace
}  // namespace crucible::server::trial
