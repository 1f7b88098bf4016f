#include <gtest/gtest.h>

#include <cmath>

#include "server/pipeline/spec.hpp"
#include "server/pipeline/suite_catalog.hpp"
#include "server/service/score_json.hpp"
#include "server/store/evaluations.hpp"
#include "tests/support/store_fixture.hpp"

// Scores with their intervals on their way from a worker to the store and the board.
namespace crucible::server {
namespace {

pipeline::EvaluationResult some_result() {
  pipeline::EvaluationResult result;
  result.suite = "pair";
  result.suite_digest = std::string(64, 'a');
  result.engine = "llama.cpp";
  result.dtype = "f32";
  result.score = 61.25;
  result.standard_error = 0.5;
  result.interval = ScoreInterval{60.27, 62.23, "propagated"};
  result.items = 5;
  result.seconds = 2;
  MetricScore strict{"exact_match",  0.25, 0.1,
                     "strict-match", true, ScoreInterval{0.1, 0.5, "wilson"}};
  MetricScore perplexity{"word_perplexity", 12.5, std::nullopt, "none", false, std::nullopt};
  result.tasks = {
      {"gsm8k", "3", std::string(64, 'b'), "exact_match", 5, {strict, perplexity}, "strict-match"}};
  result.columns = {{"Sums", 61.25, 0.5, ScoreInterval{60.27, 62.23, "normal"}, 5}};
  result.groups = {{"all", 5, {strict}}};
  result.flags = {"gsm8k: 1 of 5 items: \"cut\""};
  result.prompt_tokens_asked = 1000;
  result.prompt_tokens_computed = 400;
  return result;
}

std::string text_of(const pipeline::EvaluationResult& result) {
  return pipeline::to_json(result).dump();
}

TEST(EvaluationResult, ComesBackFromItsJson) {
  const auto result = some_result();
  const auto back = pipeline::evaluation_result_from(pipeline::to_json(result));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(text_of(*back), text_of(result));
  EXPECT_FALSE(back->tasks[0].metrics[1].interval);
  auto json = pipeline::to_json(result);
  json.erase("flags");
  EXPECT_EQ(pipeline::evaluation_result_from(json).error().code, ErrorCode::kCorrupt);
}

TEST(EvaluationSpec, ComesBackFromItsJson) {
  pipeline::EvaluationSpec spec;
  spec.model_folder = "/models/a";
  spec.model_digest = std::string(64, 'c');
  spec.suite_file = "builtin:agieval-nous";
  spec.datasets = {"/data/one", "/data/two"};
  spec.cache = "/state/cache";
  spec.threads = 3;
  const auto back = pipeline::evaluation_spec_from(pipeline::to_json(spec));
  ASSERT_TRUE(back);
  EXPECT_EQ(pipeline::to_json(*back), pipeline::to_json(spec));
}

TEST(ScoreJson, NumbersThatAreNoneAreNull) {
  EXPECT_TRUE(number_json(std::nan("")).is_null());
  EXPECT_TRUE(to_json(std::optional<ScoreInterval>()).is_null());
  EXPECT_FALSE(interval_from(to_json(std::optional(ScoreInterval{std::nan(""), 1, "normal"}))));
}

class StoredScores : public test::StoreTest {
 protected:
  ModelId add_model() {
    auto id = store_->write([&](store::Database& database) {
      store::NewModel added;
      added.model.name = "a";
      added.model.origin = "registered";
      added.model.digest = std::string(64, 'c');
      added.model.path = "/models/a";
      return store::insert_model(database, added);
    });
    EXPECT_TRUE(id) << id.error().message;
    return id.value_or(0);
  }

