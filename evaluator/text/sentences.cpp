#include "evaluator/text/sentences.hpp"

#include <array>
#include <cstdlib>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::text {

std::string_view punkt_english_model();  // data/punkt_english.txt, made by the build

namespace {

// How a word was seen in training.
constexpr unsigned kMiddleUpper = 4;
constexpr unsigned kAnyUpper = 2 | 4 | 8;
constexpr unsigned kBeginningLower = 16;
constexpr unsigned kAnyLower = 16 | 32 | 64;

constexpr std::string_view kNumber = "##number##";
// Closing punctuation that ends a word; the curly quotes and guillemets as well.
constexpr std::string_view kNonWord =
    R"((?:[)\";}\]\*:@\'\({\[\u2018\u2019\u201c\u201d\xab\xbb?!]))";
constexpr std::string_view kMultiple = R"((?:\-{2,}|\.{2,}|(?:\.\s){2,}\.))";

struct Model {
  std::unordered_set<std::string> abbreviations;
  std::set<std::pair<std::string, std::string>> collocations;
  std::unordered_set<std::string> starters;
  std::unordered_map<std::string, unsigned> contexts;

  unsigned context(const std::string& type) const {
    const auto found = contexts.find(type);
    return found == contexts.end() ? 0U : found->second;
  }
};

Model read_model() {
  Model model;
  for (const std::string& line : split(punkt_english_model(), "\n")) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> fields = split(line, "\t");
    const std::string kind = fields[0];
    if (kind == "C") {
      model.collocations.emplace(fields[1], fields[2]);
      continue;
    }
    const auto flags = static_cast<unsigned>(std::atoi(kind.c_str() + 1));
    for (std::size_t i = 1; i < fields.size(); ++i) {
      if (kind == "A") model.abbreviations.insert(fields[i]);
      if (kind == "S") model.starters.insert(fields[i]);
      if (kind[0] == 'O') model.contexts[fields[i]] = flags;
    }
  }
  return model;
}

const Model& model() {
  static const Model kModel = read_model();
  return kModel;
}

struct Patterns {
  Regex period_context =
      Regex::fixed("[.?!](?=(?P<after>" + std::string(kNonWord) + R"(|\s+(?P<next>\S+))))");
  Regex realignment = Regex::fixed(R"(["')\]}\u2018\u2019\u201c\u201d\xab\xbb]+?(?:\s+|(?=--)|$))",
                                   RegexFlags{.multiline = true});
  Regex word = Regex::fixed(word_pattern());
  Regex numeric = Regex::fixed(R"(^-?[\.,]?\d[\d,\.-]*\.?$)");
  Regex initial = Regex::fixed(R"([^\W\d]\.$)");
  Regex ellipsis = Regex::fixed(R"(\.\.+$)");

  static std::string word_pattern() {
    const std::string non_word(kNonWord);
    const std::string multiple(kMultiple);
    return "(" + multiple + R"(|(?=[^\(\"\`{\[:;&\#\*@\)}\]\-,])\S+?(?=\s|$|)" + non_word + "|" +
           multiple + R"(|,(?=$|\s|)" + non_word + "|" + multiple + R"())|\S))";
  }
};
const Patterns& patterns() {
  static const Patterns kPatterns;
  return kPatterns;
}

bool matches(const Regex& regex, std::string_view text) {
  const auto found = regex.match(text);
  return found && found->has_value();
}
std::string first_character(const std::string& text) { return slice(text, 0, 1); }

struct Token {
  std::string text;
  std::string type;  // lower case; numbers are all one
  bool period_final = false;
  bool ends_sentence = false;
  bool abbreviation = false;
  bool ellipsis = false;
  bool initial = false;

  explicit Token(std::string_view token) : text(token) {
    type = lower(token);
    if (matches(patterns().numeric, type)) type = kNumber;
    period_final = text.ends_with('.');
    initial = matches(patterns().initial, text);
  }
  std::string type_without_period() const {
    return type.size() > 1 && type.ends_with('.') ? type.substr(0, type.size() - 1) : type;
  }
  std::string type_in_sentence() const { return ends_sentence ? type_without_period() : type; }
};

// By the token alone: marks, ellipses, known abbreviations.
void annotate_alone(Token& token) {
  const std::string& text = token.text;
  if (text == "." || text == "?" || text == "!") {
    token.ends_sentence = true;
  } else if (matches(patterns().ellipsis, text)) {
    token.ellipsis = true;
  } else if (token.period_final && !text.ends_with("..")) {
    const std::string word = lower(std::string_view(text).substr(0, text.size() - 1));
    const auto& known = model().abbreviations;
    token.abbreviation = known.contains(word) || known.contains(split(word, "-").back());
    token.ends_sentence = !token.abbreviation;
  }
}

