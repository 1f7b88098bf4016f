#include "evaluator/judge/judge.hpp"

#include <algorithm>
#include <set>

#include "merger/recipe/text.hpp"

namespace crucible::judge {
namespace {

using engine::GenerationRequest;
using engine::GenerationResult;

constexpr std::size_t kMostTurns = 2;  // what the prompts can show
constexpr std::size_t kIdentityDigits = 8;
constexpr const char* kPartsMean = "agg_inst_level_acc";  // a mean over all parts of all items

std::string category_of(const task::Item& item) {
  const auto found = item.document.find("category");
  return found != item.document.end() && found->is_string() ? found->get<std::string>()
                                                            : std::string();
}

std::vector<std::string> reference_of(const task::Item& item) {
  std::vector<std::string> turns;
  const auto found = item.document.find("reference");
  if (found == item.document.end() || !found->is_array()) return turns;
  for (const auto& turn : *found) {
    if (turn.is_string()) turns.push_back(turn.get<std::string>());
  }
  return turns;
}

std::string digest_of(const JudgePrompt& prompt) {
  Sha256 hash;
  return hash.field(prompt.name).field(prompt.system).field(prompt.text).finish().hex();
}

// A judge's name as part of a column's name.
std::string column_name(const std::string& name) {
  std::string out;
  for (const char c : name) out += c == ',' || c <= ' ' ? '_' : c;
  return out;
}

std::map<std::string, std::string> numbered(const std::string& prefix,
                                            const std::vector<std::string>& answers) {
  std::map<std::string, std::string> values;
  if (!answers.empty()) values[prefix] = answers.front();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    values[prefix + "_" + std::to_string(i + 1)] = answers[i];
  }
  return values;
}

// The first turns of a conversation, for a prompt about the last of them.
std::vector<std::string> first_turns(const std::vector<std::string>& answers, unsigned count) {
  return {answers.begin(), answers.begin() + static_cast<std::ptrdiff_t>(
                                                 std::min<std::size_t>(count, answers.size()))};
}

// Why the judge's words are no verdict; "" if they are one.
std::string fault_of(const GenerationResult& result, const std::optional<double>& rating,
                     const Rubric& rubric) {
  if (result.truncated) return "the prompt did not fit the judge's context";
  if (!rating) return "no rating can be read";
  if (*rating < rubric.least || *rating > rubric.most) {
    return "the rating " + recipe::number_text(*rating) + " lies outside the scale";
  }
  return "";
}

Result<const JudgePrompt*> prompt_for(const Rubric& rubric, const task::Item& item, bool pair,
                                      unsigned turn) {
  const bool wants_reference = rubric.reference_categories.contains(category_of(item));
  const JudgePrompt* prompt = rubric.find({pair, wants_reference, turn > 1});
  if (prompt == nullptr) {
    return fail(ErrorCode::kUnsupported, "rubric " + rubric.name + " has no prompt to " +
                                             (pair ? "compare answers" : "rate an answer") +
                                             (wants_reference ? " with a reference" : "") +
                                             (turn > 1 ? " to a later turn" : ""));
  }
  if (wants_reference && reference_of(item).size() < turn) {
    return fail(ErrorCode::kNotFound,
                "item " + item.id + " (" + category_of(item) +
                    ") is graded against a reference answer, which is missing");
  }
  return prompt;
}

}  // namespace

std::string judge_identity(const Rubric& rubric, const JudgeSettings& settings) {
  const Digest digest =
      Sha256().field(rubric.digest().hex()).field(std::to_string(settings.max_new_tokens)).finish();
  return column_name(settings.name) + "@" + digest.hex().substr(0, kIdentityDigits);
}

Judge::Judge(engine::LanguageModel& model, Rubric rubric, JudgeSettings settings)
    : model_(model), rubric_(std::move(rubric)), settings_(std::move(settings)) {
  if (settings_.name.empty()) settings_.name = model_.description().architecture;
  identity_ = judge_identity(rubric_, settings_);
}