  store::NewEvaluation evaluation_of(pipeline::EvaluationResult result) {
    store::NewEvaluation added;
    added.work_key = "key";
    added.model_digest = std::string(64, 'c');
    added.samples_path = "/samples.jsonl";
    Evaluation& evaluation = added.evaluation;
    evaluation.model.id = add_model();
    evaluation.suite = result.suite;
    evaluation.suite_digest = result.suite_digest;
    evaluation.engine = result.engine;
    evaluation.dtype = result.dtype;
    evaluation.score = result.score;
    evaluation.standard_error = result.standard_error;
    evaluation.interval = result.interval;
    evaluation.items = result.items;
    evaluation.tasks = result.tasks;
    evaluation.columns = result.columns;
    evaluation.groups = result.groups;
    evaluation.flags = result.flags;
    evaluation.prompt_tokens_asked = result.prompt_tokens_asked;
    evaluation.prompt_tokens_computed = result.prompt_tokens_computed;
    return added;
  }
};

TEST_F(StoredScores, KeepIntervalsPartsAndFlags) {
  const auto result = some_result();
  const auto added = evaluation_of(result);
  auto id = store_->write(
      [&](store::Database& database) { return store::keep_evaluation(database, added); });
  ASSERT_TRUE(id) << id.error().message;
  auto kept =
      store_->read([&](store::Database& database) { return store::get_evaluation(database, *id); });
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_EQ(to_json(kept->interval), to_json(result.interval));
  EXPECT_EQ(json_list(kept->tasks), json_list(result.tasks));
  EXPECT_EQ(json_list(kept->columns), json_list(result.columns));
  EXPECT_EQ(json_list(kept->groups), json_list(result.groups));
  EXPECT_EQ(kept->flags, result.flags);
  EXPECT_EQ(kept->prompt_tokens_computed, 400);
  auto board =
      store_->read([&](store::Database& database) { return store::board_scores(database); });
  ASSERT_TRUE(board);
  ASSERT_EQ(board->size(), 1U);
  EXPECT_TRUE(board->front().flagged);
  EXPECT_EQ(board->front().interval->low, 60.27);
}

TEST_F(StoredScores, ScoresWithoutThemAreUnflagged) {
  auto result = some_result();
  result.interval = std::nullopt;
  result.flags.clear();
  const auto added = evaluation_of(result);
  ASSERT_TRUE(store_->write(
      [&](store::Database& database) { return store::keep_evaluation(database, added); }));
  auto board =
      store_->read([&](store::Database& database) { return store::board_scores(database); });
  ASSERT_TRUE(board);
  EXPECT_FALSE(board->front().flagged);
  EXPECT_FALSE(board->front().interval);
}

TEST(SuiteCatalog, KnowsBuiltInSuitesByNameOnly) {
  crucible::test::ScratchFolder folder;
  pipeline::SuiteCatalog catalog({folder.path()}, {folder.path()});
  const auto entries = catalog.list();
  EXPECT_TRUE(std::ranges::any_of(
      entries, [](const auto& entry) { return entry.info.name == "agieval-nous"; }));
  const auto missing = catalog.find("agieval-nous");
  ASSERT_FALSE(missing) << "its data sets are not here";
  EXPECT_EQ(missing.error().code, ErrorCode::kInvalidArgument);
  for (const char* name : {"/etc/passwd", "../x", "builtin:agieval-nous", "no-such-suite"}) {
    EXPECT_EQ(catalog.find(name).error().code, ErrorCode::kNotFound) << name;
  }
}

// Without any folder of suites or data.
TEST(SuiteCatalog, BuiltInSuitesThatNeedNoDataAreReadByName) {
  pipeline::SuiteCatalog catalog({});
  const auto entries = catalog.find_all({"crucible-basics", "crucible-fresh", "crucible-fresh-7"});
  ASSERT_TRUE(entries) << describe(entries.error());
  const std::vector<std::string> files = {"builtin:crucible-basics", "builtin:crucible-fresh",
                                          "builtin:crucible-fresh-7"};
  for (std::size_t i = 0; i < files.size(); ++i) {
    const pipeline::SuiteEntry& entry = (*entries)[i];
    EXPECT_EQ(entry.file, files[i]);
    EXPECT_TRUE(entry.info.built_in);
    EXPECT_GT(entry.info.items, 300);
    EXPECT_FALSE(entry.info.tasks.empty());
    EXPECT_EQ(entry.info.digest.size(), 64U);
    EXPECT_FALSE(entry.info.description.empty());
  }
  EXPECT_NE((*entries)[1].info.digest, (*entries)[2].info.digest);
  EXPECT_EQ(catalog.find("crucible-basics")->info.digest, (*entries)[0].info.digest);
}

}  // namespace
}  // namespace crucible::server
