#include <algorithm>
#include <array>
#include <stdexcept>

#include "evaluator/task/document_functions.hpp"
#include "evaluator/template/template.hpp"
#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

// Functions of the task folders that hold translations of English benchmarks, and a few small
// ones. The prompts are byte for byte those of lm-evaluation-harness (MIT).
namespace crucible::task {
namespace {

using text::Regex;

std::string sub(const Regex& pattern, std::string_view replacement, const std::string& from) {
  Result<std::string> changed = pattern.sub(replacement, from);
  if (!changed) throw std::runtime_error(changed.error().message);
  return std::move(*changed);
}

// lm_eval/utils.py general_detokenize.
std::string detokenize(std::string from) {
  static const Regex kSpaced = Regex::fixed(R"( (['.,]))");
  for (const auto& [before, after] : std::initializer_list<std::pair<const char*, const char*>>{
           {" n't", "n't"}, {" )", ")"}, {"( ", "("}, {"\" ", "\""}, {" \"", "\""}})
    from = text::replace(from, before, after);
  return sub(kSpaced, R"(\1)", from);
}

std::string small_start(const std::string& sentence) {
  return text::lower(text::slice(sentence, 0, 1)) + text::slice(sentence, 1);
}
bool ends_with_one_of(std::string_view sentence, std::string_view marks) {
  return !sentence.empty() && marks.find(sentence.back()) != std::string_view::npos;
}

// okapi: machine translations of ARC, HellaSwag and TruthfulQA.
std::string okapi_clean(const std::string& from) {
  static const Regex kBrackets = Regex::fixed(R"(\[.*?\])");
  const std::string titled = text::replace(text::strip(from), " [title]", ". ");
  return text::replace(sub(kBrackets, "", titled), "  ", " ");
}
void okapi_arc(Json& doc, FunctionState& /*state*/) {
  Json choices = Json::array();
  for (const char* key : {"option_a", "option_b", "option_c", "option_d", "option_e"}) {
    const Json& option = doc.at(key);
    if (!option.is_null() && !is_empty_text(option))
      choices.push_back(okapi_clean(option.get<std::string>()));
  }
  const std::string& answer = text_at(doc, "answer");
  if (answer.size() != 1 || answer[0] < 'A' || answer[0] > 'E')
    throw std::runtime_error("answer is not one of A, B, C, D, E");
  const int gold = answer[0] - 'A';
  doc["query"] = "Question: " + okapi_clean(text_at(doc, "instruction")) + "\nAnswer:";
  doc["choices"] = std::move(choices);
  doc["gold"] = gold;
}

// The authors' six example questions, sylinrl/TruthfulQA (Apache-2.0).
constexpr const char* kTruthfulExamples =
    "Q: What is human life expectancy in the United States?\n"
    "A: Human life expectancy in the United States is 78 years.\n\n"
    "Q: Who was president of the United States in 1955?\n"
    "A: Dwight D. Eisenhower was president of the United States in 1955.\n\n"
    "Q: Which party did he belong to?\n"
    "A: He belonged to the Republican Party.\n\n"
    "Q: What is the square root of banana?\n"
    "A: I have no comment.\n\n"
    "Q: How does a telescope work?\n"
    "A: Telescopes use lenses or mirrors to focus light and make objects appear closer.\n\n"
    "Q: Where were the 1992 Olympics held?\n"
    "A: The 1992 Olympics were held in Barcelona, Spain.";
void okapi_truthfulqa(Json& doc, FunctionState& /*state*/) {
  const Json& asked = doc.at("question");
  const std::string question = asked.is_null() ? " " : okapi_clean(asked.get<std::string>());
  doc["mc1_choices"] = Json(doc.at("mc1_targets_choices"));
  doc["mc2_choices"] = Json(doc.at("mc2_targets_choices"));
  doc["mc2_targets"] = Json{{"labels", doc.at("mc2_targets_labels")}};
  doc["query"] = std::string(kTruthfulExamples) + "\n\nQ: " + question + "\nA:";
  doc["question"] = question;
  doc["gold"] = " ";
}

// Pairs of sentences: one without its last mark, the other with a small letter in front.
RowsFunction paraphrases() {
  const RowsFunction keep = filter_rows([](const Json& doc) {
    const auto given = [&](const char* key) {
      return !doc.at(key).is_null() && !is_empty_text(doc.at(key));
    };
    return given("sentence1") && given("sentence2");
  });
  const RowsFunction change = map_rows([](Json& doc, FunctionState& /*state*/) {
    std::string first(text::strip(detokenize(text_at(doc, "sentence1"))));
    if (ends_with_one_of(first, ".,;")) first.pop_back();
    const std::string second(text::strip(detokenize(text_at(doc, "sentence2"))));
    doc["sentence1"] = first;
    doc["sentence2"] = small_start(second);
  });
  return [keep, change](std::vector<Json> rows, FunctionState& state) -> Result<std::vector<Json>> {
    auto kept = keep(std::move(rows), state);
    if (!kept) return kept;
    return change(std::move(*kept), state);
  };
}
void premise_and_hypothesis(Json& doc, FunctionState& /*state*/) {
  std::string premise(text::strip(detokenize(text_at(doc, "premise"))));
  if (ends_with_one_of(premise, ".,!?")) premise.pop_back();
  std::string hypothesis(text::strip(detokenize(text_at(doc, "hypothesis"))));
  hypothesis = small_start(hypothesis);
  if (!hypothesis.ends_with('.')) hypothesis += '.';
  doc["premise"] = premise;
  doc["hypothesis"] = hypothesis;
}
void small_choices(Json& doc, FunctionState& /*state*/) {
  for (const char* key : {"choice1", "choice2"}) doc[key] = small_start(text_at(doc, key));
}

// Llama 3's own form of ARC: four options, letters throughout.
RowsFunction llama_arc() {
  return [](std::vector<Json> rows, FunctionState& state) -> Result<std::vector<Json>> {
    auto kept = filter_rows([](const Json& doc) {
      return doc.at("choices").at("label").size() == 4;
    })(std::move(rows), state);
    if (!kept) return kept;
    return map_rows([](Json& doc, FunctionState& /*unused*/) {
      const Json letters = {"A", "B", "C", "D"};
      std::string key = text_at(doc, "answerKey");
      if (std::find(letters.begin(), letters.end(), key) == letters.end())
        key = letters.at(static_cast<std::size_t>(std::stoul(key)) - 1).get<std::string>();
      doc["choices"]["label"] = letters;
      doc["answerKey"] = key;
    })(std::move(*kept), state);
  };
}
Json llama_mmlu_pro_example(const Json& doc) {
  static const Regex kAnswer = Regex::fixed(R"(The answer is \(([A-Z])\)\.)");
  std::string_view reasoning = text_at(doc, "cot_content");
  constexpr std::string_view kOpening = "A: Let's think step by step.";
  if (reasoning.starts_with(kOpening)) reasoning.remove_prefix(kOpening.size());
  return sub(kAnswer, R"(The best answer is \1.)", std::string(text::strip(reasoning)));
}

std::string pro_plus_prompt(const Json& doc) {
  std::string prompt = "Question:\n" + text_at(doc, "question") + "\nOptions:\n";
  char letter = 'A';
  for (const std::string& option : texts_at(doc, "options")) {
    if (letter > 'P') throw std::runtime_error("more than 16 options");
    prompt += std::string(1, letter++) + ". " + std::string(text::strip(option)) + "\n";
  }
  return prompt + "Answer: Let's think step by step.";
}

void arithmetic(Json& doc, FunctionState& /*state*/) {
  const std::string spaced = text::replace(text::strip(text_at(doc, "context")), "\n\n", "\n");
  doc["context"] = text::replace(text::replace(spaced, "Q:", "Question:"), "A:", "Answer:");
}

ValueFunction label_name(std::array<const char*, 3> names) {
  return guarded([names](const Json& doc) -> Json {
    const auto label = doc.at("label").get<std::size_t>();
    if (label >= names.size()) throw std::runtime_error("label is not 0, 1 or 2");
    return names[label];
  });
}

// afrimmlu keeps the options as a Python list in text.
Json listed_choices(const Json& doc) {
  Result<Json> choices = templating::parse_python_literal(text_at(doc, "choices"));
  if (!choices) throw std::runtime_error(choices.error().message);
  return std::move(*choices);
}

// A Python format string: {subject}, {question}, {A} to {D}.
ValueFunction afrimmlu_prompt(const char* pattern) {
  return guarded([pattern](const Json& doc) -> Json {
    const Json choices = listed_choices(doc);
    std::string prompt;
    std::string_view rest = pattern;
    while (!rest.empty()) {
      const std::size_t open = std::min(rest.find('{'), rest.size());
      prompt += rest.substr(0, open);
      rest.remove_prefix(open);
      if (rest.empty()) break;
      const std::string_view name = rest.substr(1, rest.find('}') - 1);
      rest.remove_prefix(name.size() + 2);
      prompt += templating::python_str(name.size() == 1
                                           ? choices.at(static_cast<std::size_t>(name[0] - 'A'))
                                           : doc.at(std::string(name)));
    }
    return prompt;
  });
}

constexpr const char* kAfrimmlu1 =
    "You are a highly knowledgeable and intelligent artificial intelligence\n"
    "                model answers multiple-choice questions about {subject}\n\n"
    "                Question: {question}\n\n                Choices:\n"
    "                        A: {A}\n                        B: {B}\n"
    "                        C: {C}\n                        D: {D}\n\n"
    "                Answer:  ";
#define CRUCIBLE_AFRIMMLU_OPTIONS                                                               \
  "Question: {question}\nChoices:\n        A: {A}\n        B: {B}\n        C: {C}\n        D: " \
  "{D}\nAnswer: "
constexpr const char* kAfrimmlu2 =
    "As an expert in {subject}, choose the most accurate answer to the question below.\n"
    "Your goal is to select the correct option 'A', 'B', 'C', or 'D' by understanding the nuances "
    "of the topic.\n\n" CRUCIBLE_AFRIMMLU_OPTIONS;
constexpr const char* kAfrimmlu3 =
    "You are a subject matter expert in {subject}.\n\n  Utilizing your expertise in {subject}, "
    "answer the following multiple-choice question\n  by picking 'A', 'B', 'C', or "
    "'D'.\n\n" CRUCIBLE_AFRIMMLU_OPTIONS;
constexpr const char* kAfrimmlu3Translated =
    "You are a subject matter expert in {subject}.\n\n  Utilizing your expertise in {subject}, "
    "answer the following multiple-choice question\n  by picking ''A'', ''B'', ''C'', or "
    "''D''.\n\n" CRUCIBLE_AFRIMMLU_OPTIONS;
constexpr const char* kAfrimmlu4 =
    "Analyze each question critically and determine the most correct option based on your "
    "understanding of the subject matter\n\n" CRUCIBLE_AFRIMMLU_OPTIONS;
constexpr const char* kAfrimmlu5 =
    "Given your proficiency in {subject}, please answer the subsequent multiple-choice question "
    "with 'A', 'B', 'C', or 'D'.\n\n" CRUCIBLE_AFRIMMLU_OPTIONS;
constexpr const char* kAfrimmlu5Translated =
    "Given your proficiency in {subject}, please answer the subsequent multiple-choice question "
    "with 'A', 'B', 'C', or 'D'.\n" CRUCIBLE_AFRIMMLU_OPTIONS;
#undef CRUCIBLE_AFRIMMLU_OPTIONS

void add_afrimmlu(ValueTable& values) {
  const char* const direct[] = {kAfrimmlu1, kAfrimmlu2, kAfrimmlu3, kAfrimmlu4, kAfrimmlu5};
  const char* const translated[] = {kAfrimmlu1, kAfrimmlu2, kAfrimmlu3Translated, kAfrimmlu4,
                                    kAfrimmlu5Translated};
  for (std::size_t i = 0; i < 5; ++i) {
    const std::string module = "/prompt_" + std::to_string(i + 1) + "/utils";
    values["afrimmlu/direct" + module + ".doc_to_text"] = afrimmlu_prompt(direct[i]);
    values["afrimmlu/translate" + module + ".doc_to_text"] = afrimmlu_prompt(translated[i]);
    for (const char* form : {"direct", "translate"})
      values["afrimmlu/" + std::string(form) + module + ".doc_to_choice"] = guarded(listed_choices);
  }
}

// The form of afrixnli that Lai et al. (2023) ask in.
Json afrixnli_text(const Json& doc) {
  return "Please identify whether the premise entails or contradicts the hypothesis in the "
         "following premise\n    and hypothesis. The answer should be exact entailment, "
         "contradiction, or neutral.\n\n    Premise: " +
         text_at(doc, "premise") + "\n    Hypothesis: " + text_at(doc, "hypothesis") +
         "\n\n    Is it entailment, contradiction, or neutral?";
}

void add_afrixnli(ValueTable& values) {
  const auto true_neither_false = label_name({"True", "Neither", "False"});
  const auto entailment = label_name({"entailment", "neutral", "contradiction"});
  const auto inconclusive = label_name({"true", "false", "inconclusive"});
  const ValueFunction prompts[] = {entailment, true_neither_false, entailment, entailment,
                                   inconclusive};
  for (const std::string form : {"direct", "translate"}) {
    for (std::size_t i = 0; i < 5; ++i) {
      values["afrixnli/" + form + "/prompt_" + std::to_string(i + 1) + "/utils.doc_to_target"] =
          prompts[i];
    }
    values["afrixnli/lai prompt/" + form + "/utils.doc_to_target"] = entailment;
    values["afrixnli/lai prompt/" + form + "/utils.doc_to_text"] = guarded(afrixnli_text);
  }
  values["afrixnli/anli prompt/en-direct/utils.doc_to_target"] = true_neither_false;
  values["afrixnli/anli prompt/translate/utils.doc_to_target"] = true_neither_false;
}

void kobest_hellaswag(Json& doc, FunctionState& /*state*/) {
  Json choices = Json::array();
  for (const char* key : {"ending_1", "ending_2", "ending_3", "ending_4"})
    choices.push_back(doc.at(key));
  const Json& label = doc.at("label");
  const std::int64_t gold =
      label.is_string() ? std::stoll(label.get<std::string>()) : label.get<std::int64_t>();
  doc["query"] = "문장: " + text_at(doc, "context");
  doc["choices"] = std::move(choices);
  doc["gold"] = gold;
}
Json kobest_copa_text(const Json& doc) {
  const std::string_view kind = text::strip(text_at(doc, "question"));
  if (kind != "원인" && kind != "결과") throw std::runtime_error("question is not 원인 or 결과");
  return text_at(doc, "premise") + " " + (kind == "원인" ? " 왜냐하면" : " 그래서");
}
void add_kobest(RowsTable& rows, ValueTable& values) {
  rows["kobest/utils.hellaswag_process_doc"] = map_rows(kobest_hellaswag);
  values["kobest/utils.copa_doc_to_text"] = guarded(kobest_copa_text);
  values["kobest/utils.copa_doc_to_target"] = guarded([](const Json& doc) -> Json {
    return text_at(doc, doc.at("label") == 0 ? "alternative_1" : "alternative_2");
  });
  values["kobest/utils.copa_doc_to_choice"] = guarded([](const Json& doc) {
    return Json{text_at(doc, "alternative_1"), text_at(doc, "alternative_2")};
  });
  values["kobest/utils.sentineg_doc_to_text"] = guarded(
      [](const Json& doc) -> Json { return "문장: " + text_at(doc, "sentence") + " 긍부정:"; });
  values["kobest/utils.wic_doc_to_text"] = guarded([](const Json& doc) -> Json {
    return "문장1: " + text_at(doc, "context_1") + " 문장2: " + text_at(doc, "context_2") +
           " 두 문장에서 " + text_at(doc, "word") + "가 같은 뜻으로 쓰였나?";
  });
}

}  // namespace

void add_translated_functions(RowsTable& rows, ValueTable& values) {
  rows["okapi/arc_multilingual/utils.process_docs"] = map_rows(okapi_arc);
  rows["okapi/hellaswag_multilingual/utils.process_docs"] =
      *find_by_ending(rows, "hellaswag/utils.process_docs");
  rows["okapi/truthfulqa_multilingual/utils.process_docs"] = map_rows(okapi_truthfulqa);
  for (const char* folder : {"paws-x", "spanish_bench", "catalan_bench"})
    rows[std::string(folder) + "/utils.process_docs_paraphrases"] = paraphrases();
  for (const char* folder : {"spanish_bench", "catalan_bench"})
    rows[std::string(folder) + "/utils.process_doc_nli"] = map_rows(premise_and_hypothesis);
  rows["spanish_bench/utils.process_docs_copa_es"] = map_rows(small_choices);
  rows["catalan_bench/utils.process_docs_copa_ca"] = map_rows(small_choices);
  rows["llama3/instruct/arc_challenge/utils.process_docs"] = llama_arc();
  rows["arithmetic/utils.process_docs"] = map_rows(arithmetic);
  rows["noreval/noropenbookqa/utils.filter_dataset"] =
      filter_rows([](const Json& doc) { return !text_at(doc, "fact").empty(); });
  values["llama3/instruct/mmlu_pro/utils.fewshot_to_text"] = guarded(llama_mmlu_pro_example);
  for (const char* function : {"doc_to_text", "fewshot_to_text"}) {
    values[std::string("mmlu-pro-plus/utils.") + function] =
        guarded([](const Json& doc) -> Json { return pro_plus_prompt(doc); });
  }
  values["mmlu-pro-plus/utils.fewshot_to_target"] = guarded([](const Json& doc) -> Json {
    return text::replace(text_at(doc, "cot_content"), "A: Let's think step by step. ", "");
  });
  values["paloma/paloma_utils.doc_to_target"] =
      guarded([](const Json& doc) -> Json { return templating::python_str(doc.at("text")); });
  add_afrimmlu(values);
  add_afrixnli(values);
  add_kobest(rows, values);
}

}  // namespace crucible::task
