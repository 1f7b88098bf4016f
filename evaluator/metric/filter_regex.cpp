#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "evaluator/metric/filter_steps.hpp"
#include "evaluator/metric/number_words.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

using task::Json;
using text::Match;
using text::Regex;

constexpr std::string_view kDefaultPattern = R"(#### (\-?[0-9\.\,]+))";
constexpr std::string_view kNoMatch = "no match for the answer pattern";
constexpr std::size_t kCachedPatterns = 64;

std::string text_argument(const Json& arguments, const char* key, std::string_view otherwise) {
  const auto found = arguments.find(key);
  return found != arguments.end() && found->is_string() ? found->get<std::string>()
                                                        : std::string(otherwise);
}

// The match chosen by group_select; negative counts from the end.
template <typename Found>
const Found* select(const std::vector<Found>& matches, const Json& arguments) {
  long index = arguments.value("group_select", 0L);
  if (index < 0) index += static_cast<long>(matches.size());
  if (index < 0 || index >= static_cast<long>(matches.size())) return nullptr;
  return &matches[static_cast<std::size_t>(index)];
}

// What re.findall gives for a match: the whole, the one group, or the first group that is not
// empty; nothing where all groups are.
std::optional<std::string> found_text(const Match& match, const std::string& subject) {
  if (match.groups() < 2) return std::string(match.group(subject, match.groups()));
  for (std::size_t i = 1; i <= match.groups(); ++i) {
    if (!match.group(subject, i).empty()) return std::string(match.group(subject, i));
  }
  return std::nullopt;
}

std::string answer_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::vector<Json> list_of(const Json& value) {
  if (value.is_array()) return value.get<std::vector<Json>>();
  std::vector<Json> characters;
  for (const char32_t c : text::decode_utf8(answer_text(value))) {
    characters.push_back(text::encode_utf8({&c, 1}));
  }
  return characters;
}

// One extraction, stripped; "" where nothing was found.
Result<std::string> find_match(const Regex& regex, const std::string& answer, const Json& arguments,
                               const std::map<std::string, std::string>& names = {}) {
  const auto matches = regex.find_all(answer);
  if (!matches) return std::string();  // too many steps
  const Match* match = select(*matches, arguments);
  if (match == nullptr) return std::string();
  const std::string found(text::strip(found_text(*match, answer).value_or("")));
  const auto name = names.find(found);
  return name == names.end() ? found : name->second;
}

// ignore_case, ignore_punctuation and regexes_to_ignore of an extraction by choices.
Result<std::string> without_ignored(std::string value, const Json& arguments) {
  for (const Json& pattern : arguments.value("regexes_to_ignore", Json::array())) {
    const auto regex = compiled(pattern.get<std::string>());
    if (!regex) return fail(regex.error());
    auto changed = regex->sub("", value);
    if (!changed) return fail(std::move(changed.error()));
    value = std::move(*changed);
  }
  if (is_set(arguments, "ignore_case")) value = text::lower(value);
  if (is_set(arguments, "ignore_punctuation")) value = text::without_punctuation(value);
  return value;
}

// The choices of one document as patterns, and the letters they stand for.
struct ChoicePatterns {
  std::string by_text;
  std::string by_letter;
  std::map<std::string, std::string> letter_of_text;
  std::map<std::string, std::string> letter_of_letter;
};

Result<ChoicePatterns> choice_patterns(const std::vector<std::string>& choices,
                                       const Json& arguments) {
  ChoicePatterns out;
  std::vector<std::string> escaped;
  std::vector<std::string> letters;
  char letter = 'A';
  for (const std::string& choice : choices) {
    const auto plain = without_ignored(std::string(text::strip(choice)), arguments);
    if (!plain) return fail(plain.error());
    escaped.push_back(text::regex_escape(*plain));
    const std::string name(1, letter++);
    out.letter_of_text[*plain] = "(" + name + ")";
    out.letter_of_letter[name] = "(" + name + ")";
    letters.push_back(text::regex_escape(name));
  }
  std::stable_sort(escaped.begin(), escaped.end(),
                   [](const auto& a, const auto& b) { return text::length(a) > text::length(b); });
  out.by_text = text::join(escaped, "|");
  out.by_letter = ":[\\s]*(" + text::join(letters, "|") + ")";
  return out;
}

