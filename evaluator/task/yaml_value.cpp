#include "evaluator/task/yaml_value.hpp"

#include <yaml.h>

#include <charconv>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "merger/recipe/text.hpp"

namespace crucible::task {
namespace {

constexpr std::string_view kFunctionTag = "!function";

struct Refused {
  std::string message;
  int line = -1;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string without_underscores(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != '_') digits.push_back(c);
  }
  return digits;
}

// Digits of one base; nothing where a character does not belong or the number is past 64 bits.
std::optional<Json> integer(std::string_view digits, int base, bool negative) {
  const std::string plain = without_underscores(digits);
  std::uint64_t value = 0;
  const char* end = plain.data() + plain.size();
  const auto [stop, error] = std::from_chars(plain.data(), end, value, base);
  if (plain.empty() || stop != end || error != std::errc()) return std::nullopt;
  if (!negative) {
    if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return Json(static_cast<std::int64_t>(value));
    return Json(value);
  }
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return std::nullopt;
  return Json(-static_cast<std::int64_t>(value));
}

std::optional<Json> as_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || !is_digit(text[0])) return std::nullopt;
  if (text == "0") return Json(std::int64_t{0});
  if (text.starts_with("0b")) return integer(text.substr(2), 2, negative);
  if (text.starts_with("0x")) return integer(text.substr(2), 16, negative);
  if (text[0] == '0') return integer(text.substr(1), 8, negative);
  return integer(text, 10, negative);
}

// A point is needed, and a sign in the exponent, as in YAML 1.1.
std::optional<Json> as_float(std::string_view text) {
  std::string_view rest = text;
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) rest.remove_prefix(1);
  const double sign = text.starts_with('-') ? -1 : 1;
  if (rest == ".inf" || rest == ".Inf" || rest == ".INF")
    return Json(sign * std::numeric_limits<double>::infinity());
  if (text == ".nan" || text == ".NaN" || text == ".NAN")
    return Json(std::numeric_limits<double>::quiet_NaN());
  const std::size_t point = rest.find('.');
  if (point == std::string_view::npos || rest.size() == 1) return std::nullopt;
  if (point > 0 ? !is_digit(rest[0]) : !is_digit(rest[1])) return std::nullopt;
  const std::size_t exponent = rest.find_first_of("eE");
  for (std::size_t i = 0; i < std::min(exponent, rest.size()); ++i) {
    if (i != point && !is_digit(rest[i]) && rest[i] != '_') return std::nullopt;
  }
  if (exponent != std::string_view::npos) {
    const std::string_view power = rest.substr(exponent + 1);
    if (power.size() < 2 || (power[0] != '-' && power[0] != '+')) return std::nullopt;
    for (const char c : power.substr(1)) {
      if (!is_digit(c)) return std::nullopt;
    }
  }
  return Json(std::strtod(without_underscores(text).c_str(), nullptr));
}

Json plain_scalar(const std::string& text) {
  static const std::set<std::string_view> kTrue = {"yes",  "Yes", "YES", "true", "True",
                                                   "TRUE", "on",  "On",  "ON"};
  static const std::set<std::string_view> kFalse = {"no",    "No",  "NO",  "false", "False",
                                                    "FALSE", "off", "Off", "OFF"};
  static const std::set<std::string_view> kNull = {"", "~", "null", "Null", "NULL"};
  if (kNull.contains(text)) return nullptr;
  if (kTrue.contains(text)) return true;
  if (kFalse.contains(text)) return false;
  if (auto number = as_integer(text)) return *number;
  if (auto number = as_float(text)) return *number;
  return text;
}

struct ParserDelete {
  void operator()(yaml_parser_t* parser) const {
    yaml_parser_delete(parser);
    delete parser;
  }
};

// One event, freed with the object.
class Event {
 public:
  explicit Event(yaml_parser_t& parser) {
    if (yaml_parser_parse(&parser, &event_) == 0) {
      const char* problem = parser.problem == nullptr ? "cannot be read" : parser.problem;
      throw Refused{problem, static_cast<int>(parser.problem_mark.line)};
    }
  }
  ~Event() { yaml_event_delete(&event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  yaml_event_type_t type() const { return event_.type; }
  int line() const { return static_cast<int>(event_.start_mark.line); }
  const yaml_event_t& raw() const { return event_; }

 private:
  yaml_event_t event_{};
};

std::string text_of(const yaml_char_t* text) {
  return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text));
}

