#include "evaluator/task/prompt.hpp"

#include <utility>

#include "evaluator/task/yaml_value.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::task {
namespace {

// A message and what follows it when the conversation is written as plain text.
struct Turn {
  std::string role;
  std::string content;
  std::string delimiter;
};

bool starts_with_space(const std::string& text) {
  return !text.empty() && text::lstrip(text).size() != text.size();
}
bool ends_with_space(const std::string& text) {
  return !text.empty() && text::rstrip(text).size() != text.size();
}

// What goes into one question and its answer.
struct Question {
  std::string question;
  std::string gen_prefix;  // where the answer begins already; "" = it does not
  std::string target_delimiter;
  std::string fewshot_delimiter;
};

void add_question(const Question& parts, const std::string* answer, std::vector<Turn>& turns) {
  const bool answered = answer != nullptr && !answer->empty();
  const bool prefixed = !parts.gen_prefix.empty();
  const bool joined = prefixed && !parts.question.empty() && !ends_with_space(parts.question) &&
                      !starts_with_space(parts.gen_prefix);
  const bool delimited = (answered && !prefixed) || joined;
  turns.push_back({"user", parts.question, delimited ? parts.target_delimiter : ""});
  if (answered) {
    turns.push_back(
        {"assistant", join_delimited(parts.gen_prefix, *answer, " "), parts.fewshot_delimiter});
  } else if (prefixed) {
    turns.push_back({"assistant", parts.gen_prefix, ""});
  }
}

tl::unexpected<Error> at(const char* field, Error error) {
  return fail(std::move(error).with_context(field));
}

Result<std::string> as_text(const Json& value, const char* field) {
  if (value.is_string()) return value.get<std::string>();
  return at(field,
            {ErrorCode::kInvalidArgument, "gives no text but " + value.dump().substr(0, 80), {}});
}

// The answer of a worked example: text, the choice of that number, or the first of several.
Result<std::string> answer_text(const Json& target, const std::vector<std::string>* choices) {
  if (target.is_null()) return std::string();
  if (choices != nullptr && !choices->empty() &&
      (target.is_number_integer() || target.is_boolean())) {
    std::int64_t index = target.is_boolean() ? static_cast<std::int64_t>(target.get<bool>())
                                             : target.get<std::int64_t>();
    const auto size = static_cast<std::int64_t>(choices->size());
    if (index < 0) index += size;
    if (index >= 0 && index < size) return (*choices)[static_cast<std::size_t>(index)];
    return at("doc_to_target", {ErrorCode::kInvalidArgument,
                                "choice " + target.dump() + " of " + std::to_string(size),
                                {}});
  }
  if (target.is_array() && !target.empty()) return as_text(target[0], "doc_to_target");
  return as_text(target, "doc_to_target");
}

Result<std::string> chosen_input(const Json& text, const std::vector<std::string>& choices) {
  if (text.is_number_integer()) {
    const auto index = text.get<std::int64_t>();
    if (index >= 0 && static_cast<std::size_t>(index) < choices.size())
      return choices[static_cast<std::size_t>(index)];
  }
  return at("doc_to_text",
            {ErrorCode::kInvalidArgument, "is not the number of one of the choices", {}});
}

Status add_example(const PromptSettings& settings, const Json& example, std::vector<Turn>& turns) {
  const FewshotSettings& fewshot = settings.task.fewshot;
  const bool has_choices = settings.task.choice.given();
  auto text = fewshot.text.text(example, settings.columns, settings.multiple_input);
  if (!text) return at("doc_to_text", std::move(text.error()));
  std::vector<std::string> choices;
  if (fewshot.choice.given()) {
    auto options = fewshot.choice.choices(example, settings.columns);
    if (!options) return at("doc_to_choice", std::move(options.error()));
    choices = std::move(*options);
  }
  auto target = fewshot.target.target(example, settings.columns, has_choices);
  if (!target) return at("doc_to_target", std::move(target.error()));
  auto prefix = fewshot.gen_prefix.resolve(example);
  if (!prefix) return at("gen_prefix", std::move(prefix.error()));
  auto question =
      settings.multiple_input ? chosen_input(*text, choices) : as_text(*text, "doc_to_text");
  if (!question) return fail(std::move(question.error()));
  auto answer = answer_text(*target, settings.multiple_input ? nullptr : &choices);
  if (!answer) return fail(std::move(answer.error()));
  add_question({std::move(*question), std::move(*prefix), fewshot.target_delimiter,
                fewshot.fewshot_delimiter},
               &*answer, turns);
  return {};
}

// All but the system prompt and the beginning of an answer as one user message.
std::vector<engine::ChatMessage> collapsed(std::vector<Turn> turns) {
  std::vector<engine::ChatMessage> messages;
  std::size_t first = 0;
  if (turns.front().role == "system") {
    messages.push_back({"system", turns.front().content});
    first = 1;
  }
  const bool answer_begun = turns.back().role == "assistant";
  const std::size_t last = turns.size() - (answer_begun ? 1 : 0);
  std::string text;
  for (std::size_t i = first; i < last; ++i) {
    text += turns[i].content;
    if (i + 1 < last) text += turns[i].delimiter;
  }
  messages.push_back({"user", std::move(text)});
  if (answer_begun) messages.push_back({"assistant", turns.back().content});
  return messages;
}

// As the harness's own models do: a template that refuses is tried again without system prompt.
Result<std::string> render_chat(const ChatRenderer& chat,
                                std::vector<engine::ChatMessage>& messages, bool add_prompt) {
  auto text = chat(messages, add_prompt);
  if (text || messages.front().role != "system" || messages.size() < 2) return text;
  const std::vector<engine::ChatMessage> others(messages.begin() + 1, messages.end());
  auto second = chat(others, add_prompt);
  if (!second) return text;
  messages = others;
  return second;
}

Result<Prompt> finish(const PromptSettings& settings, const std::vector<Turn>& turns,
                      bool answer_begun) {
  Prompt prompt;
  if (!settings.options.chat) {
    for (const Turn& turn : turns) prompt.text += turn.content + turn.delimiter;
    return prompt;
  }
  if (settings.options.fewshot_as_multiturn) {
    for (const Turn& turn : turns) prompt.messages.push_back({turn.role, turn.content});
  } else {
    prompt.messages = collapsed(turns);
  }
  auto text = render_chat(settings.options.chat, prompt.messages, !answer_begun);
  if (!text) return at("chat template", std::move(text.error()));
  prompt.text = std::move(*text);
  return prompt;
}

Result<std::vector<Turn>> opening(const PromptSettings& settings, const Json& document,
                                  FewshotDraw& draw) {
  std::vector<Turn> turns;
  auto description = settings.task.description.resolve(document);
  if (!description) return at("description", std::move(description.error()));
  std::string system = join_delimited(settings.options.system_instruction, *description,
                                      settings.task.fewshot_delimiter);
  if (!system.empty()) turns.push_back({"system", std::move(system), ""});
  auto examples = draw.draw(settings.shots, document);
  if (!examples) return at("fewshot", std::move(examples.error()));
  for (const Json* example : *examples) {
    if (auto status = add_example(settings, *example, turns); !status)
      return at("few-shot example", std::move(status.error()));
  }
  return turns;
}

}  // namespace

