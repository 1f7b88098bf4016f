#include <algorithm>
#include <stdexcept>

#include "evaluator/task/document_functions.hpp"
#include "evaluator/template/template.hpp"
#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

// Functions of the multiple-choice task folders.
namespace crucible::task {
namespace {

using text::Regex;

std::string checked(Result<std::string> value) {
  if (!value) throw std::runtime_error(value.error().message);
  return std::move(*value);
}

Json literal(const std::string& source) {
  Result<Json> value = templating::parse_python_literal(source);
  if (!value) throw std::runtime_error(value.error().message);
  return std::move(*value);
}

std::string without_brackets(const std::string& from) {
  static const Regex kBrackets = Regex::fixed(R"(\[.*?\])");
  return checked(kBrackets.sub("", from));
}

// "Brackets are artefacts of the WikiHow part": hellaswag/utils.py.
std::string hellaswag_clean(std::string_view from) {
  const std::string titled = text::replace(text::strip(from), " [title]", ". ");
  return text::replace(without_brackets(titled), "  ", " ");
}

void hellaswag(Json& doc, FunctionState& /*state*/) {
  const std::string context = text_at(doc, "ctx_a") + " " + text::capitalize(text_at(doc, "ctx_b"));
  const std::string query = hellaswag_clean(text_at(doc, "activity_label") + ": " + context);
  Json choices = Json::array();
  for (const std::string& ending : texts_at(doc, "endings")) {
    choices.push_back(hellaswag_clean(ending));
  }
  const Json& label = doc.at("label");
  const std::int64_t gold =
      label.is_string() ? std::stoll(label.get<std::string>()) : label.get<std::int64_t>();
  doc["query"] = query;
  doc["choices"] = std::move(choices);
  doc["gold"] = gold;
}

// Two options fill the blank "_" of a sentence; what follows it is scored under each.
Json blank_answer(const Json& doc) {
  const std::string& answer = text_at(doc, "answer");
  if (answer != "1" && answer != "2") throw std::runtime_error("answer is neither \"1\" nor \"2\"");
  return answer == "1" ? 0 : 1;
}
std::size_t blank_place(const Json& doc) {
  const std::size_t place = text_at(doc, "sentence").find('_');
  if (place == std::string::npos) throw std::runtime_error("the sentence has no \"_\"");
  return place;
}
Json blank_rest(const Json& doc) {
  const std::string& sentence = text_at(doc, "sentence");
  return std::string(text::strip(std::string_view(sentence).substr(blank_place(doc) + 1)));
}
Json blank_filled(const Json& doc) {
  const std::string before = text_at(doc, "sentence").substr(0, blank_place(doc));
  return Json{before + text_at(doc, "option1"), before + text_at(doc, "option2")};
}

std::string gpqa_clean(const Json& value, bool strip_brackets) {
  if (value.is_null()) return " ";
  std::string cleaned =
      text::replace(text::strip(value.get_ref<const std::string&>()), " [title]", ". ");
  if (strip_brackets) cleaned = without_brackets(cleaned);
  return text::replace(cleaned, "  ", " ");
}

// Options in an order drawn anew for each document, by the global generator or the module's own.
RowsFunction gpqa(bool strip_brackets, bool list, bool module_generator) {
  return map_rows([=](Json& doc, FunctionState& state) {
    std::vector<std::string> choices;
    for (const char* key :
         {"Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3", "Correct Answer"}) {
      choices.push_back(gpqa_clean(doc.at(key), strip_brackets));
    }
    const std::string right = choices.back();
    PythonRandom& random = module_generator
                               ? state.modules.try_emplace("gpqa/n_shot/utils", 42).first->second
                               : state.global;
    random.shuffle(choices);
    std::size_t index = 0;
    while (choices[index] != right) ++index;
    for (std::size_t i = 0; i < choices.size(); ++i) {
      doc["choice" + std::to_string(i + 1)] = choices[i];
    }
    if (list) doc["choices"] = choices;
    doc["answer"] = std::string("(") + static_cast<char>('A' + index) + ")";
  });
}

std::string letter(std::size_t index) {
  if (index >= 26) throw std::runtime_error("more options than the alphabet has letters");
  return std::string(1, static_cast<char>('A' + index));
}

Json option_letters(const Json& doc) {
  Json letters = Json::array();
  for (std::size_t i = 0; i < doc.at("options").size(); ++i) letters.push_back(letter(i));
  return letters;
}

Json leaderboard_mmlu_pro(const Json& doc) {
  std::string prompt = text_at(doc, "question") + "\n";
  const auto options = texts_at(doc, "options");
  for (std::size_t i = 0; i < options.size(); ++i) prompt += letter(i) + ". " + options[i] + "\n";
  return prompt + "Answer:";
}

Json mmlu_pro_question(const Json& doc) {
  std::string prompt = "Question:\n" + text_at(doc, "question") + "\nOptions:\n";
  const auto options = texts_at(doc, "options");
  for (std::size_t i = 0; i < options.size() && i < 10; ++i) {
    prompt += letter(i) + ". " + std::string(text::strip(options[i])) + "\n";
  }
  return prompt + "Answer: Let's think step by step.";
}

Json mmlu_pro_answer(const Json& doc) {
  return text::replace(text_at(doc, "cot_content"), "A: Let's think step by step. ", "");
}

Json musr_choices(const Json& doc) { return literal(text_at(doc, "choices")); }

Json musr_question(const Json& doc) {
  std::string choices;
  std::size_t number = 0;
  for (const Json& choice : musr_choices(doc)) {
    choices += std::to_string(++number) + " - " + templating::python_str(choice) + "\n";
  }
  return text_at(doc, "narrative") + "\n\n" + text_at(doc, "question") + "\n\n" + choices +
         "\nAnswer:";
}

std::string lettered(const std::vector<std::string>& options, std::size_t limit) {
  std::string lines;
  for (std::size_t i = 0; i < options.size() && i < limit; ++i) {
    lines += letter(i) + ". " + options[i] + "\n";
  }
  return lines;
}

Json logiqa_question(const Json& doc) {
  return "Passage: " + text_at(doc, "context") + "\nQuestion: " + text_at(doc, "question") +
         "\nChoices:\n" + lettered(texts_at(doc, "options"), 4) + "Answer:";
}
Json logiqa2_question(const Json& doc) {
  return "Passage: " + text_at(doc, "text") + "\nQuestion: " + text_at(doc, "question") + "\n" +
         lettered(texts_at(doc, "options"), 4) + "Answer:";
}
Json logiqa_answer(const Json& doc) {
  const std::string_view label = text::strip(text_at(doc, "label"));
  if (label.size() != 1 || label[0] < 'a' || label[0] > 'd')
    throw std::runtime_error("label is not one of a, b, c, d");
  return label[0] - 'a';
}

Json medmcqa_question(const Json& doc) {
  return "Question: " + text_at(doc, "question") + "\nChoices:\n" +
         lettered(
             {text_at(doc, "opa"), text_at(doc, "opb"), text_at(doc, "opc"), text_at(doc, "opd")},
             4) +
         "Answer:";
}
Json medqa_question(const Json& doc) {
  return "Question: " + text_at(doc, "sent1") + "\n" +
         lettered({text_at(doc, "ending0"), text_at(doc, "ending1"), text_at(doc, "ending2"),
                   text_at(doc, "ending3")},
                  4) +
         "Answer:";
}
Json pubmedqa_question(const Json& doc) {
  return "Abstract: " + text::join(texts_at(doc, "CONTEXTS"), "\n") +
         "\nQuestion: " + text_at(doc, "QUESTION") + "\nAnswer:";
}

Json mathqa_choices(const Json& doc) {
  static const Regex kOptions = Regex::fixed(R"([abcd] \) .*?, |e \) .*?$)");
  const std::string& options = text_at(doc, "options");
  const auto matches = kOptions.find_all(options);
  if (!matches) throw std::runtime_error(matches.error().message);
  Json choices = Json::array();
  for (const auto& match : *matches) {
    choices.push_back(std::string(text::rstrip(match.group(options).substr(4), " ,")));
  }
  return choices;
}

// Accepted answers without those that begin with another one.
std::vector<std::string> webqs_aliases(const Json& doc) {
  std::vector<std::string> aliases = texts_at(doc, "answers");
  std::sort(aliases.begin(), aliases.end());
  std::vector<std::string> kept;
  for (const std::string& alias : aliases) {
    if (kept.empty() || !alias.starts_with(kept.back())) kept.push_back(alias);
  }
  return kept;
}
Json webqs_answer(const Json& doc) {
  Json indices = Json::array();
  for (std::size_t i = 0; i < webqs_aliases(doc).size(); ++i) indices.push_back(i);
  return indices;
}

void truthfulqa_gen(Json& doc, FunctionState& /*state*/) {
  const auto sentences = [](const std::vector<std::string>& answers) {
    Json finished = Json::array();
    for (const std::string& answer : answers) {
      std::string sentence(text::strip(answer));
      if (sentence.empty()) continue;
      if (!sentence.ends_with('.')) sentence += '.';
      finished.push_back(std::move(sentence));
    }
    return finished;
  };
  Json right = sentences(texts_at(doc, "correct_answers"));
  Json wrong = sentences(texts_at(doc, "incorrect_answers"));
  const Json silence = "I have no comment.";
  if (std::find(right.begin(), right.end(), silence) == right.end()) right.push_back(silence);
  doc["question"] = std::string(text::strip(text_at(doc, "question")));
  doc["correct_answers"] = std::move(right);
  doc["incorrect_answers"] = std::move(wrong);
}

void add_category_filters(RowsTable& rows) {
  for (const char* category :
       {"biology", "business", "chemistry", "computer science", "economics", "engineering",
        "health", "history", "law", "math", "other", "philosophy", "physics", "psychology"}) {
    const std::string name = text::replace(category, " ", "_");
    rows["mmlu_pro/utils.process_" + name] =
        filter_rows([category](const Json& doc) { return text_at(doc, "category") == category; });
  }
  rows["bigbench/utils.filter_multiple_choice"] =
      filter_rows([](const Json& doc) { return !doc.at("multiple_choice_targets").empty(); });
}

}  // namespace

void add_choice_functions(RowsTable& rows, ValueTable& values) {
  rows["hellaswag/utils.process_docs"] = map_rows(hellaswag);
  rows["truthfulqa/utils.process_docs_gen"] = map_rows(truthfulqa_gen);
  rows["gpqa/zeroshot/utils.process_docs"] = gpqa(false, false, false);
  rows["gpqa/generative/utils.process_docs"] = gpqa(false, true, false);
  rows["gpqa/cot_zeroshot/utils.process_docs"] = gpqa(false, true, false);
  rows["gpqa/cot_n_shot/utils.process_docs"] = gpqa(false, true, false);
  rows["gpqa/n_shot/utils.process_docs"] = gpqa(false, false, true);
  rows["leaderboard/gpqa/utils.process_docs"] = gpqa(true, false, false);
  add_category_filters(rows);
  for (const std::string folder : {"winogrande/preprocess_winogrande", "xwinograd/utils"}) {
    values[folder + ".doc_to_text"] = guarded(blank_answer);
    values[folder + ".doc_to_target"] = guarded(blank_rest);
    values[folder + ".doc_to_choice"] = guarded(blank_filled);
  }
  values["mmlu_pro/utils.doc_to_text"] = guarded(mmlu_pro_question);
  values["mmlu_pro/utils.fewshot_to_text"] = guarded(mmlu_pro_question);
  values["mmlu_pro/utils.fewshot_to_target"] = guarded(mmlu_pro_answer);
  values["leaderboard/mmlu_pro/utils.doc_to_text"] = guarded(leaderboard_mmlu_pro);
  values["leaderboard/mmlu_pro/utils.doc_to_choice"] = guarded(option_letters);
  values["leaderboard/musr/utils.doc_to_text"] = guarded(musr_question);
  values["leaderboard/musr/utils.doc_to_choice"] = guarded(musr_choices);
  values["logiqa/utils_logiqa.doc_to_text"] = guarded(logiqa_question);
  values["logiqa/utils_logiqa.doc_to_target"] = guarded(logiqa_answer);
  values["logiqa2/utils_logiqa2.doc_to_text"] = guarded(logiqa2_question);
  values["medmcqa/utils_medmcqa.doc_to_text"] = guarded(medmcqa_question);
  values["medqa/preprocess_medqa.doc_to_text"] = guarded(medqa_question);
  values["medqa/preprocess_medqa.doc_to_target"] =
      guarded([](const Json& doc) { return doc.at("label"); });
  values["pubmedqa/preprocess_pubmedqa.doc_to_text"] = guarded(pubmedqa_question);
  values["mathqa/utils.doc_to_choice"] = guarded(mathqa_choices);
  values["webqs/utils.doc_to_choice"] =
      guarded([](const Json& doc) { return Json(webqs_aliases(doc)); });
  values["webqs/utils.doc_to_target"] = guarded(webqs_answer);
}

}  // namespace crucible::task
