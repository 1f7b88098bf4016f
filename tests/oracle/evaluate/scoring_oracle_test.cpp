// Holds filters, metrics, aggregations and named rules against lm-evaluation-harness 0.4.13;
// make_scoring_goldens.py, make_ifeval_goldens.py, make_math_goldens.py and make_regex_goldens.py
// wrote what it, sympy, math-verify and Python's `re` said.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "evaluator/metric/filter.hpp"
#include "evaluator/metric/latex_expression.hpp"
#include "evaluator/metric/math_answer.hpp"
#include "evaluator/metric/math_equivalence.hpp"
#include "evaluator/metric/scoring.hpp"
#include "evaluator/task/minerva_answer.hpp"
#include "evaluator/text/regex.hpp"
#include "gtest/gtest.h"
#include "tests/oracle/evaluate/scoring_case.hpp"

namespace crucible::metric {
namespace {

using task::Json;

const std::filesystem::path kGoldens =
    std::filesystem::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate" / "goldens";

Json golden(const char* file) {
  std::ifstream in(kGoldens / file);
  return Json::parse(in);
}

std::map<std::string, std::vector<Json>> by_kind() {
  std::map<std::string, std::vector<Json>> kinds;
  for (Json& one : golden("scoring.json")) {
    kinds[one.at("kind").get<std::string>()].push_back(std::move(one));
  }
  return kinds;
}

void expect_near(double given, double expected, double relative) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(given)) << given;
  } else {
    EXPECT_NEAR(given, expected, relative * std::max(1.0, std::fabs(expected)));
  }
}

TEST(ScoringOracle, FiltersGiveWhatTheHarnessGives) {
  const auto cases = by_kind()["filter"];
  EXPECT_GE(cases.size(), 600U);
  for (const Json& one : cases) {
    SCOPED_TRACE(one.at("steps").dump() + " of " + one.at("responses").dump());
    const auto given =
        apply_filters(oracle::pipeline(one.at("steps")),
                      one.at("responses").get<std::vector<std::string>>(), one.at("document"));
    const bool raises = one.at("filtered").is_object();
    // Number words that the harness ends the run for are an answer without a match here.
    if (raises && one.at("steps")[0].at("function") == "NumberParseRegexFilter") {
      ASSERT_TRUE(given) << describe(given.error());
      EXPECT_EQ(given->value, Json("[invalid]"));
      continue;
    }
    if (raises) {
      EXPECT_FALSE(given) << given->value.dump();
      continue;
    }
    ASSERT_TRUE(given) << describe(given.error());
    EXPECT_EQ(given->value, one.at("filtered"));
  }
}

TEST(ScoringOracle, MetricsAndRulesGiveWhatTheHarnessGives) {
  const auto cases = by_kind()["score"];
  EXPECT_GE(cases.size(), 700U);
  for (const Json& one : cases) {
    SCOPED_TRACE(one.dump());
    const auto scores = score_item(oracle::task_of(one.at("task")), oracle::item_of(one.at("item")),
                                   oracle::responses_of(one.at("responses")));
    ASSERT_TRUE(scores) << describe(scores.error());
    for (const auto& [name, expected] : one.at("metrics").items()) {
      const auto found = scores->front().metrics.find(name);
      ASSERT_NE(found, scores->front().metrics.end()) << name;
      const std::vector<double>& numbers = found->second.numbers;
      ASSERT_EQ(numbers.size(), expected.size()) << name;
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        expect_near(numbers[i], expected[i].get<double>(), 1e-9);
      }
    }
  }
}

// Standard errors come from the harness's own draws, so they agree to rounding.
TEST(ScoringOracle, AggregationsAndTheirStandardErrorsEqualTheHarness) {
  const auto cases = by_kind()["aggregate"];
  EXPECT_GE(cases.size(), 20U);
  for (const Json& one : cases) {
    SCOPED_TRACE(one.at("aggregation").dump());
    std::vector<MetricValue> values;
    for (const Json& value : one.at("values")) values.push_back(oracle::value_of(value));
    const auto given = aggregate({one.at("metric").get<std::string>(),
                                  one.at("aggregation").get<std::string>(), true, Json::object()},
                                 values);
    ASSERT_TRUE(given) << describe(given.error());
    expect_near(given->value, one.at("value").get<double>(), 1e-9);
    const Json& error = one.at("stderr");
    if (error.is_null()) {
      EXPECT_TRUE(std::isnan(given->stderr_)) << given->stderr_;
    } else {
      expect_near(given->stderr_, error.get<double>(), 1e-9);
    }
  }
}

