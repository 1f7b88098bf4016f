#include "evaluator/metric/filter.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <utility>

#include "evaluator/metric/filter_steps.hpp"
#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

using task::Json;

tl::unexpected<Error> bad(const std::string& message) {
  return fail(ErrorCode::kInvalidArgument, message);
}

// What `for resp in inst` runs over: the list, or a text's characters.
std::vector<Json> elements(const Json& value) {
  if (value.is_array()) return value.get<std::vector<Json>>();
  std::vector<Json> characters;
  if (value.is_string()) {
    for (const char32_t c : text::decode_utf8(value.get_ref<const std::string&>())) {
      characters.push_back(text::encode_utf8({&c, 1}));
    }
  }
  return characters;
}

Result<Json> map_text(const Json& value, const char* name,
                      const std::function<Result<Json>(const std::string&)>& change) {
  Json out = Json::array();
  for (const Json& element : elements(value)) {
    if (!element.is_string()) return bad(std::string(name) + ": the answer is not a text");
    auto changed = change(element.get_ref<const std::string&>());
    if (!changed) return fail(std::move(changed.error()));
    out.push_back(std::move(*changed));
  }
  return out;
}

Result<Json> take_first(const StepInput& in) {
  const std::vector<Json> all = elements(in.value);
  if (all.empty()) return bad("take_first: there is no answer");
  return all.front();
}

Result<Json> take_first_k(const StepInput& in) {
  const auto k = in.arguments.value("k", std::size_t{0});
  std::vector<Json> all = elements(in.value);
  if (all.size() < k) {
    return bad("take_first_k: " + std::to_string(k) + " answers are wanted, there are " +
               std::to_string(all.size()) + "; raise the task's `repeats`");
  }
  all.resize(k);
  return Json(all);
}

// The most frequent answer; of equally frequent ones the earliest.
Result<Json> majority_vote(const StepInput& in) {
  const std::vector<Json> all = elements(in.value);
  if (all.empty()) return bad("majority_vote: there is no answer");
  const auto count = [&](const Json& answer) { return std::count(all.begin(), all.end(), answer); };
  const auto best = std::max_element(
      all.begin(), all.end(), [&](const Json& a, const Json& b) { return count(a) < count(b); });
  return Json::array({*best});
}

Result<Json> remove_whitespace(const StepInput& in) {
  return map_text(in.value, "remove_whitespace",
                  [](const std::string& t) { return Json(text::strip(t)); });
}
Result<Json> lowercase(const StepInput& in) {
  return map_text(in.value, "lowercase", [](const std::string& t) { return Json(text::lower(t)); });
}
Result<Json> uppercase(const StepInput& in) {
  return map_text(in.value, "uppercase", [](const std::string& t) { return Json(text::upper(t)); });
}

Result<Json> map_values(const StepInput& in) {
  const Json table = in.arguments.value("mapping_dict", Json::object());
  const Json otherwise = in.arguments.value("default_value", Json());
  Json out = Json::array();
  for (const Json& element : elements(in.value)) {
    const bool known = element.is_string() && table.contains(element.get<std::string>());
    out.push_back(known ? table[element.get<std::string>()] : otherwise);
  }
  return out;
}

// Part-of-speech tags of "[('word', 'TAG'), …]".
Result<Json> part_of_speech(const StepInput& in) {
  static const text::Regex kPair = text::Regex::fixed(R"(\('([^']*)', '([^']*)'\))");
  const Json fallback = in.arguments.value("fallback", Json::array({"invalid"}));
  Json out = Json::array();
  for (const Json& element : elements(in.value)) {
    const std::string answer = element.is_string() ? element.get<std::string>() : "";
    const auto pairs = kPair.find_all(answer);
    if (!pairs) return fail(pairs.error());
    Json tags = Json::array();
    for (const text::Match& pair : *pairs) tags.push_back(pair.group(answer, 2));
    out.push_back(tags.empty() ? fallback : tags);
  }
  return out;
}

// Labels of entities in their short form: "persons: ada" -> "PER: ada".
Result<std::string> short_labels(const std::string& answer) {
  static const std::array<std::pair<const char*, const char*>, 15> kLabels = {
      {{"person", "PER"},
       {"location", "LOC"},
       {"organization", "ORG"},
       {"counties", "LOC"},
       {"places", "LOC"},
       {"people", "PER"},
       {"persons", "PER"},
       {"company", "ORG"},
       {"country", "LOC"},
       {"continent", "LOC"},
       {"time", "DATE"},
       {"date", "DATE"},
       {"per", "PER"},
       {"loc", "LOC"},
       {"org", "ORG"}}};
  std::string out = text::lower(answer);
  for (const auto& [word, label] : kLabels) {
    const text::Regex pattern = text::Regex::fixed("\\b" + std::string(word) + "\\s*:");
    auto changed = pattern.sub(std::string(label) + ":", out);
    if (!changed) return fail(std::move(changed.error()));
    out = std::move(*changed);
  }
  out = text::replace(out, "$$", "$");
  return std::string(text::rstrip(out, "$"));
}