std::string join_delimited(const std::string& prefix, const std::string& suffix,
                           const std::string& delimiter) {
  if (prefix.empty() || suffix.empty() || ends_with_space(prefix) || starts_with_space(suffix))
    return prefix + suffix;
  return prefix + delimiter + suffix;
}

Result<std::vector<Prompt>> build_prompts(const PromptSettings& settings, const Json& document,
                                          FewshotDraw& draw) {
  const TaskDefinition& task = settings.task;
  auto turns = opening(settings, document, draw);
  if (!turns) return fail(std::move(turns.error()));
  auto prefix = task.gen_prefix.resolve(document);
  if (!prefix) return at("gen_prefix", std::move(prefix.error()));
  const bool begun = !prefix->empty();
  std::vector<std::string> questions;
  std::string delimiter = task.target_delimiter;
  if (settings.multiple_input) {
    auto choices = task.choice.choices(document, settings.columns);
    if (!choices) return at("doc_to_choice", std::move(choices.error()));
    questions = std::move(*choices);
    delimiter.clear();
  } else {
    // A question of digits alone is text all the same.
    auto text = task.text.text(document, settings.columns, false);
    if (!text) return at("doc_to_text", std::move(text.error()));
    auto question = as_text(*text, "doc_to_text");
    if (!question) return fail(std::move(question.error()));
    questions.push_back(std::move(*question));
  }
  std::vector<Prompt> prompts;
  for (std::string& question : questions) {
    std::vector<Turn> all = *turns;
    add_question({std::move(question), *prefix, delimiter, ""}, nullptr, all);
    auto prompt = finish(settings, all, begun);
    if (!prompt) return fail(std::move(prompt.error()));
    prompts.push_back(std::move(*prompt));
  }
  return prompts;
}

}  // namespace crucible::task
