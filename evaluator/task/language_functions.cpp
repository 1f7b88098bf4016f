#include <map>
#include <stdexcept>

#include "evaluator/task/document_functions.hpp"
#include "evaluator/template/template.hpp"
#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

// Functions of the task folders in Arabic, Greek, Korean and African languages. The prompts are
// byte for byte those of lm-evaluation-harness (MIT): odd line breaks and spaces are part of them.
namespace crucible::task {
namespace {

using text::Regex;

constexpr const char* kArabicLetters[] = {"أ", "ب", "ج", "د"};
constexpr const char* kArabicTitle = "الأسئلة التالية هي أسئلة متعددة الإختيارات مع الجواب الصحيح";

std::string shown(const Json& value) { return templating::python_str(value); }
bool truthy(const Json& value) {
  return !value.is_null() && !is_empty_text(value) && value != 0 && value != false;
}

std::string without_brackets(const std::string& from) {
  static const Regex kBrackets = Regex::fixed(R"(\[.*?\])");
  Result<std::string> changed = kBrackets.sub("", from);
  if (!changed) throw std::runtime_error(changed.error().message);
  return std::move(*changed);
}

Json literal(const std::string& source) {
  Result<Json> value = templating::parse_python_literal(source);
  if (!value) throw std::runtime_error(value.error().message);
  return std::move(*value);
}

std::int64_t whole(const Json& value) {
  return value.is_string() ? std::stoll(value.get<std::string>()) : value.get<std::int64_t>();
}

std::size_t place_of(const std::string& wanted, const std::vector<std::string>& among) {
  for (std::size_t i = 0; i < among.size(); ++i) {
    if (among[i] == wanted) return i;
  }
  throw std::runtime_error("`" + wanted.substr(0, 40) + "` is not one of the answers");
}

void set(Json& doc, std::string query, Json choices, Json gold) {
  doc["query"] = std::move(query);
  doc["choices"] = std::move(choices);
  doc["gold"] = std::move(gold);
}

// alghafa, mt_mmlu, mt_arc…: every other column is a choice, in the order of the columns.
void arabic_numbered(Json& doc, FunctionState& /*state*/) {
  std::string query = std::string(kArabicTitle) + "\n\nالسؤال: " + shown(doc.at("query")) + "\n";
  Json choices = Json::array();
  for (const auto& [key, value] : doc.items()) {
    if (key == "query" || key == "label" || key == "__few_shots") continue;
    query += std::to_string(choices.size()) + ") " + shown(value) + "\n";
    choices.push_back(value);
  }
  const std::int64_t gold = whole(doc.at("label"));
  set(doc, query + "الإجابة:", std::move(choices), gold);
}

std::string about_topic(const Json& doc) {
  return std::string(kArabicTitle) + " حول " + text::replace(text_at(doc, "subject"), "_", " ") +
         ". \n\n";
}
void set_arabic_letters(Json& doc, std::string query) {
  const std::string& answer = text_at(doc, "answer");
  if (answer.size() != 1 || answer[0] < 'A' || answer[0] > 'Z')
    throw std::runtime_error("answer is not a letter from A to Z");
  const int gold = answer[0] - 'A';
  set(doc, std::move(query), Json(kArabicLetters), gold);
}
void arabic_exams(Json& doc, FunctionState& /*state*/) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < 4; ++i) {
    lines.push_back(std::string(" ") + kArabicLetters[i] + ") " +
                    shown(doc.at(std::string(1, static_cast<char>('A' + i)))) + "\n");
  }
  set_arabic_letters(doc, about_topic(doc) + "السؤال: " + shown(doc.at("question")) + "\n" +
                              text::join(lines, "\n") + "\nالإجابة:");
}
void arabic_mmlu(Json& doc, FunctionState& /*state*/) {
  std::string query = about_topic(doc) + shown(doc.at("question")) + "\n";
  for (std::size_t i = 0; i < 4; ++i) {
    query += std::string(kArabicLetters[i]) + ". " +
             shown(doc.at(std::string(1, static_cast<char>('A' + i)))) + "\n";
  }
  set_arabic_letters(doc, query + "الإجابة:");
}

