#include "evaluator/judge/judge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "evaluator/judge/conversations.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::judge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path kSample =
    std::filesystem::path(CRUCIBLE_SOURCE_DIR) / "tests/unit/evaluator/data/mt_bench";

// Answers each request by a script over its messages.
class TalkingModel final : public engine::LanguageModel {
 public:
  using Script = std::function<std::string(const std::vector<engine::ChatMessage>&)>;
  explicit TalkingModel(Script script) : script_(std::move(script)) {
    description_ = {"scripted", "talker", "f64", 8192, false};
  }
  const engine::ModelDescription& description() const override { return description_; }
  engine::Capabilities capabilities() const override { return {false, true, true, ""}; }
  Result<std::vector<engine::LoglikelihoodResult>> loglikelihood(
      std::span<const engine::LoglikelihoodRequest>, const engine::Call&) override {
    return fail(ErrorCode::kUnsupported, "only talks");
  }
  Result<std::vector<engine::GenerationResult>> generate(
      std::span<const engine::GenerationRequest> requests, const engine::Call&) override {
    std::vector<engine::GenerationResult> results;
    for (const engine::GenerationRequest& request : requests) {
      asked.push_back(request);
      engine::GenerationResult result;
      result.text = script_(request.messages);
      result.truncated = request.context.size() > longest;
      results.push_back(std::move(result));
    }
    return results;
  }
  Result<std::string> apply_chat_template(std::span<const engine::ChatMessage> messages,
                                          bool) const override {
    std::string text;
    for (const auto& message : messages) {
      if (message.role == "system" && !takes_system) {
        return fail(ErrorCode::kInvalidArgument, "system role is not known");
      }
      text += message.role + ": " + message.content + "\n";
    }
    return text;
  }

  std::vector<engine::GenerationRequest> asked;
  std::size_t longest = 100'000;
  bool takes_system = true;

 private:
  Script script_;
  engine::ModelDescription description_;
};

Rubric small_rubric() {
  Rubric rubric;
  rubric.name = "small";
  rubric.reference_categories = {"math"};
  rubric.set({false, false, false}, {"first", "You judge.", "Q {question} A {answer}"});
  rubric.set({false, false, true},
             {"second", "You judge.", "Q {question_1}/{question_2} A {answer_1}/{answer_2}"});
  rubric.set({false, true, false},
             {"first-math", "You judge.", "Q {question} R {ref_answer_1} A {answer}"});
  rubric.set({false, true, true}, {"second-math", "You judge.",
                                   "R {ref_answer_1}/{ref_answer_2} A {answer_1}/{answer_2}"});
  rubric.set({true, false, false}, {"pair", "", "Q {question} A {answer_a} B {answer_b}"});
  rubric.set({true, false, true},
             {"pair-second", "", "A {answer_a_1}/{answer_a_2} B {answer_b_1}/{answer_b_2}"});
  return rubric;
}

task::Task small_task() {
  return conversation_task(
      "talk", {{"1", "writing", {"Say a.", "Say b."}}, {"2", "math", {"1+1?", "2+2?"}}},
      {{"2", {"two", "four"}}});
}

TEST(Verdict, RatingsAsPublished) {
  EXPECT_EQ(parse_rating("Rating: [[8]]"), 8);
  EXPECT_EQ(parse_rating("[[8.5]] and [[3]]"), 8.5);
  EXPECT_EQ(parse_rating("[3] then [[9]]"), 9);
  EXPECT_EQ(parse_rating("Rating: [7]"), 7);
  EXPECT_EQ(parse_rating("[[10.]]"), 10);
  EXPECT_EQ(parse_rating("[[[6]]"), 6);
  for (const char* none : {"", "$ERROR$", "Rating: 8", "[[rating]]", "[[-3]]", "[[8/10]]",
                           "[[ 8 ]]", "[[.5]]", "[[", "[[8"}) {
    EXPECT_FALSE(parse_rating(none)) << none;
  }
}

