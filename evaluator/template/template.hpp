#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "merger/base/error.hpp"
#include "nlohmann/json.hpp"

// Jinja templates as Python's Jinja2 renders them: values print as Python prints them (True, None,
// ['a', 'b']), and strings, lists and mappings have the Python methods that templates use.
namespace crucible::templating {

using Json = nlohmann::ordered_json;

// Of one rendering; a template past any of these is an error, not a hang. Regular expressions have
// a second in all besides, since they count no steps.
struct Budget {
  std::uint64_t steps = 5'000'000;  // instructions
  std::uint64_t output_bytes = 16ULL << 20;
  std::uint64_t memory_bytes = 256ULL << 20;
};

enum class Dialect {
  kTask,  // lm-evaluation-harness: StrictUndefined, keep_trailing_newline, regex_replace
  kChat   // transformers' apply_chat_template: trim_blocks, lstrip_blocks, tojson, raise_exception,
          // strftime_now, {% generation %}, loop controls
};

// Move-only; const methods are safe from several threads.
class Template {
 public:
  // kInvalidArgument with line and what was expected.
  static Result<Template> compile(std::string_view source, Dialect dialect);
  // `variables` is an object. kInvalidArgument: undefined variable, raise_exception, wrong types;
  // kUnsupported: past the budget.
  Result<std::string> render(const Json& variables, const Budget& budget = {}) const;

 private:
  struct Free {
    void operator()(void* handle) const;
  };
  std::unique_ptr<void, Free> handle_;
};

// A Python literal ("['a', 'b']", "{'x': 1.5}", "True") as ast.literal_eval reads it, and a value
// as Python's str() and repr() print it.
Result<Json> parse_python_literal(std::string_view text);
std::string python_str(const Json& value);
std::string python_repr(const Json& value);

}  // namespace crucible::templating
