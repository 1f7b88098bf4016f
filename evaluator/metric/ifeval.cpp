#include "evaluator/metric/ifeval.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>

#include "evaluator/metric/filter_steps.hpp"
#include "evaluator/metric/rule.hpp"
#include "evaluator/text/language.hpp"
#include "evaluator/text/regex.hpp"
#include "evaluator/text/sentences.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

using task::Json;
using text::Regex;
using text::RegexFlags;

// The arguments of one instruction. A missing one is remembered, so that checks stay short.
class Arguments {
 public:
  explicit Arguments(const Json& values) : values_(values) {}

  long count(const char* key) {
    const Json* value = find(key);
    return value != nullptr && value->is_number() ? static_cast<long>(value->get<double>())
                                                  : missing(key, 0L);
  }
  std::string text(const char* key) {
    const Json* value = find(key);
    return value != nullptr && value->is_string() ? value->get<std::string>()
                                                  : missing(key, std::string());
  }
  std::vector<std::string> texts(const char* key) {
    std::vector<std::string> out;
    const Json* value = find(key);
    if (value == nullptr || !value->is_array()) return missing(key, out);
    for (const Json& one : *value) {
      if (one.is_string()) out.push_back(one.get<std::string>());
    }
    return out;
  }
  // `actual` against a threshold by "less than" or "at least".
  bool compare(std::size_t actual, const char* threshold, const char* relation) {
    const auto value = static_cast<long>(actual);
    const long limit = count(threshold);
    const std::string how = text(relation);
    if (how != "less than" && how != "at least") return missing(relation, false);
    return how == "less than" ? value < limit : value >= limit;
  }
  const std::optional<std::string>& fault() const { return fault_; }

 private:
  const Json* find(const char* key) const {
    const auto found = values_.find(key);
    return found == values_.end() || found->is_null() ? nullptr : &*found;
  }
  template <typename T>
  T missing(const char* key, T value) {
    if (!fault_) fault_ = key;
    return value;
  }
  const Json& values_;
  std::optional<std::string> fault_;
};

// Number of matches; an expression past its limit counts none.
std::size_t matches(const Regex& regex, std::string_view text) {
  const auto found = regex.find_all(text);
  return found ? found->size() : 0;
}
bool found(const Regex& regex, std::string_view text) {
  const auto match = regex.search(text);
  return match && match->has_value();
}
// A keyword is an expression to the harness; one that does not compile is taken literally.
Regex keyword_regex(const std::string& before, const std::string& keyword,
                    const std::string& after) {
  auto regex = Regex::compile(before + keyword + after, RegexFlags{.ignore_case = true});
  return regex ? std::move(*regex)
               : Regex::fixed(before + text::regex_escape(keyword) + after,
                              RegexFlags{.ignore_case = true});
}
std::vector<std::string> split_by(const Regex& regex, const std::string& text) {
  auto pieces = regex.split(text);
  return pieces ? std::move(*pieces) : std::vector<std::string>{text};
}
bool blank(std::string_view text) { return text::strip(text).empty(); }

bool keywords_exist(Arguments& in, const std::string& response) {
  const auto keywords = in.texts("keywords");
  return std::all_of(keywords.begin(), keywords.end(), [&](const std::string& keyword) {
    return found(keyword_regex("", keyword, ""), response);
  });
}

bool keyword_frequency(Arguments& in, const std::string& response) {
  const std::string keyword(text::strip(in.text("keyword")));
  return in.compare(matches(keyword_regex("", keyword, ""), response), "frequency", "relation");
}

bool forbidden_words(Arguments& in, const std::string& response) {
  const auto words = in.texts("forbidden_words");
  return std::none_of(words.begin(), words.end(), [&](const std::string& word) {
    return found(keyword_regex("\\b", word, "\\b"), response);
  });
}

bool letter_frequency(Arguments& in, const std::string& response) {
  const std::u32string letter = text::decode_utf8(text::lower(in.text("letter")));
  const std::u32string characters = text::decode_utf8(text::lower(response));
  const auto count =
      letter.empty() ? 0 : std::count(characters.begin(), characters.end(), letter.front());
  const std::string relation = in.text("let_relation");
  const long limit = in.count("let_frequency");
  return relation == "less than" ? count < limit : count >= limit;
}