Result<std::string> choose(const std::string& answer, const ChoicePatterns& patterns,
                           const Json& arguments) {
  const auto own = compiled(text_argument(arguments, "regex_pattern", kDefaultPattern));
  if (!own) return fail(own.error());
  auto found = find_match(*own, answer, arguments);
  if (!found || !found->empty()) return found;
  const auto by_text = compiled(patterns.by_text);
  if (!by_text) return fail(by_text.error());
  const auto plain = without_ignored(answer, arguments);
  if (!plain) return fail(plain.error());
  found = find_match(*by_text, *plain, arguments, patterns.letter_of_text);
  if (!found || !found->empty()) return found;
  const auto by_letter = compiled(patterns.by_letter);
  if (!by_letter) return fail(by_letter.error());
  return find_match(*by_letter, answer, arguments, patterns.letter_of_letter);
}

Result<Json> choose_all(const StepInput& in, const std::vector<std::string>& choices) {
  const auto patterns = choice_patterns(choices, in.arguments);
  if (!patterns) return fail(patterns.error());
  Json out = Json::array();
  for (const Json& element : list_of(in.value)) {
    auto found = choose(answer_text(element), *patterns, in.arguments);
    if (!found) return fail(std::move(found.error()));
    if (found->empty()) {
      *found = text_argument(in.arguments, "fallback", "[invalid]");
      in.note = kNoMatch;
    }
    out.push_back(std::move(*found));
  }
  return out;
}

}  // namespace

bool is_set(const Json& arguments, const char* key) {
  const auto found = arguments.find(key);
  if (found == arguments.end()) return false;
  return found->is_boolean() ? found->get<bool>() : found->is_number() && found->get<double>() != 0;
}

std::string text_field(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::string() : answer_text(*found);
}

Result<Regex> compiled(std::string_view pattern) {
  thread_local std::unordered_map<std::string, Regex> cache;
  const auto known = cache.find(std::string(pattern));
  if (known != cache.end()) return known->second;
  Result<Regex> regex = Regex::compile(pattern);
  if (!regex) return regex;
  if (cache.size() >= kCachedPatterns) cache.clear();
  cache.emplace(std::string(pattern), *regex);
  return regex;
}

Result<Json> regex_step(const StepInput& in) {
  const auto regex = compiled(text_argument(in.arguments, "regex_pattern", kDefaultPattern));
  if (!regex) return fail(regex.error());
  const std::string fallback = text_argument(in.arguments, "fallback", "[invalid]");
  Json out = Json::array();
  for (const Json& element : list_of(in.value)) {
    const std::string answer = answer_text(element);
    const auto matches = regex->find_all(answer);
    const Match* match = matches ? select(*matches, in.arguments) : nullptr;
    const auto found = match == nullptr ? std::nullopt : found_text(*match, answer);
    if (match == nullptr) in.note = matches ? std::string(kNoMatch) : matches.error().message;
    if (match == nullptr) {
      out.push_back(fallback);
    } else {
      out.push_back(std::string(text::strip(found ? *found : fallback)));
    }
  }
  return out;
}

Result<Json> multi_choice_regex_step(const StepInput& in) {
  const auto choices = in.document.find("choices");
  if (choices == in.document.end() || !choices->is_array()) {
    return fail(ErrorCode::kInvalidArgument,
                "multi_choice_regex: the document has no list `choices`");
  }
  std::vector<std::string> texts;
  for (const Json& choice : *choices) texts.push_back(answer_text(choice));
  return choose_all(in, texts);
}