Status prepare(task::Task& task, const Rubric& rubric, const JudgeSettings& settings) {
  if (task.output_type != task::OutputType::kConversation) {
    return fail(ErrorCode::kUnsupported, "task " + task.name + " has no conversations to judge");
  }
  const std::string identity = judge_identity(rubric, settings);
  std::set<std::string> categories;
  std::size_t most_turns = 0;
  for (const task::Item& item : task.items) {
    categories.insert(category_of(item));
    most_turns = std::max(most_turns, item.turns.size());
    if (item.turns.empty() || item.turns.size() > kMostTurns) {
      return fail(ErrorCode::kUnsupported, "item " + item.id + " has " +
                                               std::to_string(item.turns.size()) +
                                               " turns; a judge's prompts show one or two");
    }
    for (unsigned turn = 1; turn <= item.turns.size(); ++turn) {
      if (auto prompt = prompt_for(rubric, item, false, turn); !prompt) return fail(prompt.error());
    }
  }
  task.filters = {{identity, {}}};
  task.metrics = {{"rating", kPartsMean, true, {}}};
  for (std::size_t turn = 1; turn <= most_turns && most_turns > 1; ++turn) {
    task.metrics.push_back({"rating_turn_" + std::to_string(turn), kPartsMean, true, {}});
  }
  for (const std::string& category : categories) {
    if (!category.empty() && categories.size() > 1) {
      task.metrics.push_back({"rating_" + category, kPartsMean, true, {}});
    }
  }
  task.metrics.push_back({"no_verdict", "mean", false, {}});
  task.process_results = "mt_bench";
  task.primary_metric = "rating";
  task.primary_filter = identity;
  task.config["judge"] = {{"identity", identity},
                          {"model", settings.name},
                          {"rubric", rubric.name},
                          {"rubric_digest", rubric.digest().hex()},
                          {"max_new_tokens", settings.max_new_tokens},
                          {"seed", settings.seed}};
  task.digest = Sha256().field(task_digest(task).hex()).field(identity).finish();
  return {};
}

namespace {

void set_filter(task::ScoreRule& rule, const std::set<std::string>& tasks,
                const std::string& filter) {
  if (rule.is_leaf() && tasks.contains(rule.task)) {
    rule.filter = filter;
    if (rule.metric.empty()) rule.metric = "rating";
  }
  for (task::ScoreRule& part : rule.of) set_filter(part, tasks, filter);
}

}  // namespace

Status prepare(task::Suite& suite, const Rubric& rubric, const JudgeSettings& settings) {
  const std::string identity = judge_identity(rubric, settings);
  std::set<std::string> judged;
  for (task::Task& task : suite.tasks) {
    if (task.output_type != task::OutputType::kConversation) continue;
    if (auto prepared = prepare(task, rubric, settings); !prepared) {
      return fail(std::move(prepared.error()).with_context("task " + task.name));
    }
    judged.insert(task.name);
  }
  if (judged.empty()) {
    return fail(ErrorCode::kInvalidArgument, "suite " + suite.name + " has nothing to judge");
  }
  set_filter(suite.score, judged, identity);
  suite.digest = Sha256().field(suite.digest.hex()).field(identity).finish();
  return {};
}

Result<std::string> Judge::prompt_text(const JudgePrompt& prompt, const task::Item& item,
                                       unsigned turn,
                                       const std::map<std::string, std::string>& answers) const {
  std::map<std::string, std::string> values = answers;
  values["question"] = item.turns[turn - 1];
  for (const auto& [prefix, texts] :
       {std::pair("question", first_turns(item.turns, turn)),
        std::pair("ref_answer", first_turns(reference_of(item), turn))}) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      values[std::string(prefix) + "_" + std::to_string(i + 1)] = texts[i];
    }
  }
  auto text = fill(prompt.text, values);
  if (!text) return fail(std::move(text.error()).with_context("item " + item.id));
  return text;
}