// Undetectable text follows, as it does in the harness.
bool is_language(const std::string& response, std::string_view language) {
  const std::string detected = text::detect_language(response);
  return detected.empty() || detected == language;
}
bool response_language(Arguments& in, const std::string& response) {
  return is_language(response, in.text("language"));
}
bool english_capital(Arguments&, const std::string& response) {
  return text::is_upper(response) && is_language(response, "en");
}
bool english_lowercase(Arguments&, const std::string& response) {
  return text::is_lower(response) && is_language(response, "en");
}

bool number_sentences(Arguments& in, const std::string& response) {
  const auto sentences = text::split_sentences(response);
  return in.compare(sentences ? sentences->size() : 0, "num_sentences", "relation");
}

bool number_words(Arguments& in, const std::string& response) {
  static const Regex kWord = Regex::fixed(R"(\w+)");
  return in.compare(matches(kWord, response), "num_words", "relation");
}

bool number_paragraphs(Arguments& in, const std::string& response) {
  static const Regex kDivider = Regex::fixed(R"(\s?\*\*\*\s?)");
  const auto paragraphs = split_by(kDivider, response);
  long count = static_cast<long>(paragraphs.size());
  for (std::size_t i = 0; i < paragraphs.size(); ++i) {
    if (!blank(paragraphs[i])) continue;
    if (i != 0 && i + 1 != paragraphs.size()) return false;
    --count;
  }
  return count == in.count("num_paragraphs");
}

// The first word of a paragraph: lower case, without quotes before it and what follows a mark.
std::string first_word(std::string_view paragraph) {
  const auto words = text::split(paragraph);
  if (words.empty()) return {};
  std::string_view word = text::lstrip(words.front(), "'");
  word = text::lstrip(word, "\"");
  return text::lower(word.substr(0, word.find_first_of(".,?!'\"")));
}

bool nth_paragraph_first_word(Arguments& in, const std::string& response) {
  const auto paragraphs = text::split(response, "\n\n");
  const long count = std::count_if(paragraphs.begin(), paragraphs.end(),
                                   [](const std::string& text) { return !blank(text); });
  const long nth = in.count("nth_paragraph");
  const std::string word = text::lower(in.text("first_word"));
  if (nth < 1 || nth > count) return false;
  const std::string& paragraph = paragraphs[static_cast<std::size_t>(nth - 1)];
  if (blank(paragraph)) return false;
  return count == in.count("num_paragraphs") && first_word(paragraph) == word;
}

bool number_placeholders(Arguments& in, const std::string& response) {
  static const Regex kPlaceholder = Regex::fixed(R"(\[.*?\])");
  return static_cast<long>(matches(kPlaceholder, response)) >= in.count("num_placeholders");
}

bool postscript(Arguments& in, const std::string& response) {
  const std::string marker(text::strip(in.text("postscript_marker")));
  std::string pattern = R"(\s*)" + text::lower(marker) + ".*$";
  if (marker == "P.P.S") pattern = R"(\s*p\.\s?p\.\s?s.*$)";
  if (marker == "P.S.") pattern = R"(\s*p\.\s?s\..*$)";
  const auto regex = Regex::compile(pattern, RegexFlags{.multiline = true});
  return regex && found(*regex, text::lower(response));
}

bool number_bullets(Arguments& in, const std::string& response) {
  static const Regex kStar = Regex::fixed(R"(^\s*\*[^\*].*$)", RegexFlags{.multiline = true});
  static const Regex kDash = Regex::fixed(R"(^\s*-.*$)", RegexFlags{.multiline = true});
  return static_cast<long>(matches(kStar, response) + matches(kDash, response)) ==
         in.count("num_bullets");
}

bool constrained_response(Arguments&, const std::string& response) {
  return response.find("My answer is yes.") != std::string::npos ||
         response.find("My answer is no.") != std::string::npos ||
         response.find("My answer is maybe.") != std::string::npos;
}

