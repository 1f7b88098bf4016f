#include "server/search/search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "server/search/edit.hpp"
#include "server/search/journal.hpp"
#include "server/search/summary.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::server::search {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kDocument = R"(
name: weights
recipe:
  merge_method: task_arithmetic
  base_model: base
  models:
    - {model: sums, parameters: {weight: "${a}"}}
    - {model: words, parameters: {weight: "${b}"}}
  dtype: float32
space:
  a: {float: [0, 1], default: 0.6}
  b: [0, 1]
suites: [one, two]
sampler: {name: cma_es, population: 6}
budget: {trials: 30}
seed: 7
)";

std::vector<std::string> fault_paths(const std::string& text) {
  auto read = read_document(text);
  std::vector<std::string> paths;
  if (read) return paths;
  for (const Fault& fault : read.error().faults) paths.push_back(fault.path);
  return paths;
}

std::string with(const std::string& from, const std::string& to) {
  std::string text = kDocument;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(SweepDocumentTest, SaysWhatIsWrongWhere) {
  EXPECT_THAT(fault_paths(kDocument), ElementsAre());
  EXPECT_THAT(fault_paths(with("a: {float: [0, 1], default: 0.6}", "a: {float: [1, 0]}")),
              Contains("space.a.float"));
  EXPECT_THAT(fault_paths(with("b: [0, 1]", "c: [0, 1]")), Contains("space.c"));
  EXPECT_THAT(fault_paths(with("b: [0, 1]", "b: {flaot: [0, 1]}")), Contains("space.b.flaot"));
  EXPECT_THAT(fault_paths(with("cma_es", "cma")), Contains("sampler"));
  EXPECT_THAT(fault_paths(with("population: 6", "sigma: -1")), Contains("sampler.sigma"));
  EXPECT_THAT(fault_paths(with("suites: [one, two]", "suites: []")), Contains("suites"));
  EXPECT_THAT(fault_paths(with("task_arithmetic", "task_arithmetik")),
              Contains("recipe.merge_method"));
  EXPECT_THAT(fault_paths(with("seed: 7", "sede: 7")), Contains("sede"));
  EXPECT_THAT(fault_paths(with("budget: {trials: 30}", "budget: {trials: x}")),
              Contains("budget.trials"));
  EXPECT_THAT(fault_paths("[1]"), Contains(""));
  EXPECT_FALSE(read_document("a: [").has_value());
}

TEST(SweepDocumentTest, EveryRecipeCanBeSwept) {
  const std::string text = R"(
recipe: |
  merge_method: ${method}
  base_model: base
  models: ${models}
  parameters: {density: "${d}", normalize: true}
  dtype: float32
space:
  method: {choice: [ties, dare_ties]}
  models:
    subset:
      - {model: sums, parameters: {weight: "${w}"}}
      - {model: words, parameters: {weight: 0.5}}
    at_least: 1
  w: {float: [0.1, 1], knots: 3}
  d: {float: [0.1, 1], filters: [self_attn, mlp, "*"]}
suites: [one]
)";
  auto document = read_document(text);
  ASSERT_TRUE(document) << describe(document.error());
  EXPECT_EQ(sampler::method_name(document->sampler.method), "tpe");
  ASSERT_EQ(document->sampler.space.size(), 3U + 1U + 2U + 3U);
  for (const sampler::Point& point : probe_points(*document)) {
    auto recipe = render(*document, point);
    ASSERT_TRUE(recipe);
    auto read = recipe::read_recipe(*recipe);
    ASSERT_TRUE(read) << *recipe << describe(read.error());
  }
  sampler::Point point = document->standard;
  const auto values = values_at(*document, point);
  EXPECT_EQ(values["method"], "ties");
  EXPECT_EQ(values["d"].size(), 3U);
  EXPECT_EQ(values["w"].size(), 3U);
  EXPECT_EQ(values["models"].size(), 2U);
}

