#include <string>
#include <utility>
#include <vector>

#include "evaluator/text/regex.hpp"
#include "evaluator/text/sentences.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::text {
namespace {

struct Rewrite {
  Regex regex;
  std::string_view replacement;
};

Rewrite rewrite(std::string_view pattern, std::string_view replacement) {
  return {Regex::fixed(pattern), replacement};
}

// In the order in which nltk.tokenize.destructive applies them: opening quotes, punctuation,
// brackets, dashes.
std::vector<Rewrite> before_padding() {
  return {
      rewrite("([\u00AB\u201C\u2018\u201E]|[`]+)", R"( \1 )"),
      rewrite(R"(^\")", "``"),
      rewrite("(``)", R"( \1 )"),
      rewrite(R"(([ \(\[{<])(\"|\'{2}))", R"(\1 `` )"),
      rewrite(R"((?i)(?<!\w)(\')(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w))", R"(\1 )"),
      rewrite("([^\\.])(\\.)([\\]\\)}>\"\\'\u00BB\u201D\u2019 ]*+)\\s*$", R"(\1 \2 \3 )"),
      rewrite(R"(([:,])([^\d]))", R"( \1 \2)"),
      rewrite("([:,])$", R"( \1 )"),
      rewrite(R"(\.{2,})", R"( \g<0> )"),
      rewrite("[;@#$%&]", R"( \g<0> )"),
      rewrite(R"([\u2012-\u2015])", R"( \g<0> )"),
      rewrite(R"(([^\.])(\.)([\]\)}>"\']*)\s*$)", R"(\1 \2\3 )"),
      rewrite("[?!]", R"( \g<0> )"),
      rewrite("([^'])' ", R"(\1 ' )"),
      rewrite("[*]", R"( \g<0> )"),
      rewrite(R"([\]\[\(\)\{\}\<\>])", R"( \g<0> )"),
      rewrite("--", " -- "),
  };
}

// Closing quotes and contractions, on the text with a space at either end.
std::vector<Rewrite> after_padding() {
  std::vector<Rewrite> rules = {
      rewrite("([\u00BB\u201D\u2019])", R"( \1 )"),
      rewrite("''", " '' "),
      rewrite("\"", " '' "),
      rewrite(R"(\s+)", " "),
      rewrite("([^' ])('[sS]|'[mM]|'[dD]|') ", R"(\1 \2 )"),
      rewrite("([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", R"(\1 \2 )"),
  };
  for (const std::string_view contraction :
       {R"((?i)\b(can)(not)\b)", R"((?i)\b(d)('ye)\b)", R"((?i)\b(gim)(me)\b)",
        R"((?i)\b(gon)(na)\b)", R"((?i)\b(got)(ta)\b)", R"((?i)\b(lem)(me)\b)",
        R"((?i)\b(more)('n)\b)", R"((?i)\b(wan)(na)(?=\s))", R"((?i) ('t)(is)\b)",
        R"((?i) ('t)(was)\b)"}) {
    rules.push_back(rewrite(contraction, R"( \1 \2 )"));
  }
  return rules;
}

Status apply(const std::vector<Rewrite>& rules, std::string& text) {
  for (const auto& [regex, replacement] : rules) {
    Result<std::string> rewritten = regex.sub(replacement, text);
    if (!rewritten) return fail(std::move(rewritten.error()));
    text = std::move(*rewritten);
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> tokenize_words(std::string_view text) {
  static const std::vector<Rewrite> kBefore = before_padding();
  static const std::vector<Rewrite> kAfter = after_padding();
  const auto sentences = split_sentences(text);
  if (!sentences) return fail(sentences.error());
  std::vector<std::string> words;
  for (std::string sentence : *sentences) {
    if (const Status done = apply(kBefore, sentence); !done) return fail(done.error());
    sentence = " " + sentence + " ";
    if (const Status done = apply(kAfter, sentence); !done) return fail(done.error());
    for (std::string& word : split(sentence)) words.push_back(std::move(word));
  }
  return words;
}

}  // namespace crucible::text
