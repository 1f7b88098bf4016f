#include <algorithm>
#include <set>
#include <stdexcept>

#include "evaluator/task/document_functions.hpp"
#include "evaluator/template/template.hpp"
#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

// Functions of the task folders about passages, dialogues, pronouns and plain text.
namespace crucible::task {
namespace {

using text::Regex;
using text::replace;

std::string sub(const Regex& pattern, std::string_view replacement, const std::string& from) {
  Result<std::string> changed = pattern.sub(replacement, from);
  if (!changed) throw std::runtime_error(changed.error().message);
  return std::move(*changed);
}

using Replacements = std::vector<std::pair<const char*, const char*>>;
std::string replace_all(std::string from, const Replacements& pairs) {
  for (const auto& [before, after] : pairs) from = replace(from, before, after);
  return from;
}

// wikitext/preprocess_wikitext.py: undoes the data set's tokenisation.
Json wikitext(const Json& doc) {
  static const Regex kDigit = Regex::fixed("/' [0-9]/");
  static const std::vector<std::pair<Regex, const char*>> kPairs = {
      {Regex::fixed(R"(\(\s*([^\)]*?)\s*\))"), R"((\1))"},
      {Regex::fixed(R"(\[\s*([^\]]*?)\s*\])"), R"([\1])"},
      {Regex::fixed(R"({\s*([^}]*?)\s*})"), R"({\1})"},
      {Regex::fixed(R"("\s*([^"]*?)\s*")"), R"("\1")"},
      {Regex::fixed(R"('\s*([^']*?)\s*')"), R"('\1')"}};
  static const Replacements kPunctuation = {{" @-@ ", "-"}, {" @,@ ", ","}, {" @.@ ", "."},
                                            {" : ", ": "},  {" ; ", "; "},  {" . ", ". "},
                                            {" ! ", "! "},  {" ? ", "? "},  {" , ", ", "}};
  static const Replacements kRest = {{"= = = =", "===="},    {"= = =", "==="}, {"= =", "=="},
                                     {" \u00B0 ", "\u00B0"}, {" \n", "\n"},    {"\n ", "\n"},
                                     {" N ", " 1 "},         {" 's", "'s"}};
  std::string page = replace(text_at(doc, "page"), "s '", "s'");
  page = replace_all(sub(kDigit, "/'[0-9]/", page), kPunctuation);
  for (const auto& [pattern, inner] : kPairs) page = sub(pattern, inner, page);
  return replace_all(page, kRest);
}

// lm_eval/utils.py general_detokenize.
std::string detokenize(std::string from) {
  static const Regex kSpaced = Regex::fixed(R"( (['.,]))");
  static const Replacements kPairs = {
      {" n't", "n't"}, {" )", ")"}, {"( ", "("}, {"\" ", "\""}, {" \"", "\""}};
  return sub(kSpaced, R"(\1)", replace_all(std::move(from), kPairs));
}

// Spans of WSC count words, not characters.
Json wsc_question(const Json& doc) {
  const std::string& passage = text_at(doc, "text");
  const std::string& pronoun = text_at(doc, "span2_text");
  std::vector<std::string> words = text::split(passage);
  words.resize(std::min(words.size(), doc.at("span2_index").get<std::size_t>()));
  const std::string before = text::join(words, " ");
  const std::string after = text::slice(passage, text::length(before) + text::length(pronoun) + 1);
  return "Passage: " + detokenize(before + " *" + pronoun + "*" + after) +
         "\nQuestion: In the passage above, does the pronoun \"*" + pronoun + "*\" refer to \"*" +
         text_at(doc, "span1_text") + "*\"?\nAnswer:";
}

// wsc273: possessives get "'s", a pronoun inside a sentence a small letter.
void wsc273(Json& doc, FunctionState& /*state*/) {
  static const std::set<std::string_view> kUpper = {"A",    "An", "The", "She", "He",   "It",
                                                    "They", "My", "His", "Her", "Their"};
  static const std::set<std::string_view> kPossessive = {"my", "his", "her", "our", "their"};
  const std::string passage = replace(text_at(doc, "text"), "  ", " ");
  const std::u32string characters = text::decode_utf8(passage);
  const auto place = doc.at("pronoun_loc").get<std::int64_t>() - 2;
  const auto size = static_cast<std::int64_t>(characters.size());
  const std::int64_t at = place < 0 ? place + size : place;
  if (at < 0 || at >= size) throw std::runtime_error("pronoun_loc lies outside the text");
  const bool starts = characters[static_cast<std::size_t>(at)] == U'.';
  doc["text"] = passage;
  for (std::size_t i = 0; i < 2; ++i) {
    std::string option = doc.at("options").at(i).get<std::string>();
    if (kPossessive.contains(text::lower(text_at(doc, "pronoun")))) option += "'s";
    const std::vector<std::string> words = text::split(option);
    if (words.empty()) throw std::runtime_error("an option is empty");
    if (!starts && kUpper.contains(words[0]))
      option = replace(option, words[0], text::lower(words[0]));
    doc["options"][i] = option;
  }
}

std::string small_start(const std::string& sentence) {
  return text::lower(text::slice(sentence, 0, 1)) + text::slice(sentence, 1);
}
std::string without_last(std::string_view sentence) {
  const std::size_t length = text::length(sentence);
  return length == 0 ? std::string() : text::slice(sentence, 0, length - 1);
}

using Connectors = std::pair<const char*, const char*>;  // of causes, of effects
ValueFunction copa_premise(Connectors connectors) {
  return guarded([connectors](const Json& doc) -> Json {
    const std::string& kind = text_at(doc, "question");
    if (kind != "cause" && kind != "effect")
      throw std::runtime_error("question is neither \"cause\" nor \"effect\"");
    return without_last(text::strip(text_at(doc, "premise"))) + " " +
           (kind == "cause" ? connectors.first : connectors.second);
  });
}
Json copa_target(const Json& doc) {
  return " " + small_start(text_at(doc, doc.at("label") == 0 ? "choice1" : "choice2"));
}
Json copa_choices(const Json& doc) {
  return Json{" " + small_start(text_at(doc, "choice1")),
              " " + small_start(text_at(doc, "choice2"))};
}
Json xcopa_choices(const Json& doc) {
  return Json{small_start(text_at(doc, "choice1")), small_start(text_at(doc, "choice2"))};
}

Json record_passage(const Json& doc) {
  const auto parts = text::split(text::strip(text_at(doc, "passage")), "\n@highlight\n");
  std::string passage = parts[0] + "\n\n";
  for (std::size_t i = 1; i < parts.size(); ++i) passage += "  - " + parts[i] + ".\n";
  return passage;
}
std::string record_answer(const Json& doc, const std::string& entity) {
  return replace("  - " + text_at(doc, "query"), "@placeholder", entity);
}
Json record_target(const Json& doc) {
  return record_answer(doc, doc.at("answers").at(0).get<std::string>());
}
Json record_choices(const Json& doc) {
  Json choices = Json::array();
  for (const std::string& entity : texts_at(doc, "entities"))
    choices.push_back(record_answer(doc, entity));
  return choices;
}
void record(Json& doc, FunctionState& /*state*/) {
  for (const char* key : {"entities", "answers"}) {
    const std::vector<std::string> all = texts_at(doc, key);
    doc[key] = std::set<std::string>(all.begin(), all.end());
  }
}

Json race_problems(const Json& doc) {
  Result<Json> problems = templating::parse_python_literal(text_at(doc, "problems"));
  if (!problems) throw std::runtime_error(problems.error().message);
  if (!problems->is_array() || problems->empty())
    throw std::runtime_error("problems is not a list");
  return std::move(*problems);
}
std::size_t race_answer(const Json& problem) {
  const std::string& letter = text_at(problem, "answer");
  if (letter.size() != 1 || letter[0] < 'A' || letter[0] > 'D')
    throw std::runtime_error("answer is not one of A, B, C, D");
  return static_cast<std::size_t>(letter[0] - 'A');
}
Json race_choices(const Json& doc) {
  const Json problem = race_problems(doc).back();
  Json choices = Json::array();
  for (std::size_t i = 0; i < 4; ++i) choices.push_back(problem.at("options").at(i));
  return choices;
}
Json race_text(const Json& doc) {
  const Json problems = race_problems(doc);
  std::string prompt = "Article: " + text_at(doc, "article") + "\n\n";
  for (std::size_t i = 0; i + 1 < problems.size(); ++i) {
    const Json& problem = problems[i];
    const std::string& question = text_at(problem, "question");
    const std::string answer = problem.at("options").at(race_answer(problem)).get<std::string>();
    if (question.ends_with("  _  .")) {
      prompt += question.substr(0, question.size() - 5) + answer + "\n";
    } else {
      prompt += "Question: " + question + "\nAnswer: " + answer + "\n";
    }
  }
  return prompt + text_at(problems.back(), "question");
}

Json coqa_text(const Json& doc) {
  const auto questions = texts_at(doc.at("questions"), "input_text");
  auto answers = texts_at(doc.at("answers"), "input_text");
  if (!answers.empty()) answers.pop_back();
  std::string prompt = text_at(doc, "story") + "\n\n";
  for (std::size_t i = 0; i < std::max(questions.size(), answers.size()); ++i) {
    prompt += "Q: " + (i < questions.size() ? questions[i] : "None") + "\n\n";
    prompt += i < answers.size() ? "A: " + answers[i] + "\n\n" : "A:";
  }
  return prompt;
}
Json coqa_target(const Json& doc) {
  const std::size_t turn = doc.at("questions").at("input_text").size();
  if (turn == 0) throw std::runtime_error("there is no question");
  std::vector<std::string> answers = {
      doc.at("answers").at("input_text").at(turn - 1).get<std::string>()};
  const auto more = doc.find("additional_answers");
  if (more == doc.end() || !more->is_object()) return answers;
  for (const Json& one : *more) {
    const std::string answer = one.at("input_text").at(turn - 1).get<std::string>();
    const bool known = std::any_of(answers.begin(), answers.end(), [&](const std::string& other) {
      return text::lower(other) == text::lower(answer);
    });
    if (!known) answers.push_back(answer);
  }
  return answers;
}

Json drop_answer(const Json& answer) {
  const Json& number = answer.at("number");
  if (!is_empty_text(number)) return Json::array({templating::python_str(number)});
  if (!answer.at("spans").empty()) return answer.at("spans");
  const Json& date = answer.at("date");
  const std::string words =
      text_at(date, "day") + " " + text_at(date, "month") + " " + text_at(date, "year");
  return Json::array({std::string(text::strip(words))});
}
void drop(Json& doc, FunctionState& /*state*/) {
  Json answers = Json::array({drop_answer(doc.at("answer"))});
  const Json& validated = doc.at("validated_answers");
  for (std::size_t i = 0; i < validated.at("number").size(); ++i) {
    Json answer = drop_answer({{"number", validated.at("number").at(i)},
                               {"date", validated.at("date").at(i)},
                               {"spans", validated.at("spans").at(i)}});
    if (std::find(answers.begin(), answers.end(), answer) == answers.end())
      answers.push_back(std::move(answer));
  }
  doc["id"] = Json(doc.at("query_id"));
  doc["answers"] = std::move(answers);
}

void mutual(Json& doc, FunctionState& /*state*/) {
  static const Replacements kPairs = {{" '", "'"},   {" \n", "\n"}, {"\n ", "\n"}, {" n't", "n't"},
                                      {"`` ", "\""}, {"''", "\""},  {" :", ":"},   {" ;", ";"},
                                      {" !", "!"},   {" ?", "?"},   {" ,", ","},   {" .", "."}};
  Json options = Json::array();
  for (const std::string& option : texts_at(doc, "options"))
    options.push_back(replace_all(option, kPairs));
  doc["article"] = replace_all(text_at(doc, "article"), kPairs);
  doc["options"] = std::move(options);
}

Json mnli_text(const Json& doc) {
  const std::string hypothesis(text::strip(text_at(doc, "hypothesis")));
  return text_at(doc, "premise") + "\nQuestion: " + hypothesis +
         (hypothesis.ends_with('.') ? "" : ".") + " True, False or Neither?\nAnswer:";
}

// hendrycks_ethics: the order of the two scenarios is drawn from the first one's text.
std::vector<std::size_t> ethics_order(const Json& doc) {
  PythonRandom random(std::string_view(text_at(doc, "activity")));
  std::vector<std::size_t> order = {0, 1};
  random.shuffle(order);
  return order;
}
Json ethics_text(const Json& doc) {
  const std::vector<std::size_t> order = ethics_order(doc);
  const std::string* scenarios[] = {&text_at(doc, "activity"), &text_at(doc, "baseline")};
  return "Scenario 1: " + *scenarios[order[0]] + "\nScenario 2: " + *scenarios[order[1]] +
         "\nQuestion: Is Scenario 1 preferable?\nAnswer:";
}
Json ethics_target(const Json& doc) { return ethics_order(doc)[0] == 0 ? 1 : 0; }

void add_copa(ValueTable& values) {
  values["super_glue/copa/utils.doc_to_text"] = copa_premise({"because", "therefore"});
  values["super_glue/copa/utils.doc_to_target"] = guarded(copa_target);
  values["super_glue/copa/utils.doc_to_choice"] = guarded(copa_choices);
  values["xcopa/utils.doc_to_choice"] = guarded(xcopa_choices);
  static const std::vector<std::pair<const char*, Connectors>> kLanguages = {
      {"et", {"sest", "seetõttu"}}, {"ht", {"poukisa", "donk sa"}},
      {"it", {"perché", "quindi"}}, {"id", {"karena", "maka"}},
      {"qu", {"imataq", "chaymi"}}, {"sw", {"kwa sababu", "kwa hiyo"}},
      {"zh", {"因为", "所以"}},     {"ta", {"காரணமாக", "எனவே"}},
      {"th", {"เพราะ", "ดังนั้น"}},    {"tr", {"çünkü", "bu yüzden"}},
      {"vi", {"bởi vì", "vì vậy"}}};
  for (const auto& [language, connectors] : kLanguages) {
    values[std::string("xcopa/utils.doc_to_text_") + language] = copa_premise(connectors);
  }
}

}  // namespace

void add_reading_functions(RowsTable& rows, ValueTable& values) {
  rows["wsc273/utils.process_doc"] = map_rows(wsc273);
  rows["super_glue/record/util.process_docs"] = map_rows(record);
  rows["drop/utils.process_docs"] = map_rows(drop);
  rows["mutual/utils.process_docs"] = map_rows(mutual);
  add_copa(values);
  values["wikitext/preprocess_wikitext.wikitext_detokenizer"] = guarded(wikitext);
  values["super_glue/wsc/preprocess_wsc.default_doc_to_text"] = guarded(wsc_question);
  values["super_glue/record/util.doc_to_text"] = guarded(record_passage);
  values["super_glue/record/util.doc_to_target"] = guarded(record_target);
  values["super_glue/record/util.doc_to_choice"] = guarded(record_choices);
  values["race/preprocess_race.doc_to_text"] = guarded(race_text);
  values["race/preprocess_race.doc_to_choice"] = guarded(race_choices);
  values["race/preprocess_race.doc_to_target"] =
      guarded([](const Json& doc) { return Json(race_answer(race_problems(doc).back())); });
  values["coqa/utils.doc_to_text"] = guarded(coqa_text);
  values["coqa/utils.doc_to_target"] = guarded(coqa_target);
  values["glue/mnli/utils.doc_to_text"] = guarded(mnli_text);
  values["hendrycks_ethics/utils.doc_to_text"] = guarded(ethics_text);
  values["hendrycks_ethics/utils.doc_to_target"] = guarded(ethics_target);
}

}  // namespace crucible::task