void arabic_boolq(Json& doc, FunctionState& /*state*/) {
  const std::string query =
      "بناء على المقطع التالي، أجب عن السؤال ب نعم أو لا\n        المقطع :\n        " +
      shown(doc.at("passage")) + "\n        السؤال:\n        " + shown(doc.at("question")) +
      "\n        الإجابة:\n        ";
  const int gold = truthy(doc.at("answer")) ? 0 : 1;
  set(doc, query, Json{"نعم", "لا"}, gold);
}

void arabic_toxigen(Json& doc, FunctionState& /*state*/) {
  const bool toxic =
      doc.at("toxicity_ai").get<double>() + doc.at("toxicity_human").get<double>() > 5.5;
  const std::string query =
      "هل العبارة التالية تحض على الكراهية؟ قم بالرد بـ\"نعم\" أو \"لا\".\n        العبارة:\n      "
      "  '" +
      shown(doc.at("text")) + "'\n        الإجابة:\n        ";
  set(doc, query, Json{"لا", "نعم"}, toxic ? 1 : 0);
}

void arabic_sciq(Json& doc, FunctionState& state) {
  std::vector<std::string> choices;
  for (const char* key : {"distractor1", "distractor2", "distractor3", "correct_answer"})
    choices.push_back(text_at(doc, key));
  const std::string right = choices.back();
  state.global.shuffle(choices);
  const std::string query =
      "بناءً على السياق أدناه، اختر الإجابة الصحيحة للسؤال التالي من قائمة الاقتراحات\n"
      "    السياق:\n    " +
      shown(doc.at("support")) + "\n    السؤال:\n    " + shown(doc.at("question")) +
      "\n    الإجابات المحتملة:\n\n    ";
  const std::size_t gold = place_of(right, choices);
  set(doc, query, choices, gold);
}

void arabic_copa(Json& doc, FunctionState& /*state*/) {
  const std::string& kind = text_at(doc, "question");
  if (kind != "cause" && kind != "effect")
    throw std::runtime_error("question is neither \"cause\" nor \"effect\"");
  const std::vector<std::string> choices = {text_at(doc, "choice1"), text_at(doc, "choice2")};
  const std::string query = text_at(doc, "premise") + "، " + (kind == "cause" ? "لأن" : "لذلك") +
                            " :\n0) " + choices[0] + "\n1) " + choices[1] + "\nالإجابة:";
  const Json gold = doc.at("label");
  set(doc, query, choices, gold);
}

void arabic_hellaswag(Json& doc, FunctionState& /*state*/) {
  std::string query =
      "بناء على السياق التالي، اختر النهاية الصحيحة من الاقتراحات التالية\n        السياق:\n       "
      " " +
      without_brackets(text_at(doc, "ctx")) + "\n        الاقتراحات:\n\n        ";
  Json choices = Json::array();
  for (const Json& ending : literal(text_at(doc, "endings"))) {
    const std::string cleaned = without_brackets(ending.get<std::string>());
    query += std::to_string(choices.size()) + ") " + cleaned + "\n";
    choices.push_back(cleaned);
  }
  const Json gold = doc.at("label");
  set(doc, query + "الإجابة:", std::move(choices), gold);
}

void arabic_true_false(Json& doc, FunctionState& /*state*/) {
  const std::vector<std::string> choices = {"صح", "خطأ"};
  const std::string query = "السؤال: " + shown(doc.at("question")) + "\nالإجابة:";
  const std::size_t gold = place_of(text_at(doc, "answer"), choices);
  set(doc, query, choices, gold);
}

void add_arabic_leaderboard(RowsTable& rows) {
  const std::vector<std::pair<const char*, RowsFunction>> kTasks = {
      {"alghafa", map_rows(arabic_numbered)},
      {"arabic_mt_arc_challenge", map_rows(arabic_numbered)},
      {"arabic_mt_arc_easy", map_rows(arabic_numbered)},
      {"arabic_mt_mmlu", map_rows(arabic_numbered)},
      {"arabic_mt_openbook_qa", map_rows(arabic_numbered)},
      {"arabic_mt_piqa", map_rows(arabic_numbered)},
      {"arabic_mt_race", map_rows(arabic_numbered)},
      {"arabic_exams", map_rows(arabic_exams)},
      {"arabic_mmlu", map_rows(arabic_mmlu)},
      {"arabic_mt_boolq", map_rows(arabic_boolq)},
      {"arabic_mt_copa", map_rows(arabic_copa)},
      {"arabic_mt_hellaswag", map_rows(arabic_hellaswag)},
      {"arabic_mt_sciq", map_rows(arabic_sciq)},
      {"arabic_mt_toxigen", map_rows(arabic_toxigen)},
      {"avca", map_rows(arabic_true_false)}};
  for (const auto& [task, function] : kTasks) {
    const std::string folder = std::string("arabic_leaderboard_") + task;
    rows["arabic_leaderboard_complete/" + folder + "/utils.process_docs"] = function;
    rows["arabic_leaderboard_light/" + folder + "_light/utils.process_docs"] = function;
  }
}