TEST(SweepDocumentTest, ConstraintsHoldForEveryPoint) {
  auto document = read_document(with("seed: 7", "constraints: [{sum: [a, b], total: 1}]\nseed: 7"));
  ASSERT_TRUE(document) << describe(document.error());
  auto sampler = sampler::Sampler::create(document->sampler);
  ASSERT_TRUE(sampler);
  for (int i = 0; i < 6; ++i) {
    const auto ask = (*sampler)->ask();
    ASSERT_EQ(ask.status, sampler::AskStatus::kPoint);
    const auto values = values_at(*document, ask.point);
    EXPECT_NEAR(values["a"].get<double>() + values["b"].get<double>(), 1, 1e-12);
  }
}

TEST(SweepDocumentTest, VaryMakesAGrid) {
  auto text = document_of_vary(
      "merge_method: slerp\nbase_model: a\nmodels: [{model: a}, {model: b}]\nparameters: {t: "
      "0.5}\n",
      {"parameters.t=0:1:5"}, {"one"});
  ASSERT_TRUE(text);
  auto document = read_document(*text);
  ASSERT_TRUE(document) << describe(document.error());
  auto recipe = render(*document, {0.25});
  ASSERT_TRUE(recipe);
  EXPECT_THAT(*recipe, HasSubstr("0.25"));
  for (const char* bad : {"t", "t=0:1", "t=1:0:5", "t=0:1:1", "t=0:1:2.5", "t=a:1:5"}) {
    EXPECT_FALSE(document_of_vary("merge_method: slerp", {bad}, {"one"})) << bad;
  }
}

TEST(SweepDocumentTest, EditsAreDocuments) {
  auto larger = with_budget(kDocument, {{"items", 5000}});
  ASSERT_TRUE(larger);
  auto read = read_document(*larger);
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ(read->budget.items, 5000U);
  EXPECT_EQ(read->budget.trials, 30U);
  auto forked = started_at(kDocument, R"({"a": 0.25, "b": 0.75})");
  ASSERT_TRUE(forked);
  read = read_document(*forked);
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_THAT(read->standard, ElementsAre(0.25, 0.75));
  EXPECT_EQ(*std::get<sampler::CmaEsSettings>(read->sampler.method).start,
            (sampler::Point{0.25, 0.75}));
}

// Two suites of items whose ids decide who gets them right.
std::vector<task::Suite> small_suites(std::size_t items) {
  std::vector<task::Suite> suites;
  for (const char* name : {"one", "two"}) {
    task::Task task;
    task.name = name;
    task.primary_metric = "acc";
    task.metrics.push_back({"acc", "mean"});
    for (std::size_t i = 0; i < items; ++i) {
      task::Item item;
      item.id = std::to_string(i);
      task.items.push_back(item);
    }
    task::Suite suite;
    suite.name = name;
    suite.tasks.push_back(std::move(task));
    suites.push_back(std::move(suite));
  }
  return suites;
}

// An item is right with a probability that peaks at a = 0.7, b = 0.4.
class FakeScorer : public Scorer {
 public:
  explicit FakeScorer(const ItemPlan& items) : items_(items) {}

