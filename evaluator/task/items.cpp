#include "evaluator/task/items.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "merger/base/digest.hpp"
#include "merger/base/io.hpp"

namespace crucible::task {
namespace {

constexpr std::uint64_t kFileLimit = 256ULL << 20;
constexpr std::size_t kChoiceLimit = 256;
constexpr int kDepthLimit = 32;

// Where a fault lies and how to report it.
struct LineFaults {
  std::string place;  // "sums.jsonl:3"
  std::vector<Fault>& faults;
  void add(std::string_view key, std::string message, std::string suggestion = {}) const {
    std::string path = place;
    if (!key.empty()) path.append(" ").append(key);
    faults.push_back({std::move(path), std::move(message), std::move(suggestion)});
  }
};

std::optional<Json> parse_line(std::string_view line, const LineFaults& faults) {
  bool too_deep = false;
  const Json::parser_callback_t watch_depth = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kDepthLimit) too_deep = true;
    return !too_deep;
  };
  Json item = Json::parse(line, watch_depth, false);
  if (too_deep) {
    faults.add("", "is nested too deeply");
    return std::nullopt;
  }
  if (!item.is_object()) {
    faults.add("", "is not a JSON object", "write one object a line, in UTF-8");
    return std::nullopt;
  }
  return item;
}

std::optional<std::string> text_at(const Json& item, const std::string& key,
                                   const LineFaults& faults) {
  const auto found = item.find(key);
  if (found == item.end() || !found->is_string()) {
    faults.add(key, found == item.end() ? "is missing" : "is not a string");
    return std::nullopt;
  }
  return found->get<std::string>();
}

