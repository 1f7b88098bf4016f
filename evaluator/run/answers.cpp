#include "evaluator/run/answers.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>
#include <utility>

#include "evaluator/metric/scoring.hpp"

namespace crucible::run {
namespace {

using engine::GenerationRequest;
using engine::GenerationResult;
using task::Item;
using task::OutputType;
using task::Task;

engine::Call call_of(const Task& task, const ProgressSink& progress, std::stop_token stop) {
  return {task.bos, progress, std::move(stop)};
}

Status check_count(std::size_t asked, std::size_t answered) {
  if (asked == answered) return {};
  return fail(ErrorCode::kInternal, "the engine answered " + std::to_string(answered) + " of " +
                                        std::to_string(asked) + " requests");
}

// Deals results out to the items that asked for them, in order.
template <typename Answer, typename Count>
void deal(std::vector<Answer> answers, std::vector<ItemAnswers>& items,
          std::vector<Answer> ItemAnswers::* member, Count&& count) {
  std::size_t next = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (std::size_t k = 0; k < count(i); ++k) {
      (items[i].*member).push_back(std::move(answers[next++]));
    }
  }
}

struct Question {
  engine::LanguageModel& model;
  const Task& task;
  const Segment& segment;
  const ProgressSink& progress;
  std::stop_token stop;