  Result<Scores> score(const Candidate& candidate,
                       std::span<const race::ItemPlace> places) override {
    ++calls;
    asked.push_back(candidate.recipe + candidate.model);
    double skill = 0.35;
    if (!candidate.recipe.empty()) {
      const double a = candidate.values.at("a");
      const double b = candidate.values.at("b");
      if (fails_above && a > *fails_above)
        return fail(ErrorCode::kInvalidArgument, "no such merge");
      skill = 0.9 - (a - 0.7) * (a - 0.7) - (b - 0.4) * (b - 0.4);
    }
    Scores scores;
    for (const race::ItemPlace& place : places) {
      const auto hardness =
          sha256(items_.task(place.suite).name + items_.task(place.suite).items[place.item].id);
      const double draw = static_cast<double>(std::hash<std::string>{}(hardness.hex()) % 10'000);
      scores.values.push_back(draw / 10'000 < skill ? 1 : 0);
    }
    scores.tokens = 10 * places.size();
    scores.seconds = 0.001;
    return scores;
  }

  std::size_t calls = 0;
  std::vector<std::string> asked;
  std::optional<double> fails_above;

 private:
  const ItemPlan& items_;
};

class SearchTest : public testing::Test {
 protected:
  SearchTest() : suites_(small_suites(400)) {
    auto items = ItemPlan::make(suites_, 0.5, 7);
    EXPECT_TRUE(items) << describe(items.error());
    items_.emplace(std::move(*items));
  }

  Document document(const std::string& text = kDocument) {
    auto read = read_document(text);
    EXPECT_TRUE(read) << describe(read.error());
    return *read;
  }

  // Ends after `most` events.
  Result<json> run(const Document& document, Scorer& scorer, const Kept& kept = {},
                   std::size_t most = SIZE_MAX) {
    SearchOptions options;
    options.parents = {"base", "sums", "words"};
    options.sink = [&, most](const json& event) -> Status {
      if (events_.size() >= most) return fail(ErrorCode::kIo, "killed");
      events_.push_back(event);
      return {};
    };
    return run_search(document, *items_, scorer, kept, options);
  }

  std::vector<task::Suite> suites_;
  std::optional<ItemPlan> items_;
  std::vector<json> events_;
};

TEST_F(SearchTest, FindsAWinnerAndSaysHowSure) {
  FakeScorer scorer(*items_);
  auto report = run(document(), scorer);
  ASSERT_TRUE(report) << describe(report.error());
  const json& winner = (*report)["winner"];
  EXPECT_NEAR(winner["values"]["a"].get<double>(), 0.7, 0.25);
  EXPECT_NEAR(winner["values"]["b"].get<double>(), 0.4, 0.25);
  EXPECT_EQ(winner["report"]["items"], items_->report().size());
  ASSERT_EQ((*report)["references"].size(), 4U);  // three parents and the default
  for (const json& reference : (*report)["references"]) {
    const bool parent = !reference["model"].is_null();
    EXPECT_EQ(reference["verdict"], parent ? "beats" : reference["verdict"]);
    EXPECT_LE(reference["low"], reference["difference"]);
    EXPECT_LE(reference["difference"], reference["high"]);
  }
  EXPECT_THAT((*report)["verdict"].get<std::string>(), HasSubstr("It beats parent base"));
  EXPECT_GE((*report)["inflation"]["expected"].get<double>(), 0);
  EXPECT_LT((*report)["race"]["evaluations"], (*report)["race"]["exhaustive"]);
  EXPECT_THAT(summary(*report), HasSubstr("better with probability"));
}

TEST_F(SearchTest, GoesOnWhereItWasKilledAtAnyPoint) {
  FakeScorer whole(*items_);
  auto wanted = run(document(), whole);
  ASSERT_TRUE(wanted);
  const std::vector<json> all = std::exchange(events_, {});
  for (std::size_t stop = 0; stop < all.size(); stop += 1 + all.size() / 100) {
    FakeScorer first(*items_);
    EXPECT_FALSE(run(document(), first, {}, stop));
    auto kept = kept_from(std::exchange(events_, {}));
    ASSERT_TRUE(kept);
    FakeScorer second(*items_);
    auto report = run(document(), second, *kept);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->dump(), wanted->dump()) << stop;
    // Nothing that was kept is asked again.
    EXPECT_EQ(kept->scores.size() + second.calls, whole.calls) << stop;
    // The same trials, in the same order.
    std::vector<json> trials, again;
    for (const json& event : all) {
      if (event["event"] == "candidate") trials.push_back(event);
    }
    for (const json& event : std::exchange(events_, {})) {
      if (event["event"] == "candidate") again.push_back(event);
    }
    EXPECT_EQ(trials, again) << stop;
  }
}

TEST_F(SearchTest, TheBudgetIsHard) {
  for (const std::size_t most : {2'300U, 3'000U, 5'000U}) {
    FakeScorer scorer(*items_);
    auto report =
        run(document(with("trials: 30", "trials: 200, items: " + std::to_string(most))), scorer);
    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_LE((*report)["cost"]["items"].get<std::size_t>(), most);
  }
  FakeScorer scorer(*items_);
  auto refused = run(document(with("trials: 30", "items: 100")), scorer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().faults.at(0).path, "budget.items");
  EXPECT_EQ(scorer.calls, 0U);
  // 10 tokens an item.
  auto report = run(document(with("trials: 30", "trials: 200, tokens: 30000")), scorer);
  ASSERT_TRUE(report);
  EXPECT_LE((*report)["cost"]["tokens"].get<std::size_t>(), 30'000U);
  EXPECT_EQ((*report)["race"]["stopped"], "budget of tokens spent");
}

TEST_F(SearchTest, MergesThatCannotBeMadeAreFailures) {
  FakeScorer scorer(*items_);
  scorer.fails_above = 0.8;
  auto report = run(document(with("cma_es, population: 6", "random")), scorer);
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_GT((*report)["race"]["failed"], 0);
  EXPECT_LE((*report)["winner"]["values"]["a"].get<double>(), 0.8);
  scorer.fails_above = -1;
  auto reference = run(document(), scorer);  // the default itself
  ASSERT_FALSE(reference);
  EXPECT_THAT(reference.error().message, HasSubstr("no such merge"));
}

TEST_F(SearchTest, SeveralObjectivesHaveAFront) {
  FakeScorer scorer(*items_);
  auto report = run(document(with("sampler: {name: cma_es, population: 6}",
                                  "sampler: {name: nsga2, population: 8}\nobjectives: suites")),
                    scorer);
  ASSERT_TRUE(report) << describe(report.error());
  ASSERT_TRUE((*report).contains("front")) << report->dump(1);
  ASSERT_FALSE((*report)["front"].empty());
  EXPECT_EQ((*report)["front"][0]["suites"].size(), 2U);
}

TEST_F(SearchTest, TuneAndReportShareNoItem) {
  std::set<std::pair<std::size_t, std::size_t>> seen;
  for (const auto& place : items_->tune()) seen.emplace(place.suite, place.item);
  for (const auto& place : items_->report()) {
    EXPECT_TRUE(seen.emplace(place.suite, place.item).second);
  }
  EXPECT_EQ(seen.size(), 800U);
}

TEST(SearchItemsTest, RefusesWhatNoShareCanScore) {
  auto suites = small_suites(40);
  suites[1].tasks[0].primary_metric = "word_perplexity";
  auto refused = ItemPlan::make(suites, 0.5, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().faults.at(0).path, "suites[1]");
}

TEST(SearchJournalTest, ATornLineIsCut) {
  const test::ScratchFolder folder;
  const json event = {{"event", "scores"}, {"name", "t0"},     {"subject", "s"}, {"phase", "tune"},
                      {"first", 0},        {"scores", {1, 0}}, {"tokens", 3},    {"seconds", 0.5}};
  {
    auto journal = Journal::open(folder.path() / "out");
    ASSERT_TRUE(journal);
    ASSERT_TRUE(journal->add(event));
    EXPECT_FALSE(Journal::open(folder.path() / "out").value().kept().scores.empty());
  }
  std::FILE* file = std::fopen((folder.path() / "out" / "journal.jsonl").c_str(), "a");
  std::fputs(R"({"event": "sco)", file);
  std::fclose(file);
  auto again = Journal::open(folder.path() / "out");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->kept().scores.size(), 1U);
  ASSERT_TRUE(again->add(event));
  EXPECT_TRUE(Journal::open(folder.path() / "out").has_value());
}

}  // namespace
}  // namespace crucible::server::search
