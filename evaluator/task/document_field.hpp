#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "evaluator/task/document_functions.hpp"
#include "evaluator/task/task.hpp"
#include "evaluator/template/template.hpp"
#include "merger/base/error.hpp"

// doc_to_text, doc_to_target, doc_to_choice, description and gen_prefix of a task file: a column's
// name, a Jinja template, a constant, or a named built-in function; evaluated on a document as
// lm_eval/api/task.py does.
namespace crucible::task {

using Columns = std::set<std::string, std::less<>>;

// Copies share the compiled template. Const methods are safe from several threads.
class DocumentField {
 public:
  DocumentField() = default;  // not given
  // A string, a number, a list, a mapping or {"!function": path}. Errors: kInvalidArgument for a
  // template that does not compile or another kind of value, kUnsupported for an unknown function.
  static Result<DocumentField> compile(const Json& source);

  bool given() const { return !source_.is_null(); }
  const Json& source() const { return source_; }

  // A string, or an integer: the number of the right one of several inputs, or what a column or a
  // function holds. Digits are a number where the task has choices.
  Result<Json> text(const Json& document, const Columns& columns, bool has_choices) const;
  // The same, and lists: "[…]" is read as a Python literal where it is one.
  Result<Json> target(const Json& document, const Columns& columns, bool has_choices) const;
  // Options, in order. kInvalidArgument where they are no list.
  Result<std::vector<std::string>> choices(const Json& document, const Columns& columns) const;
  // "" where not given or empty; else the field of that name or the rendered template.
  Result<std::string> resolve(const Json& document) const;

 private:
  Result<Json> raw(const Json& document, const Columns& columns, bool& rendered) const;

  Json source_;
  std::shared_ptr<const templating::Template> template_;
  const ValueFunction* function_ = nullptr;
};

}  // namespace crucible::task