// Whether a token starts a sentence by how its word is usually spelt; nothing where unsure.
std::optional<bool> starts_sentence(const Token& token) {
  if (token.text.size() == 1 && std::string_view(";:,.!?").find(token.text) != std::string::npos) {
    return false;
  }
  const unsigned context = model().context(token.type_in_sentence());
  const std::string first = first_character(token.text);
  if (is_upper(first) && (context & kAnyLower) != 0 && (context & kMiddleUpper) == 0) return true;
  if (is_lower(first) && ((context & kAnyUpper) != 0 || (context & kBeginningLower) == 0)) {
    return false;
  }
  return std::nullopt;
}

// Section 4 of the paper: by the token after it.
void annotate_pair(Token& token, const Token& next) {
  if (!token.period_final) return;
  const std::string type = token.type_without_period();
  const std::string next_type = next.type_in_sentence();
  const auto no_boundary = [&] {
    token.ends_sentence = false;
    token.abbreviation = true;
  };
  if (model().collocations.contains({type, next_type})) return no_boundary();
  const bool next_upper = is_upper(first_character(next.text));
  if ((token.abbreviation || token.ellipsis) && !token.initial) {
    if (starts_sentence(next) == true || (next_upper && model().starters.contains(next_type))) {
      token.ends_sentence = true;
      return;
    }
  }
  if (token.initial || type == kNumber) {
    const std::optional<bool> starter = starts_sentence(next);
    if (starter == false) return no_boundary();
    if (!starter && token.initial && next_upper && (model().context(next_type) & kAnyLower) == 0) {
      no_boundary();
    }
  }
}

Result<std::vector<Token>> punkt_tokens(std::string_view text) {
  std::vector<Token> tokens;
  for (const std::string& line : split(text, "\n")) {
    if (strip(line).empty()) continue;
    const auto found = patterns().word.find_all(line);
    if (!found) return fail(found.error());
    for (const Match& match : *found) tokens.emplace_back(match.group(line, 1));
  }
  return tokens;
}

// Whether a sentence ends within a context, other than at its last token.
Result<bool> has_boundary(std::string_view context) {
  auto tokens = punkt_tokens(context);
  if (!tokens) return fail(tokens.error());
  for (Token& token : *tokens) annotate_alone(token);
  for (std::size_t i = 0; i + 1 < tokens->size(); ++i) {
    annotate_pair((*tokens)[i], (*tokens)[i + 1]);
    if ((*tokens)[i].ends_sentence) return true;
  }
  return false;
}

struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// A mark that may end a sentence, and the words around it.
struct Candidate {
  Match match;
  Span word;  // the word before the mark
};

// Of marks in one word ("acting!!!") only the last counts.
std::vector<Candidate> candidates(std::string_view text, const std::vector<Match>& marks) {
  std::vector<Candidate> out;
  Span previous;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const std::string_view before = text.substr(previous.end, marks[i].begin() - previous.end);
    const std::size_t space = before.find_last_of(" \t\n\r\v\f");
    const bool found = space != std::string_view::npos && space > 0;
    const Span word{found ? previous.end + space + 1 : previous.begin, marks[i].begin()};
    if (i > 0 && previous.end <= word.begin) out.push_back({marks[i - 1], previous});
    previous = word;
  }
  if (!marks.empty()) out.push_back({marks.back(), previous});
  return out;
}

Result<std::vector<Span>> raw_sentences(std::string_view text) {
  const auto marks = patterns().period_context.find_all(text);
  if (!marks) return fail(marks.error());
  std::vector<Span> spans;
  std::size_t start = 0;
  for (const auto& [match, word] : candidates(text, *marks)) {
    const std::string context = std::string(text.substr(word.begin, word.end - word.begin)) +
                                std::string(match.group(text)) + std::string(match.group(text, 1));
    const auto boundary = has_boundary(context);
    if (!boundary) return fail(boundary.error());
    if (!*boundary) continue;
    spans.push_back({start, match.end()});
    start = match.has(2) ? match.begin(2) : match.end();
  }
  spans.push_back({start, rstrip(text).size()});
  return spans;
}

}  // namespace

Result<std::vector<std::string>> split_sentences(std::string_view text) {
  const auto spans = raw_sentences(text);
  if (!spans) return fail(spans.error());
  std::vector<std::string> sentences;
  const auto part = [&](std::size_t begin, std::size_t end) {
    return begin < end ? text.substr(begin, end - begin) : std::string_view{};
  };
  std::size_t moved = 0;  // closing punctuation given to the sentence before
  for (std::size_t i = 0; i < spans->size(); ++i) {
    const std::size_t begin = (*spans)[i].begin + moved;
    if (i + 1 < spans->size()) {
      const Span next = (*spans)[i + 1];
      const auto closing = patterns().realignment.match(part(next.begin, next.end));
      if (!closing) return fail(closing.error());
      if (*closing) {
        const std::string_view marks = part(next.begin, next.begin + (*closing)->end());
        sentences.emplace_back(part(begin, next.begin + rstrip(marks).size()));
        moved = (*closing)->end();
        continue;
      }
    }
    moved = 0;
    const std::string_view sentence = part(begin, (*spans)[i].end);
    if (!sentence.empty()) sentences.emplace_back(sentence);
  }
  return sentences;
}

}  // namespace crucible::text
