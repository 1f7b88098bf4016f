#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/task/python_random.hpp"
#include "evaluator/task/task.hpp"
#include "merger/base/error.hpp"

// What stands in for the Python functions that task files of lm-evaluation-harness name by
// `!function module.function`. A function is known by the end of its path: the file's folder, the
// module and the function ("hellaswag/utils.process_docs"), so it is found from the harness's own
// folders, from copies of them, and from a path written out (`!function
// hellaswag/utils.process_docs`). Behaviour follows the harness's task folders (MIT licence).
namespace crucible::task {

// State that functions share over one build, as Python modules share it over one run.
struct FunctionState {
  PythonRandom global{0};                       // the global generator, seeded 0 by the harness
  std::map<std::string, PythonRandom> modules;  // generators of single modules
};

using RowsFunction = std::function<Result<std::vector<Json>>(std::vector<Json>, FunctionState&)>;
using ValueFunction = std::function<Result<Json>(const Json& document)>;

// The text "", not null and not an empty list.
inline bool is_empty_text(const Json& value) {
  return value.is_string() && value.get_ref<const std::string&>().empty();
}

// process_docs; nullptr where there is none.
const RowsFunction* find_rows_function(std::string_view path);
// doc_to_text, doc_to_target, doc_to_choice.
const ValueFunction* find_value_function(std::string_view path);
// fewshot_config.samples.
std::optional<std::vector<Json>> fewshot_samples(std::string_view path);
// process_results: the name of a built-in rule (Task::process_results).
std::optional<std::string> results_rule(std::string_view path);
// Functions among metrics, aggregations and filters: the name scoring knows them by.
std::optional<std::string> scoring_name(std::string_view path);

// What is wrong with a function that there is nothing for.
std::string no_counterpart(std::string_view path);
// Known functions of the same folder, for messages.
std::vector<std::string> similar_functions(std::string_view path);

// "global_mmlu/full/*/utils.process_anatomy" for ".../global_mmlu/full/de/utils.process_anatomy":
// families of tasks with one folder for each language have one key.
std::string with_any_folder(std::string_view path);

// Entry of a table whose key is the end of `path`; the longest wins.
template <typename Table>
const typename Table::mapped_type* find_by_ending(const Table& table, std::string_view path) {
  const typename Table::mapped_type* best = nullptr;
  std::size_t length = 0;
  for (const auto& [key, value] : table) {
    const bool fits = path.ends_with(key) &&
                      (path.size() == key.size() || path[path.size() - key.size() - 1] == '/');
    if (fits && key.size() > length) {
      best = &value;
      length = key.size();
    }
  }
  return best;
}

// The tables, by subject; each is built on first use.
using RowsTable = std::map<std::string, RowsFunction, std::less<>>;
using ValueTable = std::map<std::string, ValueFunction, std::less<>>;
void add_choice_functions(RowsTable& rows, ValueTable& values);   // multiple-choice tasks
void add_reading_functions(RowsTable& rows, ValueTable& values);  // passages, dialogues, pronouns
void add_math_functions(RowsTable& rows, ValueTable& values);     // boxed answers
void add_subject_functions(RowsTable& rows, ValueTable& values);  // rows of one subject; MMLUs
void add_language_functions(RowsTable& rows, ValueTable& values);
// After the choice functions: HellaSwag's is one of them.
void add_translated_functions(RowsTable& rows, ValueTable& values);

// One row after another; an exception of a missing or mistyped field becomes an error that names
// the row.
RowsFunction map_rows(std::function<void(Json& document, FunctionState& state)> change);
RowsFunction filter_rows(std::function<bool(const Json& document)> keep);
ValueFunction guarded(std::function<Json(const Json& document)> value);
// Fields of a document; nlohmann's exception where there is none of that kind.
const std::string& text_at(const Json& document, const char* key);
std::vector<std::string> texts_at(const Json& document, const char* key);

}  // namespace crucible::task
