#include <algorithm>
#include <optional>
#include <utility>

#include "evaluator/task/prompt.hpp"
#include "evaluator/task/task_builder.hpp"
#include "evaluator/template/template.hpp"
#include "evaluator/text/strings.hpp"

// construct_requests and the reading of golds in lm_eval/api/task.py.
namespace crucible::task {
namespace {

tl::unexpected<Error> at(const char* field, Error error) {
  return fail(std::move(error).with_context(field));
}

std::string shown(const Json& value) {
  return value.is_string() ? value.get<std::string>() : templating::python_str(value);
}

// In chat mode the template has spaced question and answer already.
std::string choice_delimiter(const ItemSettings& settings) {
  if (!settings.chat) return settings.task.target_delimiter;
  const Json& prefix = settings.task.gen_prefix.source();
  const std::string text = prefix.is_string() ? prefix.get<std::string>() : std::string();
  const bool spaced = text::rstrip(text).size() != text.size();
  return text.empty() || spaced ? std::string() : settings.task.target_delimiter;
}

Request request_of(const Prompt& prompt, std::string continuation) {
  return {prompt.text, std::move(continuation), prompt.messages};
}

// A choice's number or its text; out of range is no gold at all, so the item counts as wrong.
void add_gold(const Json& value, Item& item) {
  std::optional<std::size_t> index;
  if (value.is_string()) {
    const auto found =
        std::find(item.choices.begin(), item.choices.end(), value.get<std::string>());
    if (found != item.choices.end()) index = static_cast<std::size_t>(found - item.choices.begin());
  } else if (value.is_boolean()) {
    index = value.get<bool>() ? 1 : 0;
  } else if (value.is_number()) {
    const double number = value.get<double>();
    if (number >= 0 && number < 1e9 && number == static_cast<double>(static_cast<int>(number)))
      index = static_cast<std::size_t>(number);
  }
  if (!index || *index >= item.choices.size()) return;
  if (std::find(item.gold.begin(), item.gold.end(), *index) == item.gold.end())
    item.gold.push_back(*index);
}

Status fill_choices(const ItemSettings& settings, const std::vector<Prompt>& prompts, Item& item) {
  auto choices = settings.task.choice.choices(item.document, settings.columns);
  if (!choices) return at("doc_to_choice", std::move(choices.error()));
  item.choices = std::move(*choices);
  if (item.choices.empty())
    return at("doc_to_choice", {ErrorCode::kInvalidArgument, "gives an empty list", {}});
  const std::string delimiter = choice_delimiter(settings);
  for (std::size_t i = 0; i < item.choices.size(); ++i) {
    const std::string& continuation =
        settings.multiple_input ? shown(item.target) : item.choices[i];
    item.requests.push_back(
        request_of(prompts[settings.multiple_input ? i : 0], delimiter + continuation));
  }
  if (settings.mutual_information) {
    for (const std::string& choice : item.choices)
      item.requests.push_back({"", delimiter + choice, {}});
  }
  Json gold = item.target;
  if (settings.multiple_input) {
    auto text = settings.task.text.text(item.document, settings.columns, true);
    if (!text) return at("doc_to_text", std::move(text.error()));
    gold = std::move(*text);
  }
  if (!gold.is_array()) gold = Json::array({gold});
  for (const Json& value : gold) add_gold(value, item);
  std::sort(item.gold.begin(), item.gold.end());
  return {};
}

Status fill_likelihood(const std::vector<Prompt>& prompts, bool rolling, Item& item) {
  if (!item.target.is_string())
    return at("doc_to_target", {ErrorCode::kInvalidArgument, "gives no text to be scored", {}});
  const auto& target = item.target.get_ref<const std::string&>();
  item.requests.push_back(rolling ? Request{target, "", {}} : request_of(prompts[0], target));
  return {};
}

// What generated text is held against: the choice of that number, a list, or text.
Status settle_target(const ItemSettings& settings, Item& item) {
  if (!settings.task.process_results.empty()) return {};
  if (settings.task.choice.given()) {
    auto choices = settings.task.choice.choices(item.document, settings.columns);
    if (!choices) return at("doc_to_choice", std::move(choices.error()));
    item.choices = std::move(*choices);
    const bool number = item.target.is_number_integer() && item.target >= 0 &&
                        item.target.get<std::size_t>() < item.choices.size();
    if (!number)
      return at("doc_to_target",
                {ErrorCode::kInvalidArgument, "is not the number of one of the choices", {}});
    item.target = item.choices[item.target.get<std::size_t>()];
  } else if (settings.multiple_target) {
    if (!item.target.is_array()) item.target = Json::array({item.target});
  } else if (!item.target.is_string()) {
    item.target = templating::python_str(item.target);
  }
  return {};
}

}  // namespace

Status fill_item(const ItemSettings& settings, std::vector<Prompt> prompts, Item& item) {
  const TaskDefinition& task = settings.task;
  if (task.target.given()) {
    auto target = task.target.target(item.document, settings.columns, task.choice.given());
    if (!target) return at("doc_to_target", std::move(target.error()));
    item.target = std::move(*target);
  }
  switch (task.output_type) {
    case OutputType::kMultipleChoice:
      return fill_choices(settings, prompts, item);
    case OutputType::kLoglikelihood:
      return fill_likelihood(prompts, false, item);
    case OutputType::kLoglikelihoodRolling:
      return fill_likelihood(prompts, true, item);
    case OutputType::kGenerateUntil:
      item.requests.push_back(request_of(prompts[0], ""));
      return settle_target(settings, item);
    case OutputType::kConversation:
      break;
  }
  auto turns = task.text.choices(item.document, settings.columns);
  if (!turns) return at("doc_to_text", std::move(turns.error()));
  item.turns = std::move(*turns);
  return {};
}

}  // namespace crucible::task
