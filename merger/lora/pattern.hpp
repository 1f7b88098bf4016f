#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "merger/base/error.hpp"

namespace crucible::lora {

// A regular expression in Perl syntax, which is what Python's `re` reads but for rarities. Matching
// is bounded: an expression that backtracks without end is an error, not a hang. Immutable,
// thread-safe.
class Pattern {
 public:
  // kInvalidArgument says what is wrong with the expression.
  static Result<Pattern> compile(std::string_view expression);
  // A key of rank_pattern or alpha_pattern: matches a whole module name, or what follows one of its
  // dots, as PEFT does.
  static Result<Pattern> compile_module_key(std::string_view key);

  Result<bool> matches(std::string_view text) const;  // from begin to end
  Result<bool> occurs_in(std::string_view text) const;

 private:
  struct Compiled;
  explicit Pattern(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace crucible::lora