std::optional<std::vector<std::string>> texts_at(const Json& item, const std::string& key,
                                                 const LineFaults& faults) {
  const auto found = item.find(key);
  if (found == item.end() || !found->is_array()) {
    faults.add(key, found == item.end() ? "is missing" : "is not a list of strings");
    return std::nullopt;
  }
  if (found->size() < 2 || found->size() > kChoiceLimit) {
    faults.add(key, "has " + std::to_string(found->size()) + " choices; 2 to " +
                        std::to_string(kChoiceLimit) + " are possible");
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (const Json& choice : *found) {
    if (!choice.is_string()) {
      faults.add(key, "is not a list of strings");
      return std::nullopt;
    }
    texts.push_back(choice.get<std::string>());
  }
  return texts;
}

// An index, or a letter counted from A.
std::optional<std::size_t> choice_index(const Json& value) {
  if (value.is_number_unsigned()) return value.get<std::size_t>();
  if (!value.is_string()) return std::nullopt;
  const std::string letter = value.get<std::string>();
  if (letter.size() != 1 || letter[0] < 'A' || letter[0] > 'Z') return std::nullopt;
  return static_cast<std::size_t>(letter[0] - 'A');
}

std::optional<std::vector<std::size_t>> gold_at(const Json& item, const std::string& key,
                                                std::size_t choices, const LineFaults& faults) {
  const auto found = item.find(key);
  if (found == item.end()) {
    faults.add(key, "is missing");
    return std::nullopt;
  }
  const Json list = found->is_array() ? *found : Json::array({*found});
  std::vector<std::size_t> gold;
  for (const Json& value : list) {
    const auto index = choice_index(value);
    if (!index || *index >= choices) {
      faults.add(key, value.dump(-1, ' ', false, Json::error_handler_t::replace) +
                          " is not the number (from 0) or letter of one of " +
                          std::to_string(choices) + " choices");
      return std::nullopt;
    }
    gold.push_back(*index);
  }
  std::sort(gold.begin(), gold.end());
  if (gold.empty() || std::adjacent_find(gold.begin(), gold.end()) != gold.end()) {
    faults.add(key, gold.empty() ? "names no choice" : "names a choice twice");
    return std::nullopt;
  }
  return gold;
}

// Continuation and text of a choice: the delimiter stands in front of the first exactly once and is
// no part of the second.
void add_choice(Item& item, const std::string& choice, const std::string& delimiter) {
  const bool has_it = !delimiter.empty() && choice.starts_with(delimiter);
  item.requests.push_back({{}, has_it ? choice : delimiter + choice, {}});
  item.choices.push_back(has_it ? choice.substr(delimiter.size()) : choice);
}

bool add_choices(Item& item, const std::vector<std::string>& choices, const ItemFormat& format,
                 const std::string& key, const LineFaults& faults) {
  for (std::size_t i = 0; i < choices.size(); ++i) {
    add_choice(item, choices[i], format.delimiter);
    if (item.choices.back().empty()) {
      faults.add(key + "[" + std::to_string(i) + "]", "is empty");
      return false;
    }
  }
  return true;
}

void finish(Item& item, const std::string& context, std::vector<std::size_t> gold, Json document) {
  for (Request& request : item.requests) request.context = context;
  item.target = gold.size() == 1 ? Json(gold[0]) : Json(gold);
  item.gold = std::move(gold);
  item.document = std::move(document);
}

std::optional<Item> read_multiple_choice(Json& document, const ItemFormat& format,
                                         const LineFaults& faults) {
  const FieldNames& fields = format.fields;
  const auto query = text_at(document, fields.query, faults);
  const auto choices = texts_at(document, fields.choices, faults);
  if (!query || !choices) return std::nullopt;
  auto gold = gold_at(document, fields.gold, choices->size(), faults);
  Item item;
  if (!add_choices(item, *choices, format, fields.choices, faults) || !gold) return std::nullopt;
  if (!fields.cluster.empty() && document.contains(fields.cluster)) {
    auto cluster = text_at(document, fields.cluster, faults);
    if (!cluster) return std::nullopt;
    item.cluster = std::move(*cluster);
  }
  finish(item, *query, std::move(*gold), std::move(document));
  return item;
}

// AGIEval's own zero-shot prompt (Zhong et al. 2023, arXiv:2304.06364), scored as the Nous fork of
// the harness does: the options in full, "(A)..." included, are the continuations.
std::optional<Item> read_agieval(Json& document, const ItemFormat& format,
                                 const LineFaults& faults) {
  const auto question = text_at(document, "question", faults);
  const auto options = texts_at(document, "options", faults);
  const auto passage = document.find("passage");
  const bool has_passage = passage != document.end() && !passage->is_null();
  if (has_passage && !passage->is_string()) faults.add("passage", "is neither a string nor null");
  if (!question || !options || (has_passage && !passage->is_string())) return std::nullopt;
  if (options->size() > 26) {
    faults.add("options", "are more than the alphabet has letters");
    return std::nullopt;
  }
  auto gold = gold_at(document, "label", options->size(), faults);
  Item item;
  if (!add_choices(item, *options, format, "options", faults) || !gold) return std::nullopt;
  std::string text;
  if (has_passage) text = passage->get<std::string>();
  if (!text.empty()) item.cluster = sha256(text).hex().substr(0, 16);
  text.append("Q: ").append(*question).append(" Answer Choices:");
  for (const std::string& option : *options) text.append(" ").append(option);
  text.append("\nA: Among A through ");
  text.push_back(static_cast<char>('A' + options->size() - 1));
  text.append(", the answer is");
  finish(item, text, std::move(*gold), std::move(document));
  return item;
}

}  // namespace

std::vector<Item> parse_items(std::string_view text, const std::string& name,
                              const ItemFormat& format, std::vector<Fault>& faults) {
  std::vector<Item> items;
  std::size_t line_number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const LineFaults line_faults{name + ":" + std::to_string(line_number), faults};
    auto document = parse_line(line, line_faults);
    if (!document) continue;
    auto item = format.kind == ItemFormat::Kind::kAgieval
                    ? read_agieval(*document, format, line_faults)
                    : read_multiple_choice(*document, format, line_faults);
    if (!item) continue;
    item->doc_id = items.size();
    item->id = std::to_string(items.size());
    items.push_back(std::move(*item));
  }
  return items;
}

std::vector<Item> read_items(const std::filesystem::path& file, const ItemFormat& format,
                             std::vector<Fault>& faults) {
  const auto text = io::read_text(file, kFileLimit);
  if (!text) {
    faults.push_back({file.filename().string(), text.error().message, {}});
    return {};
  }
  return parse_items(*text, file.filename().string(), format, faults);
}

}  // namespace crucible::task