std::string option_lines(const Json& options, const std::vector<std::string>& labels) {
  if (options.size() > labels.size())
    throw std::runtime_error("more than " + std::to_string(labels.size()) + " options");
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < options.size(); ++i)
    lines.push_back(labels[i] + ". " + shown(options[i]));
  return text::join(lines, "\n");
}
Json first_labels(std::size_t count, const std::vector<std::string>& labels) {
  if (count > labels.size())
    throw std::runtime_error("more than " + std::to_string(labels.size()) + " options");
  return std::vector<std::string>(labels.begin(),
                                  labels.begin() + static_cast<std::ptrdiff_t>(count));
}

const std::vector<std::string>& latin_letters() {
  static const std::vector<std::string> kLetters = {"A", "B", "C", "D", "E"};
  return kLetters;
}

// arabicmmlu asks in English.
Json arabicmmlu_text(const Json& doc) {
  static const std::map<std::string, const char*> kLevels = {{"Primary", "primary school"},
                                                             {"Middle", "middle school"},
                                                             {"High", "high school"},
                                                             {"Univ", "university"},
                                                             {"Prof", "professional"}};
  std::string about = shown(doc.at("Subject")) + " question";
  if (truthy(doc.at("Level"))) about += std::string(" for ") + kLevels.at(text_at(doc, "Level"));
  if (truthy(doc.at("Country"))) about += " in " + text_at(doc, "Country");
  std::string question = shown(doc.at("Question"));
  if (truthy(doc.at("Context"))) question = text_at(doc, "Context") + "\n\n" + question;
  Json options = Json::array();
  for (int i = 1; i <= 5; ++i) {
    const Json& option = doc.at("Option " + std::to_string(i));
    if (!truthy(option)) break;
    options.push_back(option);
  }
  return "This is a " + about + ". Select the correct answer!\n\nQuestion: " + question + "\n" +
         option_lines(options, latin_letters()) + "\n\nAnswer:";
}
Json arabicmmlu_choices(const Json& doc) {
  Json letters = Json::array();
  for (std::size_t i = 0; i < 5; ++i) {
    if (truthy(doc.at("Option " + std::to_string(i + 1)))) letters.push_back(latin_letters()[i]);
  }
  return letters;
}

// egymmlu and darijammlu: MMLU in the Arabic of Egypt and of Morocco.
ValueFunction dialect_mmlu(const char* title, const char* column, const char* answer) {
  return guarded([=](const Json& doc) -> Json {
    std::string question = shown(doc.at("question"));
    if (!is_empty_text(doc.at("context"))) question = shown(doc.at("context")) + "\n\n" + question;
    return title + shown(doc.at(column)) + "\n\n" + question + "\n" +
           option_lines(doc.at("choices"), latin_letters()) + answer;
  });
}

