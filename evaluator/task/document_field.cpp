#include "evaluator/task/document_field.hpp"

#include <algorithm>
#include <charconv>

#include "evaluator/task/yaml_value.hpp"

namespace crucible::task {
namespace {

// str.isdigit, ASCII digits only: others do not survive literal_eval.
std::optional<std::int64_t> all_digits(const std::string& text) {
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(),
                                                   [](char c) { return c >= '0' && c <= '9'; });
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  if (!digits || std::from_chars(text.data(), end, value).ec != std::errc()) return std::nullopt;
  return value;
}

tl::unexpected<Error> unknown_function(const std::string& path) {
  Error error{ErrorCode::kUnsupported, {}, {}};
  error.message = no_counterpart(path);
  return fail(std::move(error));
}

}  // namespace

Result<DocumentField> DocumentField::compile(const Json& source) {
  DocumentField field;
  field.source_ = source;
  if (const std::string* path = function_name(source)) {
    field.function_ = find_value_function(*path);
    if (field.function_ == nullptr) return unknown_function(*path);
    return field;
  }
  if (source.is_string()) {
    auto compiled =
        templating::Template::compile(source.get<std::string>(), templating::Dialect::kTask);
    if (!compiled) return fail(std::move(compiled.error()));
    field.template_ = std::make_shared<const templating::Template>(std::move(*compiled));
    return field;
  }
  if (source.is_boolean() || source.is_number_float())
    return fail(ErrorCode::kInvalidArgument, "is not a column, a template, a list or a number");
  return field;
}

Result<Json> DocumentField::raw(const Json& document, const Columns& columns,
                                bool& rendered) const {
  rendered = false;
  if (function_ != nullptr) return (*function_)(document);
  if (!template_) return source_;
  const std::string& name = source_.get_ref<const std::string&>();
  if (columns.contains(name)) {
    const auto found = document.find(name);
    if (found != document.end()) return *found;
    return fail(ErrorCode::kInvalidArgument, "the document has no field `" + name + "`");
  }
  rendered = true;
  Result<std::string> text = template_->render(document);
  if (!text) return fail(std::move(text.error()));
  return Json(std::move(*text));
}

Result<Json> DocumentField::text(const Json& document, const Columns& columns,
                                 bool has_choices) const {
  bool rendered = false;
  Result<Json> value = raw(document, columns, rendered);
  if (!value || !rendered || !has_choices) return value;
  if (const auto number = all_digits(value->get_ref<const std::string&>())) return Json(*number);
  return value;
}

Result<Json> DocumentField::target(const Json& document, const Columns& columns,
                                   bool has_choices) const {
  bool rendered = false;
  Result<Json> value = raw(document, columns, rendered);
  if (!value || !rendered) return value;
  const std::string& text = value->get_ref<const std::string&>();
  if (has_choices) {
    if (const auto number = all_digits(text)) return Json(*number);
  }
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    if (Result<Json> list = templating::parse_python_literal(text)) return list;
  }
  return value;
}

Result<std::vector<std::string>> DocumentField::choices(const Json& document,
                                                        const Columns& columns) const {
  bool rendered = false;
  Result<Json> value = raw(document, columns, rendered);
  if (value && rendered) {
    value = templating::parse_python_literal(value->get_ref<const std::string&>());
  }
  if (!value) return fail(std::move(value.error()));
  const bool constant_mapping = value->is_object() && !template_ && function_ == nullptr;
  if (!value->is_array() && !constant_mapping)
    return fail(ErrorCode::kInvalidArgument, "gives no list of choices");
  std::vector<std::string> options;
  for (const Json& option : *value) {
    options.push_back(option.is_string() ? option.get<std::string>()
                                         : templating::python_str(option));
  }
  return options;
}

Result<std::string> DocumentField::resolve(const Json& document) const {
  if (!template_ || source_.get_ref<const std::string&>().empty()) return std::string();
  const auto found = document.find(source_.get_ref<const std::string&>());
  if (found == document.end()) return template_->render(document);
  if (found->is_null()) return std::string();
  return found->is_string() ? found->get<std::string>() : templating::python_str(*found);
}

}  // namespace crucible::task