TEST(Verdict, PreferencesInBothOrders) {
  EXPECT_EQ(parse_preference("I say [[A]]", false), Winner::kModel1);
  EXPECT_EQ(parse_preference("I say [[A]]", true), Winner::kModel2);
  EXPECT_EQ(parse_preference("[[B]]", true), Winner::kModel1);
  EXPECT_EQ(parse_preference("[[C]]", false), Winner::kTie);
  EXPECT_EQ(parse_preference("[[C]] or [[B]]", false), Winner::kModel2);  // A, B, C in this order
  EXPECT_EQ(parse_preference("[A]", false), Winner::kError);
  EXPECT_EQ(agreed(Winner::kModel1, Winner::kModel1), Winner::kModel1);
  EXPECT_EQ(agreed(Winner::kModel1, Winner::kModel2), Winner::kTie);
  EXPECT_EQ(agreed(Winner::kModel1, Winner::kTie), Winner::kTie);
  EXPECT_EQ(agreed(Winner::kModel1, Winner::kError), Winner::kError);
}

TEST(Verdict, ThoughtsAreNoVerdict) {
  EXPECT_EQ(parse_rating(without_reasoning("<think>maybe [[2]]</think> [[9]]")), 9);
  EXPECT_FALSE(parse_rating(without_reasoning("<think>[[2]]</think> no idea")));
}

TEST(RubricText, IsFilledInOnePass) {
  EXPECT_EQ(*fill("{a} {{x}} {b}", {{"a", "{b}"}, {"b", "2"}}), "{b} {x} 2");
  EXPECT_FALSE(fill("{c}", {{"a", "1"}}));
  EXPECT_FALSE(fill("lone } brace", {}));
  EXPECT_FALSE(fill("lone { brace", {}));
}

TEST(RubricFile, AllFaultsAtOnce) {
  const test::ScratchFolder folder;
  const auto file = folder.path() / "rubric.yaml";
  std::ofstream(file) << "scale: [5, 1]\nspeed: 3\nprompts:\n  single: {text: 'rate {answers}'}\n"
                         "  other: {text: x}\n  pair: {system: y}\n";
  const auto wrong = read_rubric(file);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().faults.size(), 7U) << describe(wrong.error());
}

TEST(RubricFile, IsRead) {
  const test::ScratchFolder folder;
  const auto file = folder.path() / "rubric.yaml";
  std::ofstream(file) << "name: brevity\nscale: [0, 5]\nreference_categories: [math]\nprompts:\n"
                         "  single: {system: Be fair., text: \"{question} {answer}\"}\n";
  const auto rubric = read_rubric(file);
  ASSERT_TRUE(rubric) << describe(rubric.error());
  EXPECT_EQ(rubric->most, 5);
  EXPECT_EQ(rubric->find({false, false, false})->system, "Be fair.");
  EXPECT_EQ(rubric->find({true, false, false}), nullptr);
  Rubric other = *rubric;
  other.most = 6;
  EXPECT_NE(other.digest(), rubric->digest());
}

TEST(Judgments, PublishedSampleGivesItsMeans) {
  const auto file = read_ratings(kSample / "gpt-4_single.jsonl");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->disagreements, 0U);
  const auto all = summarize(file->ratings, {{"111", "math"}});
  const RatingSummary& normal = all.at("Meta-Llama-3-8B-Instruct-Normal");
  EXPECT_EQ(normal.all.count, 10U);
  EXPECT_DOUBLE_EQ(normal.all.mean(), 7.2);
  EXPECT_EQ(normal.dropped, 4U);
  EXPECT_EQ(normal.duplicates, 4U);
  const auto first = summarize(file->ratings, {}, true);
  EXPECT_LT(first.at("Meta-Llama-3-8B-Instruct-Normal").all.count, normal.all.count + 1);
  EXPECT_EQ(normal.categories.at("math").count, 2U);
}

TEST(Judgments, PublishedPairsGiveTheirWins) {
  const auto file = read_comparisons(kSample / "gpt-4_pair.jsonl");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->disagreements, 0U);
  const auto all = summarize(file->comparisons);
  ASSERT_EQ(all.size(), 1U);
  const PairSummary& pair = all.begin()->second;
  EXPECT_EQ(pair.wins_1, 1U);
  EXPECT_EQ(pair.wins_2, 2U);
  EXPECT_EQ(pair.ties, 6U);
  EXPECT_EQ(pair.errors, 2U);
  EXPECT_DOUBLE_EQ(pair.adjusted_win_rate_1(), 4.0 / 9.0);
}

