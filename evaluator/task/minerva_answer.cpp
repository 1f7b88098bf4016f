#include "evaluator/task/minerva_answer.hpp"

#include <utility>
#include <vector>

#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::task {
namespace {

using text::Regex;

struct Word {
  std::string text;
  bool alphabetic;
};

// Units and decorations that say nothing about the value, in the paper's order.
const std::vector<Word>& removed_words() {
  static const std::vector<Word> kWords = {{"square", true},
                                           {"ways", true},
                                           {"integers", true},
                                           {"dollars", true},
                                           {"mph", true},
                                           {"inches", true},
                                           {"ft", true},
                                           {"hours", true},
                                           {"km", true},
                                           {"units", true},
                                           {"\\ldots", false},
                                           {"sue", true},
                                           {"points", true},
                                           {"feet", true},
                                           {"minutes", true},
                                           {"digits", true},
                                           {"cents", true},
                                           {"degrees", true},
                                           {"cm", true},
                                           {"gm", true},
                                           {"pounds", true},
                                           {"meters", true},
                                           {"meals", true},
                                           {"edges", true},
                                           {"students", true},
                                           {"childrentickets", true},
                                           {"multiples", true},
                                           {"\\text{s}", false},
                                           {"\\text{.}", false},
                                           {"\\text{\ns}", false},
                                           {"\\text{}^2", false},
                                           {"\\text{}^3", false},
                                           {"\\text{\n}", false},
                                           {"\\text{}", false},
                                           {"\\mathrm{th}", false},
                                           {"^\\circ", false},
                                           {"^{\\circ}", false},
                                           {"\\;", false},
                                           {",\\!", false},
                                           {"{,}", false},
                                           {"\"", false},
                                           {"\\dots", false}};
  return kWords;
}

const std::vector<Regex>& whole_words() {
  static const std::vector<Regex> kPatterns = [] {
    std::vector<Regex> patterns;
    for (const Word& word : removed_words()) {
      if (word.alphabetic) patterns.push_back(Regex::fixed("(?<!\\\\)\\b" + word.text + "\\b"));
    }
    return patterns;
  }();
  return kPatterns;
}

void sub(const Regex& pattern, std::string_view replacement, std::string& text) {
  if (auto changed = pattern.sub(replacement, text)) text = std::move(*changed);
}

// Removes a word outside of LaTeX commands ("ft" must not spoil "\left").
void remove_outside_commands(const std::string& word, std::string& text) {
  std::string kept;
  std::string run;
  const auto flush = [&] {
    kept += text::replace(run, word, "");
    run.clear();
  };
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    const auto letter = [&](std::size_t at) {
      const char c = at < text.size() ? text[at] : '\0';
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    if (text[i] == '\\' && letter(end)) {
      while (letter(end)) ++end;
      flush();
      kept.append(text, i, end - i);
    } else {
      run.push_back(text[i]);
    }
    i = end;
  }
  flush();
  text = std::move(kept);
}

void unwrap_and_complete(std::string& text) {
  static const std::vector<std::pair<Regex, const char*>> kRules = {
      {Regex::fixed(R"((.*?)(\$)(.*?)(\$)(.*))"), R"($\3$)"},
      {Regex::fixed(R"((\\text\{)(.*?)(\}))"), R"(\2)"},
      {Regex::fixed(R"((\\textbf\{)(.*?)(\}))"), R"(\2)"},
      {Regex::fixed(R"((\\overline\{)(.*?)(\}))"), R"(\2)"},
      {Regex::fixed(R"((\\boxed\{)(.*)(\}))"), R"(\2)"},
      {Regex::fixed(R"((frac)([^{])(.))"), R"(frac{\2}{\3})"},
      {Regex::fixed(R"((sqrt)(\[[^\]]*\])(\w))"), R"(\1\2{\3})"},
      {Regex::fixed(R"((sqrt)(?!\[)([^{]))"), R"(sqrt{\2})"}};
  for (const auto& [pattern, replacement] : kRules) sub(pattern, replacement, text);
}

}  // namespace

std::string normalize_minerva_answer(std::string_view answer) {
  static const std::vector<std::pair<const char*, const char*>> kSubstitutions = {
      {"an ", ""},          {"a ", ""},
      {".$", "$"},          {"\\$", ""},
      {"\\ ", ""},          {" ", ""},
      {"mbox", "text"},     {",\\text{and}", ","},
      {"\\text{and}", ","}, {"\\text{m}", "\\text{}"}};
  static const Regex kThousands = Regex::fixed(R"(-?\d{1,3}(,\d{3})+)");
  std::string text = text::split(answer, "=").back();
  for (const Regex& word : whole_words()) sub(word, "", text);
  for (const auto& [from, to] : kSubstitutions) text = text::replace(text, from, to);
  for (const Word& word : removed_words()) {
    if (word.alphabetic) {
      remove_outside_commands(word.text, text);
    } else {
      text = text::replace(text, word.text, "");
    }
  }
  unwrap_and_complete(text);
  text = text::replace(text, "$", "");
  const auto grouped = kThousands.fullmatch(text);
  if (grouped && *grouped) text = text::replace(text, ",", "");
  return text;
}

}  // namespace crucible::task
