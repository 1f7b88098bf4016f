#include "evaluator/text/regex.hpp"

#include "merger/lora/pattern.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace crucible;

void check_spans(const text::Match& match, std::string_view subject) {
  for (std::size_t group = 0; group <= match.groups(); ++group) {
    if (!match.has(group)) continue;
    fuzz::require(match.begin(group) <= match.end(group) && match.end(group) <= subject.size());
  }
}

void search(std::string_view pattern, std::string_view replacement, std::string_view subject,
            const text::RegexFlags& flags) {
  const auto regex = text::Regex::compile(pattern, flags);
  if (!fuzz::accepted(regex)) return;
  const auto found = regex->search(subject);
  if (fuzz::accepted(found) && *found) check_spans(**found, subject);
  const auto all = regex->find_all(subject);
  if (fuzz::accepted(all)) {
    for (const text::Match& match : *all) check_spans(match, subject);
    if (found) fuzz::require(found->has_value() == !all->empty());
  }
  (void)fuzz::accepted(regex->fullmatch(subject));
  (void)fuzz::accepted(regex->split(subject));
  (void)fuzz::accepted(regex->sub(replacement, subject));
}

}  // namespace

// Regular expressions of task files, flags in the first byte: pattern, replacement and subject, a
// zero byte between them. Those of adapters' rank patterns are read by the same bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const unsigned bits = input.choice(32);
  const text::RegexFlags flags{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0,
                               (bits & 16) != 0};
  const std::string_view pattern = input.text();
  const std::string_view replacement = input.text();
  search(pattern, replacement, input.rest(), flags);
  const auto key = lora::Pattern::compile_module_key(pattern);
  if (fuzz::accepted(key)) (void)fuzz::accepted(key->matches(input.rest()));
  const std::string literal = text::regex_escape(pattern);
  const auto escaped = text::Regex::compile(literal);
  if (escaped) {
    const auto itself = escaped->fullmatch(pattern);
    if (itself && *itself) fuzz::require((*itself)->end() == pattern.size());
  }
  return 0;
}