TEST(Conversations, SeeTheirOwnAnswers) {
  TalkingModel model(
      [](const auto& messages) { return "answer " + std::to_string(messages.size()); });
  const task::Task task = small_task();
  const auto answers = run_conversations(model, task, {});
  ASSERT_TRUE(answers) << answers.error().message;
  EXPECT_THAT((*answers)[0], ElementsAre("answer 1", "answer 3"));
  ASSERT_EQ(model.asked.size(), 4U);
  EXPECT_EQ(model.asked[2].messages[1].content, "answer 1");
  EXPECT_TRUE(model.asked[0].settings.do_sample);  // writing
  EXPECT_DOUBLE_EQ(model.asked[0].settings.temperature, 0.7);
  EXPECT_FALSE(model.asked[1].settings.do_sample);  // math
  EXPECT_EQ(model.asked[1].settings.max_new_tokens, 1024U);
}

TEST(JudgeTest, RatesEveryTurnWithItsPrompt) {
  TalkingModel model([](const auto& messages) {
    return messages.back().content.find("R two") != std::string::npos ? "[[3]]" : "[[9]]";
  });
  std::vector<Json> kept;
  JudgeSettings settings{"gpt", 100, 7, [&](const Json& line) {
                           kept.push_back(line);
                           return Status();
                         }};
  Judge judge(model, small_rubric(), settings);
  const task::Task task = small_task();
  const std::vector<Conversation> talks = {{&task.items[0], {"a{x}", "b"}},
                                           {&task.items[1], {"2", "4"}}};
  const auto ratings = judge.rate(talks, "m", {});
  ASSERT_TRUE(ratings) << ratings.error().message;
  ASSERT_EQ(ratings->size(), 4U);
  EXPECT_EQ((*ratings)[0].user_prompt, "Q Say a. A a{x}");
  EXPECT_EQ((*ratings)[1].user_prompt, "Q Say a./Say b. A a{x}/b");
  EXPECT_EQ((*ratings)[2].user_prompt, "Q 1+1? R two A 2");
  EXPECT_EQ((*ratings)[3].user_prompt, "R two/four A 2/4");
  EXPECT_EQ((*ratings)[0].score, 9);
  EXPECT_EQ((*ratings)[2].score, 3);
  ASSERT_EQ(kept.size(), 4U);
  EXPECT_EQ(kept[0]["judge"][1], "first");
  EXPECT_EQ(kept[0]["seed"], 7);
  EXPECT_EQ(kept[0]["prompt_digest"].get<std::string>().size(), 64U);
  EXPECT_EQ(kept[0]["question_id"], 1);
  EXPECT_EQ(model.asked[0].messages.front().role, "system");
}

TEST(JudgeTest, WhatIsNoVerdictIsNoScore) {
  int number = 0;
  TalkingModel model([&](const auto&) {
    return std::vector<std::string>{"great!", "[[11]]", "[[0]]",
                                    "[[5]]"}[static_cast<std::size_t>(number++ % 4)];
  });
  Judge judge(model, small_rubric(), {"gpt", 100, 1, nullptr});
  task::Task task = small_task();
  ASSERT_TRUE(judge.prepare(task));
  const metric::Responses responses{{}, {}, {"x", "y"}};
  const std::vector<const task::Item*> items = {&task.items[0], &task.items[1]};
  const std::vector<const metric::Responses*> given = {&responses, &responses};
  const auto scores = judge.grade(task, items, given, {});
  ASSERT_TRUE(scores) << scores.error().message;
  const metric::ItemScore& first = (*scores)[0].front();
  EXPECT_EQ(first.filter, judge.identity());
  EXPECT_FALSE(first.metrics.contains("rating"));
  EXPECT_THAT(first.metrics.at("no_verdict").numbers, ElementsAre(1.0));
  EXPECT_THAT(first.note, HasSubstr("outside the scale"));
  const metric::ItemScore& second = (*scores)[1].front();
  EXPECT_THAT(second.metrics.at("rating").numbers, ElementsAre(5.0));
  EXPECT_FALSE(second.metrics.contains("rating_turn_1"));
  EXPECT_THAT(second.metrics.at("rating_turn_2").numbers, ElementsAre(5.0));
  EXPECT_THAT(second.metrics.at("rating_math").numbers, ElementsAre(5.0));
  EXPECT_THAT(second.metrics.at("no_verdict").numbers, ElementsAre(0.5));
}

