#include "evaluator/template/template.hpp"

#include "evaluator/rust/crucible_native.h"
#include "evaluator/rust/owned.hpp"

namespace crucible::templating {
namespace {

using native::message_of;
using native::Owned;

constexpr int kMaxDepth = 120;  // of variables: JSON is written and read recursively

bool is_within(const Json& value, int depth) {
  if (!value.is_structured()) return true;
  if (depth == 0) return false;
  for (const Json& item : value) {
    if (!is_within(item, depth - 1)) return false;
  }
  return true;
}

// Invalid UTF-8 is replaced: a template cannot do anything with it.
std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string python_text(const Json& value, bool repr) {
  if (!is_within(value, kMaxDepth)) return "...";
  const std::string json = dump(value);
  std::size_t length = 0;
  char* raw_error = nullptr;
  const Owned<char> text(
      crucible_python_print(json.data(), json.size(), repr, &length, &raw_error));
  const Owned<char> error(raw_error);
  return text ? std::string(text.get(), length) : json;
}

}  // namespace

void Template::Free::operator()(void* handle) const {
  crucible_template_free(static_cast<crucible_template*>(handle));
}

Result<Template> Template::compile(std::string_view source, Dialect dialect) {
  char* raw_error = nullptr;
  Template compiled;
  compiled.handle_.reset(crucible_template_compile(source.data(), source.size(),
                                                   dialect == Dialect::kChat, &raw_error));
  const Owned<char> error(raw_error);
  if (!compiled.handle_) return fail(ErrorCode::kInvalidArgument, "template: " + message_of(error));
  return compiled;
}

Result<std::string> Template::render(const Json& variables, const Budget& budget) const {
  if (!handle_) return fail(ErrorCode::kInternal, "rendering a template that was moved from");
  if (!is_within(variables, kMaxDepth)) {
    return fail(ErrorCode::kInvalidArgument, "template: the variables are nested more than " +
                                                 std::to_string(kMaxDepth) + " deep");
  }
  const std::string json = dump(variables);
  const crucible_template_budget limits{budget.steps, budget.output_bytes, budget.memory_bytes};
  std::size_t length = 0;
  bool over_budget = false;
  char* raw_error = nullptr;
  const Owned<char> text(
      crucible_template_render(static_cast<const crucible_template*>(handle_.get()), json.data(),
                               json.size(), &limits, &length, &over_budget, &raw_error));
  const Owned<char> error(raw_error);
  if (text) return std::string(text.get(), length);
  return fail(over_budget ? ErrorCode::kUnsupported : ErrorCode::kInvalidArgument,
              "template: " + message_of(error));
}

Result<Json> parse_python_literal(std::string_view text) {
  std::size_t length = 0;
  char* raw_error = nullptr;
  const Owned<char> json(crucible_python_literal(text.data(), text.size(), &length, &raw_error));
  const Owned<char> error(raw_error);
  if (!json) return fail(ErrorCode::kInvalidArgument, message_of(error));
  return Json::parse(std::string_view(json.get(), length));
}

std::string python_str(const Json& value) { return python_text(value, false); }
std::string python_repr(const Json& value) { return python_text(value, true); }

}  // namespace crucible::templating