Result<Json> span(const std::string& answer) {
  static const text::Regex kEntity = text::Regex::fixed(R"(\b(PER|LOC|ORG|DATE):\s*([^$]+))");
  const auto labelled = short_labels(answer);
  if (!labelled) return fail(labelled.error());
  const std::string line(text::strip(text::replace(*labelled, "\n", "$")));
  const auto found = kEntity.find_all(line);
  if (!found) return fail(found.error());
  std::vector<std::string> entities;
  for (const text::Match& match : *found) {
    for (const std::string& value : text::split(match.group(line, 2), ",")) {
      const std::string_view entity = text::strip(value);
      if (text::lower(entity) == "none") continue;
      entities.push_back(text::lower(match.group(line, 1)) + ": " + std::string(entity));
    }
  }
  return Json(text::join(entities, " $ "));
}

Result<Json> format_span(const StepInput& in) { return map_text(in.value, "format_span", span); }

using Step = std::function<Result<Json>(const StepInput&)>;
const std::map<std::string, Step, std::less<>>& steps() {
  static const std::map<std::string, Step, std::less<>> kSteps = {
      {"regex", regex_step},
      {"multi_choice_regex", multi_choice_regex_step},
      {"regex_pos", part_of_speech},
      {"take_first", take_first},
      {"take_first_k", take_first_k},
      {"majority_vote", majority_vote},
      {"remove_whitespace", remove_whitespace},
      {"lowercase", lowercase},
      {"uppercase", uppercase},
      {"map", map_values},
      {"format_span", format_span},
      {"MapRegexFilter", map_regex_step},
      {"NumberParseRegexFilter", number_regex_step},
      {"WordSortFilter", word_sort_step},
      {"MultiChoiceRegexFilter", input_choice_regex_step}};
  return kSteps;
}

void check_regex(const Json& pattern, const std::string& path, std::vector<Fault>& faults) {
  if (!pattern.is_string()) {
    faults.push_back({path, "is not a text", ""});
    return;
  }
  const auto compiled = text::Regex::compile(pattern.get<std::string>());
  if (!compiled) faults.push_back({path, compiled.error().message, "Python's `re` syntax is read"});
}

void check_arguments(const task::Filter& filter, const std::string& path,
                     std::vector<Fault>& faults) {
  const Json& arguments = filter.arguments;
  if (arguments.contains("regex_pattern")) {
    check_regex(arguments["regex_pattern"], path + ".regex_pattern", faults);
  }
  if (const auto list = arguments.value("regexes_to_ignore", Json()); list.is_array()) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      check_regex(list[i], path + ".regexes_to_ignore[" + std::to_string(i) + "]", faults);
    }
  }
  if (arguments.contains("group_select") && !arguments["group_select"].is_number_integer()) {
    faults.push_back({path + ".group_select", "is not a whole number", "0 is the first match"});
  }
  if (filter.function == "take_first_k" &&
      (!arguments.contains("k") || !arguments["k"].is_number_integer() || arguments["k"] < 1)) {
    faults.push_back({path + ".k", "is missing or not a count", "k: 8"});
  }
  if (arguments.contains("mapping_dict") && !arguments["mapping_dict"].is_object()) {
    faults.push_back({path + ".mapping_dict", "is not a mapping", ""});
  }
  if (filter.function == "MapRegexFilter") {
    const Json table = arguments.value("regex_pattern_to_value", Json::object());
    if (!table.is_object()) {
      faults.push_back({path + ".regex_pattern_to_value", "is not a mapping", ""});
      return;
    }
    for (const auto& [pattern, value] : table.items()) {
      check_regex(Json(pattern), path + ".regex_pattern_to_value", faults);
    }
  }
}

}  // namespace

Result<Filtered> apply_filters(const task::FilterPipeline& pipeline,
                               const std::vector<std::string>& responses, const Json& document) {
  Filtered out;
  out.value = Json(responses);
  if (responses.empty()) out.value = Json::array();
  for (const task::Filter& filter : pipeline.steps) {
    const auto step = steps().find(filter.function);
    if (step == steps().end()) {
      return fail(ErrorCode::kUnsupported, "filter '" + filter.function + "' is not known");
    }
    auto next = step->second({out.value, filter.arguments, document, out.note});
    if (!next) return fail(std::move(next.error()));
    out.value = std::move(*next);
  }
  return out;
}

void check_filters(const task::FilterPipeline& pipeline, const std::string& path,
                   std::vector<Fault>& faults) {
  for (std::size_t i = 0; i < pipeline.steps.size(); ++i) {
    const task::Filter& filter = pipeline.steps[i];
    const std::string own = path + ".filter[" + std::to_string(i) + "]";
    if (filter.function == "custom") {
      faults.push_back({own + ".function",
                        "`custom` runs a Python function, which this build cannot",
                        "use regex, map and the other built-in filters"});
    } else if (!steps().contains(filter.function)) {
      std::vector<std::string> names;
      for (const auto& [name, step] : steps()) names.push_back(name);
      faults.push_back({own + ".function", "filter '" + filter.function + "' is not known",
                        "one of " + text::join(names, ", ")});
    } else {
      check_arguments(filter, own, faults);
    }
  }
}

}  // namespace crucible::metric