bool highlighted_sections(Arguments& in, const std::string& response) {
  static const Regex kSingle = Regex::fixed(R"(\*[^\n\*]*\*)");
  static const Regex kDouble = Regex::fixed(R"(\*\*[^\n\*]*\*\*)");
  long count = 0;
  const auto single = kSingle.find_all(response);
  const auto twice = kDouble.find_all(response);
  for (const text::Match& match : single ? *single : std::vector<text::Match>{}) {
    count += blank(text::strip(match.group(response), "*")) ? 0 : 1;
  }
  for (const text::Match& match : twice ? *twice : std::vector<text::Match>{}) {
    const auto inner = text::remove_suffix(text::remove_prefix(match.group(response), "**"), "**");
    count += blank(inner) ? 0 : 1;
  }
  return count >= in.count("num_highlights");
}

bool multiple_sections(Arguments& in, const std::string& response) {
  const std::string splitter(text::strip(in.text("section_spliter")));
  const auto regex = Regex::compile(R"(\s?)" + splitter + R"(\s?\d+\s?)");
  return regex && static_cast<long>(matches(*regex, response)) >= in.count("num_sections");
}

bool json_format(Arguments&, const std::string& response) {
  std::string_view value = text::strip(response);
  for (const std::string_view fence : {"```json", "```Json", "```JSON", "```"}) {
    value = text::remove_prefix(value, fence);
  }
  value = text::strip(text::remove_suffix(value, "```"));
  return Json::accept(value);
}

bool title(Arguments&, const std::string& response) {
  static const Regex kTitle = Regex::fixed(R"(<<[^\n]+>>)");
  const auto titles = kTitle.find_all(response);
  return titles && std::any_of(titles->begin(), titles->end(), [&](const text::Match& match) {
           return !blank(text::rstrip(text::lstrip(match.group(response), "<"), ">"));
         });
}

bool two_responses(Arguments&, const std::string& response) {
  std::vector<std::string_view> valid;
  const auto parts = text::split(response, "******");
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!blank(parts[i])) {
      valid.push_back(parts[i]);
    } else if (i != 0 && i + 1 != parts.size()) {
      return false;
    }
  }
  return valid.size() == 2 && text::strip(valid[0]) != text::strip(valid[1]);
}

bool repeat_prompt(Arguments& in, const std::string& response) {
  const std::string prompt = in.text("prompt_to_repeat");
  return text::lower(text::strip(response)).starts_with(text::lower(text::strip(prompt)));
}

bool end_checker(Arguments& in, const std::string& response) {
  const std::string phrase = in.text("end_phrase");
  return text::lower(text::strip(text::strip(response), "\""))
      .ends_with(text::lower(text::strip(phrase)));
}

bool capital_words(Arguments& in, const std::string& response) {
  const auto words = text::tokenize_words(response);
  const long count =
      words ? std::count_if(words->begin(), words->end(),
                            [](const std::string& word) { return text::is_upper(word); })
            : 0;
  const std::string relation = in.text("capital_relation");
  const long limit = in.count("capital_frequency");
  return relation == "less than" ? count < limit : count >= limit;
}

bool no_comma(Arguments&, const std::string& response) {
  return response.find(',') == std::string::npos;
}

bool quotation(Arguments&, const std::string& response) {
  const std::string_view value = text::strip(response);
  return value.size() > 1 && value.front() == '"' && value.back() == '"';
}

