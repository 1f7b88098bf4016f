// Answers made to break the reading of them: none may crash, hang or pass for a right one.
#include <chrono>
#include <string>
#include <vector>

#include "evaluator/metric/ifeval.hpp"
#include "evaluator/metric/latex_expression.hpp"
#include "evaluator/metric/math_answer.hpp"
#include "evaluator/metric/math_equivalence.hpp"
#include "evaluator/metric/scoring.hpp"
#include "gtest/gtest.h"

namespace crucible::metric {
namespace {

using task::Json;
using Clock = std::chrono::steady_clock;

std::string repeated(std::string_view piece, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

std::vector<std::string> hostile_texts() {
  std::vector<std::string> texts = {"",
                                    " ",
                                    "\n\n\n",
                                    std::string(1, '\0'),
                                    "\xff\xfe\xc3",
                                    "\xed\xa0\x80",
                                    "[]{}()<>\"'`",
                                    "***",
                                    "9^9^9^9",
                                    "9^{9^{9^{9^9}}}",
                                    "\\boxed{",
                                    "\\boxed{}}}",
                                    "\\boxed{\\boxed{",
                                    "}\\boxed",
                                    "\\frac",
                                    "\\frac{1}{0}",
                                    "0/0",
                                    "1e999999",
                                    "10000000000!",
                                    "\\binom{1700}{850}",
                                    "\\binom{-1}{3}",
                                    "\\sqrt[0]{2}",
                                    "\\log_1 5",
                                    "\\log 0",
                                    "\\infty-\\infty",
                                    "\\sqrt",
                                    "x_{x_{x_{x}}}",
                                    "\\text{",
                                    "$",
                                    "$$",
                                    "$$$",
                                    "\\[",
                                    "\\(\\)",
                                    "%",
                                    "\\%",
                                    "-",
                                    "--1",
                                    "=",
                                    "==",
                                    "a=b=c=d",
                                    "\\\\",
                                    "\\begin{pmatrix}\\end{pmatrix}",
                                    "\\begin{pmatrix}1&2\\\\",
                                    "(1,2",
                                    "1,2)",
                                    "(,)",
                                    "\\{\\}"};
  for (const char* piece : {"(",
                            ")",
                            "{",
                            "[",
                            "$",
                            "\\[",
                            "\\boxed{",
                            "\\frac{",
                            "\\frac{1}{",
                            "\\sqrt{",
                            "\\sqrt[",
                            "|",
                            "9^",
                            "1+",
                            "x!",
                            "-",
                            "\\left(",
                            "\\text{",
                            "a,",
                            "1 ",
                            "answer: ",
                            "final answer is $",
                            "$1$ and ",
                            "_",
                            "^{",
                            "\\log_",
                            "\\begin{pmatrix}",
                            "\"",
                            "*",
                            "**a** ",
                            "- a\n",
                            "***\n",
                            "\n\n",
                            "<<a>> ",
                            "[a] ",
                            "{\"a\":",
                            "٣",
                            "🙂",
                            "\xff",
                            "e\xCC\x81",
                            "Mr. ",
                            "a. ",
                            "... ",
                            "P.S. ",
                            "******"}) {
    texts.push_back(repeated(piece, 40'000 / std::string_view(piece).size()));
    texts.push_back("The final answer is $" + repeated(piece, 600) + "$. I hope it is correct.");
    texts.push_back("\\boxed{" + repeated(piece, 300) + "1" + repeated("}", 300));
  }
  return texts;
}

TEST(HostileAnswers, MathematicsEndsSoonAndGivesNothing) {
  for (const std::string& text : hostile_texts()) {
    const auto start = Clock::now();
    EXPECT_FALSE(verifies_answer("314159", text)) << text.substr(0, 80);
    EXPECT_FALSE(same_value("314159", text)) << text.substr(0, 80);
    EXPECT_FALSE(hendrycks_equal("314159", text, SlashRule::kStrict));
    for (const char* rule :
         {"minerva_math", "leaderboard_math", "hendrycks_math", "agieval_math"}) {
      task::Task task;
      task.output_type = task::OutputType::kGenerateUntil;
      task.process_results = rule;
      task.filters = {{"none", {{"take_first", Json::object()}}}};
      task::Item item;
      item.document = {{"solution", "$\\boxed{314159}$"}, {"answer", "314159"}};
      const auto scores = score_item(task, item, {{}, {}, {text}});
      ASSERT_TRUE(scores) << rule << ": " << describe(scores.error());
    }
    const std::chrono::duration<double> seconds = Clock::now() - start;
    EXPECT_LT(seconds.count(), 60) << text.substr(0, 80);
  }
}

TEST(HostileAnswers, FormulasAreBoundedInDepthAndLength) {
  EXPECT_TRUE(Expression::parse(repeated("(", 40) + "x" + repeated(")", 40)));
  EXPECT_FALSE(Expression::parse(repeated("(", 200) + "x" + repeated(")", 200)));
  EXPECT_TRUE(Expression::parse(repeated("1+", 1900) + "1"));
  EXPECT_FALSE(Expression::parse(repeated("1+", 2500) + "1"));
  EXPECT_TRUE(same_value(repeated("1+", 999) + "1", "1000"));
  EXPECT_FALSE(same_value("9^{9^{9}}", "9^{9^{9}}+1"));
  EXPECT_FALSE(same_value("10^{5000}", "10^{5000}"));  // beyond what is computed
}

TEST(HostileAnswers, NoInstructionOfIfevalCrashes) {
  const Json arguments = {{"keywords", {"(", "a"}},
                          {"keyword", "a+"},
                          {"frequency", 2},
                          {"relation", "at least"},
                          {"forbidden_words", {"[", "x"}},
                          {"letter", "a"},
                          {"let_frequency", 3},
                          {"let_relation", "less than"},
                          {"language", "en"},
                          {"num_sentences", 3},
                          {"num_paragraphs", 3},
                          {"num_words", 10},
                          {"nth_paragraph", 2},
                          {"first_word", "the"},
                          {"num_placeholders", 2},
                          {"postscript_marker", "P.S."},
                          {"num_bullets", 2},
                          {"num_highlights", 2},
                          {"section_spliter", "Section ("},
                          {"num_sections", 2},
                          {"prompt_to_repeat", "again"},
                          {"end_phrase", "done"},
                          {"capital_frequency", 1},
                          {"capital_relation", "at least"}};
  for (const std::string& text : hostile_texts()) {
    const auto start = Clock::now();
    for (const std::string_view id : instruction_ids()) {
      const auto follows = follows_instruction(id, arguments, text);
      ASSERT_TRUE(follows) << id << ": " << describe(follows.error());
    }
    const std::chrono::duration<double> seconds = Clock::now() - start;
    EXPECT_LT(seconds.count(), 60) << text.substr(0, 80);
  }
}

TEST(HostileAnswers, MissingOrWrongArgumentsOfIfevalAreErrors) {
  for (const std::string_view id : instruction_ids()) {
    for (const Json& arguments : {Json::object(), Json(nullptr), Json{{"num_words", "many"}}}) {
      const auto follows = follows_instruction(id, arguments, "Some text.");
      if (follows) continue;
      EXPECT_EQ(follows.error().code, ErrorCode::kInvalidArgument) << id;
    }
  }
  EXPECT_FALSE(follows_instruction("length_constraints:number_words", Json::object(), "a"));
  EXPECT_EQ(follows_instruction("no:such", {}, "a").error().code, ErrorCode::kUnsupported);
  task::Task task;
  task.output_type = task::OutputType::kGenerateUntil;
  task.process_results = "ifeval";
  task.filters = {{"none", {{"take_first", Json::object()}}}};
  for (const Json& document :
       {Json::object(), Json{{"instruction_id_list", {1}}, {"kwargs", {Json::object()}}},
        Json{{"instruction_id_list", {"punctuation:no_comma"}}, {"kwargs", Json::array()}}}) {
    task::Item item;
    item.document = document;
    EXPECT_FALSE(score_item(task, item, {{}, {}, {"text"}})) << document;
  }
}

}  // namespace
}  // namespace crucible::metric
