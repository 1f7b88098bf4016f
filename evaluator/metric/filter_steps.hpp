#pragma once

#include <string>
#include <string_view>

#include "evaluator/task/task.hpp"
#include "evaluator/text/regex.hpp"
#include "merger/base/error.hpp"

// Steps of a filter pipeline that extract by regular expressions; used by filter.cpp alone.
namespace crucible::metric {

struct StepInput {
  const task::Json& value;      // what the step before gave
  const task::Json& arguments;  // of the task file
  const task::Json& document;
  std::string& note;  // set where nothing was found
};

Result<task::Json> regex_step(const StepInput& in);
// By pattern, else by the texts of the document's choices, else by a letter after a colon.
Result<task::Json> multi_choice_regex_step(const StepInput& in);
// BBH's own: choices from "(A) …" lines of the document's input; a value for each pattern; a number
// by pattern, else by English words; the words of a list in the order of their last mention.
Result<task::Json> input_choice_regex_step(const StepInput& in);
Result<task::Json> map_regex_step(const StepInput& in);
Result<task::Json> number_regex_step(const StepInput& in);
Result<task::Json> word_sort_step(const StepInput& in);

// A switch such as ignore_case: true, or a number other than 0.
bool is_set(const task::Json& arguments, const char* key);
// A field's text; "" where it is missing or something else.
std::string text_field(const task::Json& object, const char* key);

// Regex::compile, remembered by each thread for the patterns used last.
Result<text::Regex> compiled(std::string_view pattern);

}  // namespace crucible::metric
