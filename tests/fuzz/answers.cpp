#include <array>

#include "evaluator/metric/filter.hpp"
#include "evaluator/metric/ifeval.hpp"
#include "evaluator/text/sentences.hpp"
#include "evaluator/text/strings.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace crucible;
using task::Json;

// One pipeline of each filter, with the patterns of tasks in use.
std::vector<task::FilterPipeline> make_pipelines() {
  const Json steps = Json::parse(R"JSON([
    {"function": "regex", "regex_pattern": "#### (\\-?[0-9\\.\\,]+)"},
    {"function": "regex", "group_select": -1, "regex_pattern": "(-?[$0-9.,]{2,})|(-?[0-9]+)"},
    {"function": "MultiChoiceRegexFilter", "group_select": 0, "ignore_case": true,
     "ignore_punctuation": true, "regex_pattern": "(\\([A-Z]\\))"},
    {"function": "NumberParseRegexFilter", "regex_pattern": "(\\d+)"},
    {"function": "WordSortFilter"},
    {"function": "MapRegexFilter", "regex_pattern_to_value": {"\\b(yes|true)\\b": "Yes"}},
    {"function": "multi_choice_regex", "regex_pattern": "answer is ([A-Z])"},
    {"function": "regex_pos"},
    {"function": "format_span"},
    {"function": "lowercase"},
    {"function": "remove_whitespace"},
    {"function": "majority_vote"}])JSON");
  std::vector<task::FilterPipeline> pipelines;
  for (const Json& step : steps) {
    task::Filter filter{step["function"].get<std::string>(), step};
    filter.arguments.erase("function");
    pipelines.push_back({"none", {filter, {"take_first", Json::object()}}});
  }
  return pipelines;
}

void filter_answers(fuzz::Input input) {
  static const std::vector<task::FilterPipeline> kPipelines = make_pipelines();
  static const Json kDocument = {{"input", "Options:\n(A) yes\n(B) no\nList: b a"},
                                 {"choices", {"yes", "no"}},
                                 {"question", "?"}};
  const task::FilterPipeline& pipeline =
      kPipelines[input.choice(static_cast<unsigned>(kPipelines.size()))];
  const std::string first(input.text());
  (void)fuzz::accepted(
      metric::apply_filters(pipeline, {first, std::string(input.rest())}, kDocument));
}

// Arguments that every instruction finds what it needs in.
const Json& arguments() {
  static const Json kArguments = Json::parse(R"({
    "num_sentences": 3, "relation": "at least", "num_words": 5, "num_paragraphs": 2,
    "nth_paragraph": 1, "first_word": "the", "keywords": ["one", "two"], "keyword": "one",
    "frequency": 2, "forbidden_words": ["no"], "letter": "a", "let_frequency": 2,
    "let_relation": "at least", "language": "de", "num_placeholders": 1, "postscript_marker": "P.S.",
    "num_bullets": 2, "section_spliter": "Section", "num_sections": 2, "num_highlights": 1,
    "prompt_to_repeat": "Say it", "end_phrase": "Done.", "capital_frequency": 2,
    "capital_relation": "less than", "original_message": "a *b* c"})");
  return kArguments;
}

void follow(fuzz::Input input) {
  static const std::vector<std::string_view> kIds = metric::instruction_ids();
  const std::string_view id = kIds[input.choice(static_cast<unsigned>(kIds.size()))];
  const std::string response(input.rest());
  (void)fuzz::accepted(metric::follows_instruction(id, arguments(), response));
  for (const std::string& variant : metric::loose_variants(response))
    fuzz::require(variant.size() <= response.size());
}

void split(std::string_view text) {
  (void)fuzz::accepted(text::split_sentences(text));
  (void)fuzz::accepted(text::tokenize_words(text));
}

void change_case(std::string_view text) {
  const std::string lower = text::lower(text);
  (void)text::upper(text);
  (void)text::casefold(text);
  (void)text::capitalize(text);
  (void)text::is_upper(text);
  fuzz::require(text::strip(text).size() <= text.size());
  (void)text::without_punctuation(text);
  (void)text::splitlines(text);
  const std::u32string characters = text::decode_utf8(text);
  fuzz::require(characters.size() == text::length(text));
  fuzz::require(text::decode_utf8(text::encode_utf8(characters)) == characters);
  double value = 0;
  if (text::parse_float(text, value)) (void)text::float_repr(value);
}

}  // namespace

// What models answer: filters, instructions followed, sentences and words. The first byte chooses,
// the second which filter or instruction.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (input.choice(4)) {
    case 0:
      filter_answers(input);
      break;
    case 1:
      follow(input);
      break;
    case 2:
      split(input.rest());
      break;
    default:
      change_case(input.rest());
  }
  return 0;
}
