#pragma once

#include <map>
#include <string>
#include <vector>

#include "evaluator/task/dataset.hpp"

namespace crucible::test {

// Stands in for every data set that built-in tasks ask for: thirty invented rows of its columns.
class SampleRows final : public task::DatasetSource {
 public:
  Result<std::vector<task::Json>> rows(const task::DatasetReference& dataset,
                                       const std::string&) override {
    std::vector<task::Json> rows;
    for (int i = 0; i < 30; ++i) rows.push_back(row(dataset, std::to_string(i)));
    return rows;
  }

 private:
  static task::Json row(const task::DatasetReference& dataset, const std::string& i) {
    using task::Json;
    const std::string& path = dataset.path;
    if (path == "hails/agieval-math") return {{"query", "Q: " + i}, {"answer", i}};
    if (path.starts_with("hails/agieval-")) {
      return {{"query", "P" + i + ". Q: why?"}, {"choices", {"(A)a", "(B)b"}}, {"gold", {0}}};
    }
    const Json columns = {{"text", {"a" + i, "b"}}, {"label", {"A", "B"}}};
    const Json targets = {{"choices", {"a" + i, "b"}}, {"labels", {1, 0}}};
    const Json emotions = {{"emotion1", "Sad"},   {"emotion2", "Glad"},  {"emotion3", "Calm"},
                           {"emotion4", "Proud"}, {"emotion1_score", 1}, {"emotion2_score", 2},
                           {"emotion3_score", 3}, {"emotion4_score", 4}};
    const std::map<std::string, Json> known = {
        {"allenai/ai2_arc", {{"question", i}, {"choices", columns}, {"answerKey", "A"}}},
        {"allenai/openbookqa", {{"question_stem", i}, {"choices", columns}, {"answerKey", "B"}}},
        {"Rowan/hellaswag",
         {{"activity_label", "Act"},
          {"ctx_a", i},
          {"ctx_b", "then"},
          {"endings", {"x", "y", "z", "w"}},
          {"label", "2"}}},
        {"baber/piqa", {{"goal", i}, {"sol1", "a"}, {"sol2", "b"}, {"label", 0}}},
        {"aps/super_glue", {{"question", i}, {"passage", "p"}, {"label", 1}}},
        {"allenai/winogrande",
         {{"sentence", i + " saw _ there."}, {"option1", "a"}, {"option2", "b"}, {"answer", "1"}}},
        {"truthfulqa/truthful_qa",
         {{"question", i}, {"mc1_targets", targets}, {"mc2_targets", targets}}},
        {"openai/gsm8k", {{"question", i}, {"answer", "#### " + i}}},
        {"cais/mmlu",
         {{"question", i}, {"subject", "s"}, {"choices", {"a", "b", "c", "d"}}, {"answer", 3}}},
        {"bigbench_nous",
         {{"query", "q" + i},
          {"choices", {"a", "b"}},
          {"gold", {1}},
          {"target_scores", {{"a", 0}, {"b", 1}}}}},
        {"SaylorTwift/bbh", {{"input", i}, {"target", "(A)"}}},
        {"wis-k/instruction-following-eval",
         {{"key", 1},
          {"prompt", i},
          {"instruction_id_list", {"punctuation:no_comma"}},
          {"kwargs", Json::array({Json::object()})}}},
        {"DigitalLearningGmbH/MATH-lighteval",
         {{"problem", i},
          {"level", "Level 5"},
          {"type", "Algebra"},
          {"solution", "It is $\\boxed{" + i + "}$."}}},
        {"Idavidrein/gpqa",
         {{"Question", i},
          {"Correct Answer", "r"},
          {"Incorrect Answer 1", "x"},
          {"Incorrect Answer 2", "y"},
          {"Incorrect Answer 3", "z"}}},
        {"TAUR-Lab/MuSR",
         {{"narrative", "n" + i},
          {"question", "q"},
          {"choices", "['a', 'b']"},
          {"answer_index", 0},
          {"answer_choice", "a"}}},
        {"TIGER-Lab/MMLU-Pro", {{"question", i}, {"options", {"a", "b", "c"}}, {"answer", "B"}}},
        {"eq_bench",
         {{"prompt", i + "First pass scores:\nCritique: <your critique here>\n[End of answer]\n"},
          {"reference_answer", emotions},
          {"reference_answer_fullscale", emotions}}},
        {"pbevan11/EQ-Bench",
         {{"prompt", i}, {"reference_answer", "{}"}, {"reference_answer_fullscale", "{}"}}},
        {"EleutherAI/wikitext_document_level", {{"page", " = T = \n" + i}}}};
    return known.at(path);
  }
};

}  // namespace crucible::test