const std::map<std::string, const char*>& greek_subjects() {
  static const std::map<std::string, const char*> kSubjects = {
      {"Economics", "Οικονομικών"},
      {"Education", "Παιδαγωγικής"},
      {"Medicine", "Ιατρικής"},
      {"Electrical Engineering", "Ηλεκτρολόγων Μηχανικών"},
      {"Greek Mythology", "Ελληνικής Μυθολογίας"},
      {"Computer Networks & Security", "Δικτύων Υπολογιστών και Ασφάλειας"},
      {"Law", "Νομικής"},
      {"Physics", "Φυσικής"},
      {"Government and Politics", "Διακυβέρνησης και Πολιτικής"},
      {"Art", "Τέχνης"},
      {"Greek Literature", "Νεοελληνικής Λογοτεχνίας"},
      {"World History", "Παγκόσμιας Ιστορίας"},
      {"General Knowledge", "Γενικών Γνώσεων"},
      {"World Religions", "Παγκόσμιων Θρησκειών"},
      {"Mathematics", "Μαθηματικών"},
      {"Clinical Knowledge", "Κλινικών Γνώσεων"},
      {"Driving Rules", "Κανόνων Οδικής Κυκλοφορίας"},
      {"Biology", "Βιολογίας"},
      {"Civil Engineering", "Πολιτικών Μηχανικών"},
      {"Computer Science", "Επιστήμης Υπολογιστών"},
      {"Geography", "Γεωγραφίας"},
      {"Chemistry", "Χημείας"},
      {"Prehistory", "Προϊστορίας"},
      {"Agriculture", "Γεωργίας"},
      {"Modern Greek Language", "Νεοελληνικής Γλώσσας"},
      {"Accounting", "Λογιστικής"},
      {"Greek History", "Ελληνικής Ιστορίας"},
      {"Management", "Διοίκησης Επιχειρήσεων"},
      {"Greek Traditions", "Ελληνικών Παραδόσεων"},
      {"Maritime Safety and Rescue Operations",
       "Ναυαγοσωστικων Λειτουργιών και Ασφάλειας στη Θάλασσα"}};
  return kSubjects;
}
const std::vector<std::string>& greek_letters() {
  static const std::vector<std::string> kLetters = {"Α", "Β", "Γ", "Δ"};
  return kLetters;
}
Json greekmmlu_text(const Json& doc) {
  const std::string& subject = text_at(doc, "subject");
  const auto greek = greek_subjects().find(subject);
  return "Αυτό είναι μια ερώτηση " + (greek == greek_subjects().end() ? subject : greek->second) +
         ". Επίλεξε τη σωστή απάντηση!\n\nΕρώτηση: " + shown(doc.at("question")) + "\n" +
         option_lines(doc.at("choices"), greek_letters()) + "\n\n Απάντηση:";
}

void csatqa(Json& doc, FunctionState& /*state*/) {
  std::string query =
      "다음을 읽고 정답으로 알맞은 것을 고르시요.\n### Context: " + shown(doc.at("context")) +
      "\n### Question: " + shown(doc.at("question")) + "\n### Options:\n";
  Json choices = Json::array();
  for (int i = 1; i <= 5; ++i) {
    const std::string label = "(" + std::to_string(i) + ")";
    query += label + " " + shown(doc.at("option#" + std::to_string(i))) + "\n";
    choices.push_back(label);
  }
  const std::int64_t gold = whole(doc.at("gold")) - 1;
  doc["question"] = query + "### Answer: 주어진 문제의 정답은";
  doc["choices"] = std::move(choices);
  doc["gold"] = gold;
}

void add_local_mmlu(RowsTable& rows, ValueTable& values) {
  rows["csatqa/utils.process_docs"] = map_rows(csatqa);
  values["arabicmmlu/utils.doc_to_text"] = guarded(arabicmmlu_text);
  values["arabicmmlu/utils.doc_to_choice"] = guarded(arabicmmlu_choices);
  values["egymmlu/utils.doc_to_text"] =
      dialect_mmlu("ده سؤال متعدد الاختيار (مع إجابته) على ", "egy_subject", "\n الجواب:");
  values["darijammlu/utils.doc_to_text"] = dialect_mmlu(
      "هادا سؤال متعدد الخيارات (مع الجواب ديالو) على ", "subject_darija", "\nالجواب:");
  for (const char* folder : {"egymmlu", "darijammlu"}) {
    values[std::string(folder) + "/utils.doc_to_choice"] = guarded([](const Json& doc) {
      return first_labels(doc.at("choices").get_ref<const Json::array_t&>().size(),
                          latin_letters());
    });
  }
  values["greekmmlu/utils.doc_to_text"] = guarded(greekmmlu_text);
  values["greekmmlu/utils.doc_to_choice"] = guarded([](const Json& doc) {
    return first_labels(doc.at("choices").get_ref<const Json::array_t&>().size(), greek_letters());
  });
}

}  // namespace

void add_language_functions(RowsTable& rows, ValueTable& values) {
  add_arabic_leaderboard(rows);
  add_local_mmlu(rows, values);
}

}  // namespace crucible::task