Result<std::vector<GenerationResult>> Judge::ask(
    const std::vector<std::pair<const JudgePrompt*, std::string>>& prompts,
    const engine::Call& call) {
  std::vector<GenerationRequest> requests;
  const std::uint32_t context = model_.description().context_length;
  for (const auto& [prompt, text] : prompts) {
    GenerationRequest request;
    request.settings.max_new_tokens = std::min(settings_.max_new_tokens, std::max(1U, context / 2));
    request.settings.seed = settings_.seed;
    if (!prompt->system.empty()) request.messages.push_back({"system", prompt->system});
    request.messages.push_back({"user", text});
    auto rendered = model_.apply_chat_template(request.messages, true);
    if (!rendered && rendered.error().code == ErrorCode::kInvalidArgument &&
        request.messages.size() == 2) {
      // Templates that refuse a system message get it in front of the user's.
      request.messages = {{"user", prompt->system + "\n\n" + text}};
      rendered = model_.apply_chat_template(request.messages, true);
    }
    if (!rendered) return fail(std::move(rendered.error()).with_context("the judge"));
    request.context = std::move(*rendered);
    requests.push_back(std::move(request));
  }
  auto results = model_.generate(requests, call);
  if (!results) return fail(std::move(results.error()).with_context("the judge"));
  return results;
}

Result<std::vector<Rating>> Judge::rate(std::span<const Conversation> conversations,
                                        const std::string& model_name, const engine::Call& call) {
  std::vector<Rating> ratings;
  std::vector<std::pair<const JudgePrompt*, std::string>> prompts;
  for (const Conversation& talk : conversations) {
    for (unsigned turn = 1; turn <= talk.answers.size(); ++turn) {
      const auto prompt = prompt_for(rubric_, *talk.item, false, turn);
      if (!prompt) return fail(prompt.error());
      auto values = numbered("answer", first_turns(talk.answers, turn));
      if (turn > 1) values["answer"] = talk.answers[turn - 1];
      auto text = prompt_text(**prompt, *talk.item, turn, values);
      if (!text) return fail(std::move(text.error()));
      Rating rating;
      rating.question = talk.item->id;
      rating.model = model_name;
      rating.judge = settings_.name;
      rating.identity = identity_;
      rating.prompt = (*prompt)->name;
      rating.turn = turn;
      rating.user_prompt = *text;
      rating.prompt_digest = digest_of(**prompt);
      rating.seed = settings_.seed;
      ratings.push_back(std::move(rating));
      prompts.emplace_back(*prompt, std::move(*text));
    }
  }
  auto results = ask(prompts, call);
  if (!results) return fail(std::move(results.error()));
  for (std::size_t i = 0; i < ratings.size(); ++i) {
    Rating& rating = ratings[i];
    rating.judgment = (*results)[i].text;
    rating.score = parse_rating(without_reasoning(rating.judgment));
    rating.note = fault_of((*results)[i], rating.score, rubric_);
    if (!rating.note.empty()) rating.score.reset();
    if (!settings_.keep) continue;
    if (auto kept = settings_.keep(to_json(rating)); !kept) return fail(std::move(kept.error()));
  }
  return ratings;
}