Result<Json> input_choice_regex_step(const StepInput& in) {
  static const Regex kChoice = Regex::fixed(R"(\([A-Z]\)([^\n^(]*))");
  const std::string input = text_field(in.document, "input");
  const auto found = kChoice.find_all(input);
  if (!found) return fail(found.error());
  std::vector<std::string> texts;
  for (const Match& match : *found) texts.emplace_back(match.group(input, 1));
  return choose_all(in, texts);
}

Result<Json> map_regex_step(const StepInput& in) {
  const Json table = in.arguments.value("regex_pattern_to_value", Json::object());
  std::vector<std::string> patterns;
  for (const auto& [pattern, value] : table.items()) patterns.push_back(pattern);
  const auto whole = compiled(text::join(patterns, "|"));
  if (!whole) return fail(whole.error());
  Json out = Json::array();
  for (const Json& element : list_of(in.value)) {
    auto plain = without_ignored(answer_text(element), in.arguments);
    if (!plain) return fail(plain.error());
    const auto part = find_match(*whole, *plain, in.arguments);
    if (!part) return fail(part.error());
    Json value = text_argument(in.arguments, "fallback", "[invalid]");
    bool known = false;
    for (auto entry = table.begin(); !part->empty() && !known && entry != table.end(); ++entry) {
      plain = without_ignored(*part, in.arguments);
      const auto regex = compiled(entry.key());
      if (!plain || !regex) return fail(plain ? regex.error() : plain.error());
      const auto match = find_match(*regex, *plain, in.arguments);
      if (!match) return fail(match.error());
      known = !match->empty();
      if (known) value = entry.value();
    }
    if (!known) in.note = kNoMatch;
    out.push_back(value);
  }
  return out;
}

Result<Json> number_regex_step(const StepInput& in) {
  const auto regex = compiled(text_argument(in.arguments, "regex_pattern", kDefaultPattern));
  if (!regex) return fail(regex.error());
  Json out = Json::array();
  for (const Json& element : list_of(in.value)) {
    const std::string answer = answer_text(element);
    auto found = find_match(*regex, answer, in.arguments);
    if (!found) return fail(std::move(found.error()));
    if (found->empty()) {
      const auto phrases = number_phrases(answer);
      if (!phrases) return fail(phrases.error());
      const std::string* phrase = select(*phrases, in.arguments);
      const auto number = phrase == nullptr ? std::nullopt : number_of_words(*phrase);
      if (number) *found = std::to_string(*number);
    }
    if (found->empty()) {
      *found = text_argument(in.arguments, "fallback", "[invalid]");
      in.note = kNoMatch;
    }
    out.push_back(std::move(*found));
  }
  return out;
}

Result<Json> word_sort_step(const StepInput& in) {
  const std::string input = text_field(in.document, "input");
  const std::vector<std::string> parts = text::split(input, "List:");
  if (parts.size() < 2) {
    return fail(ErrorCode::kInvalidArgument, "WordSortFilter: the document's input has no 'List:'");
  }
  std::vector<std::string> patterns;
  for (const std::string& word : text::split(text::strip(parts[1]))) {
    patterns.push_back("\\b" + word + "\\b");
  }
  const auto regex = compiled(text::join(patterns, "|"));
  if (!regex) return fail(regex.error());
  Json out = Json::array();
  for (const Json& element : list_of(in.value)) {
    const std::string answer = answer_text(element);
    const auto matches = regex->find_all(answer);
    if (!matches) return fail(matches.error());
    std::vector<std::string> words;  // each at its last mention, from the end on
    std::set<std::string_view> seen;
    for (auto match = matches->rbegin(); match != matches->rend(); ++match) {
      if (seen.insert(match->group(answer)).second) words.emplace_back(match->group(answer));
    }
    std::reverse(words.begin(), words.end());
    out.push_back(text::join(words, " "));
  }
  return out;
}

}  // namespace crucible::metric