// libyaml's events become values: the library under PyYAML, so that folded and quoted text keeps
// every space and line end.
class Reader {
 public:
  Reader(std::string_view text, const TaskYamlLimits& limits)
      : parser_(new yaml_parser_t), limits_(limits) {
    if (yaml_parser_initialize(parser_.get()) == 0) throw Refused{"out of memory"};
    yaml_parser_set_input_string(parser_.get(), reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
    yaml_parser_set_encoding(parser_.get(), YAML_UTF8_ENCODING);
  }

  Json read_document() {
    Event start(*parser_);  // of the stream
    Event document(*parser_);
    if (document.type() == YAML_STREAM_END_EVENT) return nullptr;
    Event root(*parser_);
    Json value = read(root, 0);
    Event end(*parser_);
    Event next(*parser_);
    if (next.type() != YAML_STREAM_END_EVENT) throw Refused{"a second document", next.line()};
    return value;
  }

 private:
  [[noreturn]] static void refuse(const Event& event, std::string message) {
    throw Refused{std::move(message), event.line()};
  }

  void count(const Event& event, std::size_t values) {
    values_ += values;
    if (values_ > limits_.values)
      refuse(event, "more than " + std::to_string(limits_.values) + " values");
  }

  Json read(const Event& event, std::size_t depth) {
    count(event, 1);
    if (depth > limits_.depth)
      refuse(event, "nested deeper than " + std::to_string(limits_.depth) + " levels");
    const std::size_t before = values_;
    std::string anchor;
    Json value;
    if (event.type() == YAML_ALIAS_EVENT) return alias(event);
    if (event.type() == YAML_SCALAR_EVENT) {
      anchor = text_of(event.raw().data.scalar.anchor);
      value = scalar(event);
    } else if (event.type() == YAML_SEQUENCE_START_EVENT) {
      anchor = text_of(event.raw().data.sequence_start.anchor);
      check_tag(event, text_of(event.raw().data.sequence_start.tag));
      value = sequence(depth);
    } else {
      anchor = text_of(event.raw().data.mapping_start.anchor);
      check_tag(event, text_of(event.raw().data.mapping_start.tag));
      value = mapping(event, depth);
    }
    if (!anchor.empty()) anchors_[anchor] = {value, values_ - before + 1};
    return value;
  }

  Json alias(const Event& event) {
    const auto found = anchors_.find(text_of(event.raw().data.alias.anchor));
    if (found == anchors_.end()) refuse(event, "an alias stands for nothing before it");
    count(event, found->second.second);
    return found->second.first;
  }

  static void check_tag(const Event& event, const std::string& tag) {
    static constexpr std::string_view kStandard = "tag:yaml.org,2002:";
    static const std::set<std::string_view> kKnown = {"str",  "int", "float", "bool",
                                                      "null", "seq", "map"};
    if (tag.empty() || tag == "!") return;
    if (tag.starts_with(kStandard) &&
        kKnown.contains(std::string_view(tag).substr(kStandard.size())))
      return;
    refuse(event, "the tag `" + tag + "` is not known; task files have `!function` only");
  }

  static Json scalar(const Event& event) {
    const auto& raw = event.raw().data.scalar;
    const std::string text(reinterpret_cast<const char*>(raw.value), raw.length);
    const std::string tag = text_of(raw.tag);
    if (tag == kFunctionTag) {
      if (text.empty()) refuse(event, "`!function` is not followed by module.function");
      return Json{{kFunctionTag, text}};
    }
    check_tag(event, tag);
    if (tag.starts_with("tag:")) return tag.ends_with(":str") ? Json(text) : plain_scalar(text);
    const bool plain = raw.style == YAML_PLAIN_SCALAR_STYLE && tag.empty();
    return plain ? plain_scalar(text) : Json(text);
  }

  Json sequence(std::size_t depth) {
    Json list = Json::array();
    while (true) {
      Event event(*parser_);
      if (event.type() == YAML_SEQUENCE_END_EVENT) return list;
      list.push_back(read(event, depth + 1));
    }
  }

  Json mapping(const Event& start, std::size_t depth) {
    Json merged = Json::object();  // what `<<` brings stands first and yields to own keys
    Json own = Json::object();
    while (true) {
      Event key(*parser_);
      if (key.type() == YAML_MAPPING_END_EVENT) break;
      if (key.type() != YAML_SCALAR_EVENT) refuse(start, "a key is not a plain value");
      const auto& raw = key.raw().data.scalar;
      const std::string name(reinterpret_cast<const char*>(raw.value), raw.length);
      Event event(*parser_);
      Json value = read(event, depth + 1);
      if (name == "<<" && raw.style == YAML_PLAIN_SCALAR_STYLE) {
        merge(event, value, merged);
      } else {
        own[name] = std::move(value);
      }
    }
    for (auto& [key, value] : own.items()) merged[key] = std::move(value);
    return merged;
  }

  static void merge(const Event& event, const Json& value, Json& merged) {
    if (value.is_array()) {
      for (const Json& part : value) merge(event, part, merged);
      return;
    }
    if (!value.is_object()) refuse(event, "`<<` is not followed by a mapping");
    for (const auto& [key, part] : value.items()) {
      if (!merged.contains(key)) merged[key] = part;
    }
  }

  std::unique_ptr<yaml_parser_t, ParserDelete> parser_;
  const TaskYamlLimits& limits_;
  std::map<std::string, std::pair<Json, std::size_t>> anchors_;  // value and its size
  std::size_t values_ = 0;
};

tl::unexpected<Error> refused(std::string message, int line) {
  std::string place = line < 0 ? std::string() : "line " + std::to_string(line + 1);
  Error error{ErrorCode::kInvalidArgument, {}, {{place, "is not usable YAML: " + message, {}}}};
  error.message = (place.empty() ? "" : place + ": ") + std::move(message);
  return fail(std::move(error));
}

}  // namespace

Result<Json> parse_task_yaml(std::string_view text, const TaskYamlLimits& limits) {
  if (text.size() > limits.bytes)
    return refused("more than " + std::to_string(limits.bytes) + " bytes", -1);
  if (recipe::find_invalid_utf8(text) != std::string_view::npos)
    return refused("not UTF-8 text", -1);
  try {
    return Reader(text, limits).read_document();
  } catch (const Refused& problem) {
    return refused(problem.message, problem.line);
  }
}

const std::string* function_name(const Json& value) {
  if (!value.is_object() || value.size() != 1) return nullptr;
  const auto found = value.find(kFunctionTag);
  return found == value.end() ? nullptr : found->get_ptr<const std::string*>();
}

std::string child_path(std::string_view parent, std::string_view key) {
  return parent.empty() ? std::string(key) : std::string(parent) + "." + std::string(key);
}

std::string child_path(std::string_view parent, std::size_t index) {
  return std::string(parent) + "[" + std::to_string(index) + "]";
}

}  // namespace crucible::task