Result<std::vector<Comparison>> Judge::compare(std::span<const Conversation> first,
                                               const std::string& first_name,
                                               std::span<const Conversation> second,
                                               const std::string& second_name,
                                               const engine::Call& call) {
  if (first.size() != second.size()) {
    return fail(ErrorCode::kInvalidArgument, "both models need answers to the same items");
  }
  std::vector<Comparison> comparisons;
  std::vector<std::pair<const JudgePrompt*, std::string>> prompts;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const task::Item& item = *first[i].item;
    const std::size_t turns = std::min(first[i].answers.size(), second[i].answers.size());
    for (unsigned turn = 1; turn <= turns; ++turn) {
      const auto prompt = prompt_for(rubric_, item, true, turn);
      if (!prompt) return fail(prompt.error());
      Comparison one;
      for (const bool swapped : {false, true}) {
        const auto& shown_a = swapped ? second[i].answers : first[i].answers;
        const auto& shown_b = swapped ? first[i].answers : second[i].answers;
        auto values = numbered("answer_a", first_turns(shown_a, turn));
        values.merge(numbered("answer_b", first_turns(shown_b, turn)));
        auto text = prompt_text(**prompt, item, turn, values);
        if (!text) return fail(std::move(text.error()));
        (swapped ? one.second_prompt : one.first_prompt) = *text;
        prompts.emplace_back(*prompt, std::move(*text));
      }
      one.question = item.id;
      one.model_1 = first_name;
      one.model_2 = second_name;
      one.judge = settings_.name;
      one.identity = identity_;
      one.prompt = (*prompt)->name;
      one.turn = turn;
      one.prompt_digest = digest_of(**prompt);
      one.seed = settings_.seed;
      comparisons.push_back(std::move(one));
    }
  }
  auto results = ask(prompts, call);
  if (!results) return fail(std::move(results.error()));
  for (std::size_t i = 0; i < comparisons.size(); ++i) {
    Comparison& one = comparisons[i];
    const GenerationResult& forward = (*results)[2 * i];
    const GenerationResult& backward = (*results)[2 * i + 1];
    one.first_judgment = forward.text;
    one.second_judgment = backward.text;
    one.first = forward.truncated ? Winner::kError
                                  : parse_preference(without_reasoning(forward.text), false);
    one.second = backward.truncated ? Winner::kError
                                    : parse_preference(without_reasoning(backward.text), true);
    if (!settings_.keep) continue;
    if (auto kept = settings_.keep(to_json(one)); !kept) return fail(std::move(kept.error()));
  }
  return comparisons;
}

Result<std::vector<std::vector<metric::ItemScore>>> Judge::grade(
    const task::Task& task, std::span<const task::Item* const> items,
    std::span<const metric::Responses* const> responses, const engine::Call& call) {
  std::vector<Conversation> talks;
  std::vector<std::size_t> owners;  // item of each rating
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::size_t turns = items[i]->turns.size();
    const auto& texts = responses[i]->generations;
    if (turns == 0 || texts.size() != turns * task.repeats) {
      return fail(ErrorCode::kInternal, "an answer to every turn was expected");
    }
    for (std::size_t start = 0; start < texts.size(); start += turns) {
      const auto begin = texts.begin() + static_cast<std::ptrdiff_t>(start);
      talks.push_back({items[i], {begin, begin + static_cast<std::ptrdiff_t>(turns)}});
      owners.insert(owners.end(), turns, i);
    }
  }
  const auto ratings = rate(talks, "", call);
  if (!ratings) return fail(ratings.error());
  std::vector<std::vector<metric::ItemScore>> scores(items.size(),
                                                     {metric::ItemScore{identity_, {}, {}, {}}});
  std::vector<std::pair<double, double>> missing(items.size());
  for (std::size_t k = 0; k < ratings->size(); ++k) {
    const Rating& rating = (*ratings)[k];
    metric::ItemScore& score = scores[owners[k]].front();
    score.filtered.push_back(rating.score ? task::Json(*rating.score) : task::Json());
    missing[owners[k]].second += 1;
    if (!rating.score) {
      missing[owners[k]].first += 1;
      score.note = "turn " + std::to_string(rating.turn) + ": " + rating.note;
      continue;
    }
    const std::string category = category_of(*items[owners[k]]);
    score.metrics["rating"].numbers.push_back(*rating.score);
    score.metrics["rating_turn_" + std::to_string(rating.turn)].numbers.push_back(*rating.score);
    if (!category.empty()) score.metrics["rating_" + category].numbers.push_back(*rating.score);
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    scores[i].front().metrics["no_verdict"].numbers = {missing[i].first / missing[i].second};
  }
  return scores;
}

}  // namespace crucible::judge