TEST(JudgeTest, ACutPromptGivesNoScore) {
  TalkingModel model([](const auto&) { return "[[9]]"; });
  model.longest = 5;
  Judge judge(model, small_rubric(), {"gpt", 100, 1, nullptr});
  const task::Task task = small_task();
  const std::vector<Conversation> talks = {{&task.items[0], {"a"}}};
  const auto ratings = judge.rate(talks, "m", {});
  ASSERT_TRUE(ratings);
  EXPECT_FALSE((*ratings)[0].score);
  EXPECT_THAT((*ratings)[0].note, HasSubstr("context"));
}

TEST(JudgeTest, SystemTextGoesWhereTheTemplateTakesIt) {
  TalkingModel model([](const auto&) { return "[[9]]"; });
  model.takes_system = false;
  Judge judge(model, small_rubric(), {"gpt", 100, 1, nullptr});
  const task::Task task = small_task();
  const std::vector<Conversation> talks = {{&task.items[0], {"a"}}};
  ASSERT_TRUE(judge.rate(talks, "m", {}));
  EXPECT_EQ(model.asked[0].messages.size(), 1U);
  EXPECT_THAT(model.asked[0].messages[0].content, HasSubstr("You judge.\n\nQ Say a."));
}

TEST(JudgeTest, ComparesInBothOrders) {
  // Always prefers the first answer shown: no win may come of it.
  TalkingModel model([](const auto&) { return "[[A]]"; });
  Judge judge(model, small_rubric(), {"gpt", 100, 1, nullptr});
  const task::Task task = small_task();
  const std::vector<Conversation> one = {{&task.items[0], {"x1", "x2"}}};
  const std::vector<Conversation> two = {{&task.items[0], {"y1", "y2"}}};
  const auto compared = judge.compare(one, "one", two, "two", {});
  ASSERT_TRUE(compared) << compared.error().message;
  ASSERT_EQ(compared->size(), 2U);
  EXPECT_EQ((*compared)[0].first_prompt, "Q Say a. A x1 B y1");
  EXPECT_EQ((*compared)[0].second_prompt, "Q Say a. A y1 B x1");
  EXPECT_EQ((*compared)[1].second_prompt, "A y1/y2 B x1/x2");
  EXPECT_EQ(summarize(*compared).begin()->second.ties, 2U);
}

TEST(JudgeTest, ScoresOfDifferentJudgesNeverShareAColumn) {
  TalkingModel model([](const auto&) { return "[[9]]"; });
  Rubric other = small_rubric();
  other.set({false, false, false}, {"first", "You judge.", "Q {question} A {answer}!"});
  const Judge a(model, small_rubric(), {"gpt", 100, 1, nullptr});
  const Judge b(model, small_rubric(), {"claude", 100, 1, nullptr});
  const Judge c(model, other, {"gpt", 100, 1, nullptr});
  EXPECT_NE(a.identity(), b.identity());
  EXPECT_NE(a.identity(), c.identity());
  task::Suite suite;
  suite.name = "talks";
  suite.tasks = {small_task()};
  suite.score.of.resize(1);
  suite.score.of[0].task = "talk";
  task::Suite second = suite;
  ASSERT_TRUE(a.prepare(suite));
  ASSERT_TRUE(c.prepare(second));
  EXPECT_EQ(suite.score.of[0].filter, a.identity());
  EXPECT_EQ(suite.tasks[0].primary_filter, a.identity());
  EXPECT_NE(suite.digest, second.digest);
  EXPECT_NE(suite.tasks[0].digest, second.tasks[0].digest);
}

TEST(JudgeTest, ReferencesMustBeThere) {
  TalkingModel model([](const auto&) { return "[[9]]"; });
  const Judge judge(model, small_rubric(), {"gpt", 100, 1, nullptr});
  task::Task task = conversation_task("talk", {{"2", "math", {"1+1?"}}}, {});
  const auto prepared = judge.prepare(task);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace crucible::judge