using Check = bool (*)(Arguments&, const std::string&);
const std::map<std::string_view, Check>& checks() {
  static const std::map<std::string_view, Check> kChecks = {
      {"keywords:existence", keywords_exist},
      {"keywords:frequency", keyword_frequency},
      {"keywords:forbidden_words", forbidden_words},
      {"keywords:letter_frequency", letter_frequency},
      {"language:response_language", response_language},
      {"length_constraints:number_sentences", number_sentences},
      {"length_constraints:number_paragraphs", number_paragraphs},
      {"length_constraints:number_words", number_words},
      {"length_constraints:nth_paragraph_first_word", nth_paragraph_first_word},
      {"detectable_content:number_placeholders", number_placeholders},
      {"detectable_content:postscript", postscript},
      {"detectable_format:number_bullet_lists", number_bullets},
      {"detectable_format:constrained_response", constrained_response},
      {"detectable_format:number_highlighted_sections", highlighted_sections},
      {"detectable_format:multiple_sections", multiple_sections},
      {"detectable_format:json_format", json_format},
      {"detectable_format:title", title},
      {"combination:two_responses", two_responses},
      {"combination:repeat_prompt", repeat_prompt},
      {"startend:end_checker", end_checker},
      {"change_case:capital_word_frequency", capital_words},
      {"change_case:english_capital", english_capital},
      {"change_case:english_lowercase", english_lowercase},
      {"punctuation:no_comma", no_comma},
      {"startend:quotation", quotation}};
  return kChecks;
}

}  // namespace

std::vector<std::string_view> instruction_ids() {
  std::vector<std::string_view> ids;
  for (const auto& [id, check] : checks()) ids.push_back(id);
  return ids;
}

Result<bool> follows_instruction(std::string_view id, const Json& arguments,
                                 const std::string& response) {
  const auto check = checks().find(id);
  if (check == checks().end()) {
    return fail(ErrorCode::kUnsupported, "instruction '" + std::string(id) + "' is not known");
  }
  Arguments in(arguments);
  const bool follows = check->second(in, response);
  if (in.fault()) {
    return fail(ErrorCode::kInvalidArgument,
                "instruction '" + std::string(id) + "': argument `" + *in.fault() + "` is missing");
  }
  return follows && !blank(response);
}

std::vector<std::string> loose_variants(const std::string& response) {
  const std::vector<std::string> lines = text::split(response, "\n");
  const auto part = [&](std::size_t from, std::size_t to) {
    std::vector<std::string> kept;
    for (std::size_t i = from; i < to; ++i) kept.push_back(lines[i]);
    return std::string(text::strip(text::join(kept, "\n")));
  };
  const std::size_t last = lines.size() - 1;
  std::vector<std::string> variants = {response, part(1, lines.size()), part(0, last),
                                       part(1, last)};
  for (std::size_t i = 0; i < 4; ++i) variants.push_back(text::replace(variants[i], "*", ""));
  return variants;
}

Result<Outcome> ifeval_rule(const RuleInput& in) {
  const auto ids = in.item.document.find("instruction_id_list");
  const auto arguments = in.item.document.find("kwargs");
  if (ids == in.item.document.end() || arguments == in.item.document.end() || !ids->is_array() ||
      !arguments->is_array() || ids->size() != arguments->size() ||
      !std::all_of(ids->begin(), ids->end(), [](const Json& id) { return id.is_string(); })) {
    return fail(ErrorCode::kInvalidArgument,
                "document " + in.item.id +
                    ": `instruction_id_list` and `kwargs` are not two lists of one length");
  }
  const std::vector<std::string> variants = loose_variants(in.answer);
  MetricValue strict;
  MetricValue loose;
  for (std::size_t i = 0; i < ids->size(); ++i) {
    bool any = false;
    for (std::size_t v = 0; v < variants.size() && !any; ++v) {
      const auto follows =
          follows_instruction((*ids)[i].get<std::string>(), (*arguments)[i], variants[v]);
      if (!follows) {
        return fail(Error(follows.error()).with_context("document " + in.item.id));
      }
      if (v == 0) strict.numbers.push_back(*follows ? 1 : 0);
      any = *follows;
    }
    loose.numbers.push_back(any ? 1 : 0);
  }
  const auto all = [](const MetricValue& parts) {
    return number(std::all_of(parts.numbers.begin(), parts.numbers.end(),
                              [](double part) { return part == 1; })
                      ? 1
                      : 0);
  };
  Outcome out;
  out.metrics["prompt_level_strict_acc"] = all(strict);
  out.metrics["prompt_level_loose_acc"] = all(loose);
  out.metrics["inst_level_strict_acc"] = std::move(strict);
  out.metrics["inst_level_loose_acc"] = std::move(loose);
  return out;
}

}  // namespace crucible::metric
