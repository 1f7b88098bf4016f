#include <map>
#include <set>
#include <stdexcept>

#include "evaluator/task/builtin_files.hpp"
#include "evaluator/task/document_functions.hpp"
#include "evaluator/text/strings.hpp"

// Families of tasks that share a data set and take the rows of one subject each, and MMLU in other
// languages. A `*` in a key stands for one folder, that of the language.
namespace crucible::task {
namespace {

const std::vector<std::string>& mmlu_subjects() {
  static const std::vector<std::string> kSubjects = {"abstract_algebra",
                                                     "anatomy",
                                                     "astronomy",
                                                     "business_ethics",
                                                     "clinical_knowledge",
                                                     "college_biology",
                                                     "college_chemistry",
                                                     "college_computer_science",
                                                     "college_mathematics",
                                                     "college_medicine",
                                                     "college_physics",
                                                     "computer_security",
                                                     "conceptual_physics",
                                                     "econometrics",
                                                     "electrical_engineering",
                                                     "elementary_mathematics",
                                                     "formal_logic",
                                                     "global_facts",
                                                     "high_school_biology",
                                                     "high_school_chemistry",
                                                     "high_school_computer_science",
                                                     "high_school_european_history",
                                                     "high_school_geography",
                                                     "high_school_government_and_politics",
                                                     "high_school_macroeconomics",
                                                     "high_school_mathematics",
                                                     "high_school_microeconomics",
                                                     "high_school_physics",
                                                     "high_school_psychology",
                                                     "high_school_statistics",
                                                     "high_school_us_history",
                                                     "high_school_world_history",
                                                     "human_aging",
                                                     "human_sexuality",
                                                     "international_law",
                                                     "jurisprudence",
                                                     "logical_fallacies",
                                                     "machine_learning",
                                                     "management",
                                                     "marketing",
                                                     "medical_genetics",
                                                     "miscellaneous",
                                                     "moral_disputes",
                                                     "moral_scenarios",
                                                     "nutrition",
                                                     "philosophy",
                                                     "prehistory",
                                                     "professional_accounting",
                                                     "professional_law",
                                                     "professional_medicine",
                                                     "professional_psychology",
                                                     "public_relations",
                                                     "security_studies",
                                                     "sociology",
                                                     "us_foreign_policy",
                                                     "virology",
                                                     "world_religions"};
  return kSubjects;
}

RowsFunction rows_where(std::string column, std::string value) {
  return filter_rows([column = std::move(column), value = std::move(value)](const Json& doc) {
    return doc.at(column) == value;
  });
}

// process_<value in small letters, words joined by "_", "&" left out>
void add_subjects(RowsTable& rows, const std::string& module, const std::string& column,
                  const std::vector<std::string>& values) {
  for (const std::string& value : values) {
    const std::string name = text::replace(text::replace(text::lower(value), " & ", "_"), " ", "_");
    rows[module + ".process_" + name] = rows_where(column, value);
  }
}

// openai-mmmlu: the column may hold a file's name, "anatomy_test.csv_sw-KE.csv".
RowsFunction mmmlu(std::string subject) {
  return filter_rows([subject = std::move(subject)](const Json& doc) {
    const Json& value = doc.at("Subject");
    if (!value.is_string()) return false;
    const auto& name = value.get_ref<const std::string&>();
    std::size_t end = name.find("_test.csv");
    if (end == std::string::npos) end = name.find("_test-");
    return name.substr(0, end) == subject;
  });
}

void add_mmlu(RowsTable& rows) {
  add_subjects(rows, "global_mmlu/full/*/utils", "subject", mmlu_subjects());
  add_subjects(rows, "global_mmlu/default/*/utils", "subject_category",
               {"Business", "Humanities", "Medical", "Other", "STEM", "Social Sciences"});
  for (const std::string& subject : mmlu_subjects()) {
    rows["openai-mmmlu/default/utils.process_" + subject] = mmmlu(subject);
    for (const std::string language : {"de", "es", "fr", "hi", "it", "pt", "th"}) {
      rows["llama3/instruct/mmlu_" + language + "/utils.process_docs_" + subject] =
          rows_where("subtask_name", "mmlu_" + language + "_chat." + subject);
    }
  }
  const std::vector<std::string> pro = {"biology",   "business",    "chemistry", "computer science",
                                        "economics", "engineering", "health",    "history",
                                        "law",       "math",        "other",     "philosophy",
                                        "physics",   "psychology"};
  for (const char* module : {"mmlu_pro/utils", "mmlu_prox/*/utils", "mmlu-pro-plus/utils",
                             "llama3/instruct/mmlu_pro/utils"}) {
    add_subjects(rows, module, "category", pro);
  }
}

void add_include(RowsTable& rows) {
  const std::vector<std::string> domains = {"Applied Science",
                                            "Arts & Humanities",
                                            "Business & Commerce",
                                            "Driving License",
                                            "General knowledge",
                                            "Health oriented education",
                                            "Marine License",
                                            "Medical License",
                                            "Professional certification",
                                            "STEM",
                                            "Social Science"};
  for (const char* form : {"default", "few_shot_en", "few_shot_og"}) {
    add_subjects(rows, std::string("include/") + form + "/*/utils", "domain", domains);
  }
}

void add_groups_of_people(RowsTable& rows) {
  for (const char* gender : {"male", "female", "neutral"}) {
    rows[std::string("winogender/utils.filter_") + gender] = rows_where("gender", gender);
  }
  static const std::map<std::string, std::string> kBiases = {{"race_color", "race-color"},
                                                             {"socio", "socioeconomic"},
                                                             {"gender", "gender"},
                                                             {"age", "age"},
                                                             {"religion", "religion"},
                                                             {"disability", "disability"},
                                                             {"orientation", "sexual-orientation"},
                                                             {"nationality", "nationality"},
                                                             {"appearance", "physical-appearance"},
                                                             {"autre", "autre"}};
  for (const auto& [name, bias] : kBiases) {
    rows["crows_pairs/utils.filter_" + name] = filter_rows(
        [bias = bias](const Json& doc) { return text_at(doc, "bias_type").starts_with(bias); });
  }
}

// mmlu_prox/lang_libs.py of lm-evaluation-harness (MIT): a language's words of the prompt.
struct PromptWords {
  std::string question, options, answer, written_answer;
};
const std::map<std::string, PromptWords>& languages() {
  static const std::map<std::string, PromptWords> kLanguages = [] {
    std::map<std::string, PromptWords> read;
    const BuiltinFile* file = find_builtin_file("data/mmlu_prox/languages.jsonl");
    if (file == nullptr) return read;
    for (const std::string& line : text::split(file->text, "\n")) {
      if (line.empty()) continue;
      const Json words = Json::parse(line);
      read[text_at(words, "language")] = {text_at(words, "question"), text_at(words, "options"),
                                          text_at(words, "answer"),
                                          text_at(words, "written_answer")};
    }
    return read;
  }();
  return kLanguages;
}

Json prox_prompt(const Json& doc, const PromptWords& words, bool answered) {
  std::string prompt =
      words.question + "\n" + text_at(doc, "question") + "\n" + words.options + "\n";
  for (int i = 0; i < 10; ++i) {
    const Json& option = doc.at("option_" + std::to_string(i));
    if (option.is_null()) continue;
    prompt += std::string(1, static_cast<char>('A' + i)) + ". " +
              option.get_ref<const std::string&>() + "\n";
  }
  if (!answered) return prompt + words.answer;
  return prompt + text::replace(text_at(doc, "cot_content"), words.written_answer, words.answer) +
         "\n\n";
}

void add_prox(ValueTable& values) {
  for (const auto& [language, words] : languages()) {
    const std::string module = "mmlu_prox/" + language + "/utils";
    values[module + ".doc_to_text"] =
        guarded([words = words](const Json& doc) { return prox_prompt(doc, words, false); });
    values[module + ".fewshot_to_text"] =
        guarded([words = words](const Json& doc) { return prox_prompt(doc, words, true); });
  }
}

// A row's empty cell is null.
std::string text_or_empty(const Json& value) {
  return value.is_null() ? std::string() : value.get<std::string>();
}

void mmlusr(Json& doc, FunctionState& /*state*/) {
  Json choices = Json::array();
  for (const char* key : {"choice1", "choice2", "choice3", "choice4"})
    choices.push_back(text_or_empty(doc.at(key)));
  const std::string answer = text_or_empty(doc.at("answer"));
  doc["choices"] = std::move(choices);
  doc["answer"] = std::string(text::strip(answer));
}

// tmmluplus and tmlu: options in columns A to D, tmlu's sometimes to F.
void lettered_columns(Json& doc, bool up_to_f) {
  std::string letters = "ABCD";
  if (up_to_f) {
    for (const char* more : {"E", "F"}) {
      const auto found = doc.find(more);
      if (found != doc.end() && !found->is_null() && !is_empty_text(*found)) letters += more;
    }
  }
  Json choices = Json::array();
  for (const char letter : letters) choices.push_back(doc.at(std::string(1, letter)));
  const std::string& answer = text_at(doc, "answer");
  const std::size_t goal = answer.size() == 1 ? letters.find(answer) : std::string::npos;
  if (goal == std::string::npos) throw std::runtime_error("answer is not one of " + letters);
  doc["questions"] = Json(doc.at("question"));
  doc["choices"] = std::move(choices);
  doc["goal"] = goal;
}

bool eus_exams_valid(const Json& doc) {
  const Json& answer = doc.at("answer");
  return answer.is_number() && (answer == 0 || answer == 1 || answer == 2 || answer == 3) &&
         doc.at("candidates") != Json{"", "", "", ""};
}

void add_other_exams(RowsTable& rows) {
  for (const char* form : {"answer_only", "question_and_answer", "question_only"}) {
    rows[std::string("mmlusr/") + form + "/utils.process_docs"] = map_rows(mmlusr);
  }
  rows["tmmluplus/default/utils.process_docs"] =
      map_rows([](Json& doc, FunctionState&) { lettered_columns(doc, false); });
  rows["tmlu/default/utils.process_docs"] =
      map_rows([](Json& doc, FunctionState&) { lettered_columns(doc, true); });
  rows["eus_exams/utils.process_docs"] = filter_rows(eus_exams_valid);
}

}  // namespace

void add_subject_functions(RowsTable& rows, ValueTable& values) {
  add_mmlu(rows);
  add_include(rows);
  add_groups_of_people(rows);
  add_other_exams(rows);
  add_prox(values);
  values["crows_pairs/utils.doc_to_choice"] =
      guarded([](const Json& doc) { return Json{doc.at("sent_more"), doc.at("sent_less")}; });
}

}  // namespace crucible::task