  const Item& item(std::size_t index) const { return task.items[segment.begin + index]; }
  std::size_t size() const { return segment.end - segment.begin; }
  engine::Call call() const { return call_of(task, progress, stop); }
  const engine::GenerationSettings& settings(std::size_t index) const {
    return item(index).generation ? *item(index).generation : task.generation;
  }
};

Status ask_loglikelihoods(const Question& question, std::vector<ItemAnswers>& items) {
  std::vector<engine::LoglikelihoodRequest> requests;
  for (std::size_t i = 0; i < question.size(); ++i) {
    for (const task::Request& request : question.item(i).requests) {
      requests.push_back({request.context, request.continuation});
    }
  }
  auto results = question.model.loglikelihood(requests, question.call());
  if (!results) return fail(std::move(results.error()));
  if (auto status = check_count(requests.size(), results->size()); !status) return status;
  deal(std::move(*results), items, &ItemAnswers::loglikelihoods,
       [&](std::size_t i) { return question.item(i).requests.size(); });
  return {};
}

Status ask_rolling(const Question& question, std::vector<ItemAnswers>& items) {
  std::vector<engine::RollingRequest> requests;
  for (std::size_t i = 0; i < question.size(); ++i) {
    for (const task::Request& request : question.item(i).requests) {
      requests.push_back({request.context});
    }
  }
  auto results = question.model.loglikelihood_rolling(requests, question.call());
  if (!results) return fail(std::move(results.error()));
  if (auto status = check_count(requests.size(), results->size()); !status) return status;
  deal(std::move(*results), items, &ItemAnswers::rolling,
       [&](std::size_t i) { return question.item(i).requests.size(); });
  return {};
}

// The requests of one item at its attempt number `attempt`, from 0.
void add_generations(const Question& question, std::size_t index, std::uint32_t attempt,
                     std::vector<GenerationRequest>& requests) {
  engine::GenerationSettings settings = question.settings(index);
  if (attempt > 0 && question.task.retry_temperature_step > 0) {
    if (!settings.do_sample) settings.temperature = 0;
    settings.do_sample = true;
    settings.temperature += attempt * question.task.retry_temperature_step;
  }
  for (const task::Request& request : question.item(index).requests) {
    for (std::uint32_t k = 0; k < question.task.repeats; ++k) {
      requests.push_back(
          {request.context, request.messages, settings, attempt * question.task.repeats + k});
    }
  }
}

enum class Readable { kNothing, kPart, kWhole };

Readable readable(const Task& task, const Item& item, const ItemAnswers& answers) {
  const auto scores = metric::score_item(task, item, answers.responses());
  if (!scores) return Readable::kWhole;  // scoring says what is wrong
  const bool whole = std::ranges::all_of(*scores, [](const auto& one) { return one.note.empty(); });
  if (whole) return Readable::kWhole;
  const bool part = std::ranges::any_of(
      *scores, [&](const auto& one) { return one.metrics.contains(task.primary_metric); });
  return part ? Readable::kPart : Readable::kNothing;
}

// Of several attempts the first that can be read counts, else the first that can be read in part.
bool is_kept(Readable known, Readable fresh) {
  return known == Readable::kPart && fresh != Readable::kWhole;
}

Status ask_generations(const Question& question, std::vector<ItemAnswers>& items) {
  std::vector<std::size_t> open(question.size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  std::vector<Readable> known(question.size(), Readable::kNothing);
  for (std::uint32_t attempt = 0; attempt < question.task.attempts && !open.empty(); ++attempt) {
    std::vector<GenerationRequest> requests;
    for (const std::size_t index : open) add_generations(question, index, attempt, requests);
    engine::Call call = question.call();
    if (attempt > 0) call.progress = {};  // these were counted
    auto results = question.model.generate(requests, call);
    if (!results) return fail(std::move(results.error()));
    if (auto status = check_count(requests.size(), results->size()); !status) return status;
    std::size_t next = 0;
    std::vector<std::size_t> unread;
    for (const std::size_t index : open) {
      ItemAnswers answers;
      const std::size_t count = request_count(question.task, question.item(index));
      for (std::size_t k = 0; k < count; ++k) {
        answers.generations.push_back(std::move((*results)[next++]));
      }
      const Readable fresh = question.task.attempts > 1
                                 ? readable(question.task, question.item(index), answers)
                                 : Readable::kWhole;
      if (fresh != Readable::kWhole) unread.push_back(index);
      if (is_kept(known[index], fresh)) continue;
      items[index].generations = std::move(answers.generations);
      known[index] = fresh;
    }
    open = std::move(unread);
  }
  return {};
}

// The conversation so far as a prompt: the model's own template, else plain text for models
// without one.
Result<GenerationRequest> next_turn(const Question& question, std::size_t index,
                                    const std::vector<engine::ChatMessage>& messages,
                                    std::uint32_t repeat) {
  GenerationRequest request{{}, messages, question.settings(index), repeat};
  auto text = question.model.apply_chat_template(messages, true);
  if (text) {
    request.context = std::move(*text);
    return request;
  }
  if (text.error().code != ErrorCode::kUnsupported) return fail(std::move(text.error()));
  if (question.model.capabilities().chat) return request;  // an endpoint of conversations
  return fail(ErrorCode::kUnsupported, "conversations need a model with a chat template");
}

// All items' first turns, then all second turns, which see the first answers.
Status ask_conversations(const Question& question, std::vector<ItemAnswers>& items) {
  const std::uint32_t repeats = question.task.repeats;
  std::size_t turns = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    turns = std::max(turns, question.item(i).turns.size());
    items[i].generations.resize(question.item(i).turns.size() * repeats);
  }
  std::vector<std::vector<engine::ChatMessage>> talks(items.size() * repeats);
  for (std::size_t i = 0; i < talks.size(); ++i) {
    const auto& requests = question.item(i / repeats).requests;  // a system message, if any
    if (!requests.empty()) talks[i] = requests.front().messages;
  }
  for (std::size_t turn = 0; turn < turns; ++turn) {
    std::vector<GenerationRequest> requests;
    std::vector<std::size_t> asked;
    for (std::size_t talk = 0; talk < talks.size(); ++talk) {
      const std::size_t index = talk / repeats;
      if (turn >= question.item(index).turns.size()) continue;
      talks[talk].push_back({"user", question.item(index).turns[turn]});
      auto request =
          next_turn(question, index, talks[talk], static_cast<std::uint32_t>(talk % repeats));
      if (!request) return fail(std::move(request.error()));
      requests.push_back(std::move(*request));
      asked.push_back(talk);
    }
    auto results = question.model.generate(requests, question.call());
    if (!results) return fail(std::move(results.error()));
    if (auto status = check_count(requests.size(), results->size()); !status) return status;
    for (std::size_t k = 0; k < asked.size(); ++k) {
      const std::size_t index = asked[k] / repeats;
      const std::size_t place = asked[k] % repeats * question.item(index).turns.size() + turn;
      talks[asked[k]].push_back({"assistant", (*results)[k].text});
      items[index].generations[place] = std::move((*results)[k]);
    }
  }
  return {};
}

Status ask_by_type(const Question& question, std::vector<ItemAnswers>& items) {
  switch (question.task.output_type) {
    case OutputType::kMultipleChoice:
    case OutputType::kLoglikelihood:
      return ask_loglikelihoods(question, items);
    case OutputType::kLoglikelihoodRolling:
      return ask_rolling(question, items);
    case OutputType::kGenerateUntil:
      return ask_generations(question, items);
    case OutputType::kConversation:
      return ask_conversations(question, items);
  }
  return fail(ErrorCode::kInternal, "unknown output type");
}

}  // namespace

metric::Responses ItemAnswers::responses() const {
  metric::Responses out{loglikelihoods, rolling, {}};
  for (const GenerationResult& generation : generations) out.generations.push_back(generation.text);
  return out;
}

Result<SegmentAnswers> ask(engine::LanguageModel& model, const Task& task, const Segment& segment,
                           const ProgressSink& progress, std::stop_token stop) {
  SegmentAnswers answers;
  answers.items.resize(segment.end - segment.begin);
  const engine::ComputeAccount before = model.account();
  const Question question{model, task, segment, progress, std::move(stop)};
  if (auto status = ask_by_type(question, answers.items); !status) {
    return fail(std::move(status.error()));
  }
  const engine::ComputeAccount after = model.account();
  answers.account = {after.prompt_tokens_asked - before.prompt_tokens_asked,
                     after.prompt_tokens_computed - before.prompt_tokens_computed,
                     after.tokens_generated - before.tokens_generated};
  return answers;
}

}  // namespace crucible::run