// Answers to IFEval's prompts and to one prompt with every kind of instruction.
TEST(ScoringOracle, EveryInstructionIsJudgedAsTheHarnessJudges) {
  const Json cases = golden("ifeval.json");
  EXPECT_GE(cases.size(), 500U);
  task::Task task = oracle::task_of({{"output_type", "generate_until"}});
  task.process_results = "ifeval";
  std::map<std::string, int> judged;
  for (const Json& one : cases) {
    SCOPED_TRACE(one.at("text").get<std::string>());
    task::Item item;
    item.document = one;
    const auto scores = score_item(task, item, {{}, {}, {one.at("text").get<std::string>()}});
    ASSERT_TRUE(scores) << describe(scores.error());
    for (const auto& [key, metric] : {std::pair{"strict", "inst_level_strict_acc"},
                                      std::pair{"loose", "inst_level_loose_acc"}}) {
      const auto& given = scores->front().metrics.at(metric).numbers;
      const auto expected = one.at(key).get<std::vector<double>>();
      ASSERT_EQ(given.size(), expected.size());
      for (std::size_t i = 0; i < given.size(); ++i) {
        EXPECT_EQ(given[i], expected[i]) << key << " " << one.at("instruction_id_list")[i]
                                         << one.at("kwargs")[i].dump().substr(0, 200);
      }
    }
    for (const Json& id : one.at("instruction_id_list")) ++judged[id.get<std::string>()];
  }
  EXPECT_EQ(judged.size(), 25U);
  for (const auto& [id, count] : judged) EXPECT_GE(count, 25) << id;
}

TEST(ScoringOracle, MathAnswersHaveTheHarnessNormalForms) {
  const Json all = golden("math.json");
  for (const Json& one : all.at("normal_forms")) {
    const std::string answer = one.at("answer");
    SCOPED_TRACE(answer);
    const auto text = [](const std::optional<std::string>& value) {
      return value ? Json(*value) : Json();
    };
    EXPECT_EQ(text(hendrycks_normal(answer, SlashRule::kStrict)), one.at("hendrycks"));
    EXPECT_EQ(task::normalize_minerva_answer(answer), one.at("minerva").get<std::string>());
    EXPECT_EQ(leaderboard_normal(answer), one.at("leaderboard").get<std::string>());
    EXPECT_EQ(text(agieval_math_answer(answer)), one.at("agieval"));
  }
}

struct Agreement {
  int same = 0;
  int differ = 0;
};

// What sympy proves against values at points; README.md says where the two differ.
TEST(ScoringOracle, FormulasAreEqualWhereSympySaysSo) {
  Agreement agreement;
  const Json all = golden("math.json");
  for (const Json& one : all.at("same_value")) {
    const bool given = same_value(one.at(0).get<std::string>(), one.at(1).get<std::string>());
    ++(given == one.at(2).get<bool>() ? agreement.same : agreement.differ);
    if (given != one.at(2).get<bool>()) std::printf("differs from sympy: %s\n", one.dump().c_str());
  }
  std::printf("%d of %d as sympy\n", agreement.same, agreement.same + agreement.differ);
  EXPECT_GE(agreement.same, 1000);
  EXPECT_LE(agreement.differ, 3);
}

TEST(ScoringOracle, AnswersAreVerifiedAsMathVerifyDoes) {
  Agreement agreement;
  const Json all = golden("math.json");
  for (const Json& one : all.at("verify")) {
    const bool given = verifies_answer(one.at(0).get<std::string>(), one.at(1).get<std::string>());
    ++(given == one.at(2).get<bool>() ? agreement.same : agreement.differ);
    if (given != one.at(2).get<bool>()) {
      std::printf("differs from math-verify: %s\n", one.dump().c_str());
    }
  }
  const int asked = agreement.same + agreement.differ;
  std::printf("%d of %d as math-verify\n", agreement.same, asked);
  EXPECT_GE(asked, 1000);
  EXPECT_LE(agreement.differ, 3);
}

text::RegexFlags flags_of(const std::string& letters) {
  text::RegexFlags flags;
  flags.ignore_case = letters.find('i') != std::string::npos;
  flags.multiline = letters.find('m') != std::string::npos;
  flags.dot_all = letters.find('s') != std::string::npos;
  flags.verbose = letters.find('x') != std::string::npos;
  flags.ascii = letters.find('a') != std::string::npos;
  return flags;
}

TEST(ScoringOracle, RegularExpressionsMeanWhatTheyMeanToPython) {
  const Json all = golden("regex.json");
  for (const Json& one : all.at("patterns")) {
    SCOPED_TRACE(one.at("pattern").get<std::string>());
    const auto regex = text::Regex::compile(one.at("pattern").get<std::string>(),
                                            flags_of(one.at("flags").get<std::string>()));
    ASSERT_TRUE(regex) << describe(regex.error());
    for (const Json& subject : one.at("subjects")) {
      const std::string text = all.at("texts")[subject.at("text").get<std::size_t>()];
      const auto matches = regex->find_all(text);
      ASSERT_TRUE(matches) << describe(matches.error());
      Json found = Json::array();
      for (const text::Match& match : *matches) {
        Json groups = Json::array();
        for (std::size_t i = 0; i <= match.groups(); ++i) groups.push_back(match.group(text, i));
        found.push_back(groups);
      }
      EXPECT_EQ(found, subject.at("found")) << text;
      const auto replaced = regex->sub(one.at("replacement").get<std::string>(), text);
      ASSERT_TRUE(replaced) << describe(replaced.error());
      EXPECT_EQ(*replaced, subject.at("replaced").get<std::string>()) << text;
      EXPECT_EQ(Json(*regex->split(text)), subject.at("pieces")) << text;
    }
  }
  for (const Json& pattern : all.at("refused")) {
    EXPECT_FALSE(text::Regex::compile(pattern.get<std::string>())) << pattern;
  }
}

}  // namespace
}  // namespace crucible::metric
