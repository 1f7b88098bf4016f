#include "server/evalserver/answers.hpp"

#include <algorithm>
#include <atomic>
#include <ctime>

#include "evaluator/engine/request_encoding.hpp"
#include "evaluator/engine/stop_strings.hpp"

namespace crucible::server::evalserver {
namespace {

using engine::PlaceScore;
using engine::TokenGeneration;
using engine::TokenId;
using Tokens = std::vector<TokenId>;

constexpr std::uint32_t kDefaultTokens = 16;        // of a completion, as OpenAI's
constexpr std::uint32_t kDefaultChatTokens = 4096;  // where the context has room

// One choice: a prompt, what followed, and the scores of all places where they were asked for.
struct Choice {
  const Tokens* prompt = nullptr;
  TokenGeneration generation;
  engine::PromptScore score;
};

std::size_t code_points(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned>(c) & 0xC0U) != 0x80U;
  }));
}

std::string next_id(std::string_view prefix) {
  static std::atomic<std::uint64_t> number{0};
  return std::string(prefix) + std::to_string(++number);
}

class Answerer {
 public:
  Answerer(const ServedModel& served, const std::stop_token& stop) : served_(served), stop_(stop) {}

  std::uint32_t context() const { return served_.model.description().context_length; }
  const tokenizer::TextCodec& codec() const { return served_.tokens.codec(); }

  Result<std::string> spell(TokenId id) const { return codec().decode(std::span(&id, 1), false); }

  // Continues each prompt n times, and scores prompt and continuation where `top` is given.
  Result<std::vector<Choice>> compute(const std::vector<Tokens>& prompts, const Sampling& sampling,
                                      std::uint32_t max_tokens, std::optional<std::uint32_t> top) {
    if (auto fits = check_lengths(prompts, max_tokens); !fits) return fail(std::move(fits.error()));
    std::vector<Choice> choices;
    for (const Tokens& prompt : prompts) {
      for (std::uint32_t i = 0; i < sampling.n; ++i) choices.push_back({&prompt, {}, {}});
    }
    const bool greedy = !sampling.settings.do_sample;
    const bool from_scores = top && max_tokens <= 1 && (greedy || max_tokens == 0);
    if (!from_scores && max_tokens > 0) {
      if (auto made = generate(choices, sampling, max_tokens); !made) {
        return fail(std::move(made.error()));
      }
    }
    if (top) {
      if (auto scored = score(choices, *top, greedy && max_tokens == 1, sampling.settings.until);
          !scored) {
        return fail(std::move(scored.error()));
      }
    }
    if (max_tokens == 0) {
      for (Choice& choice : choices) choice.generation.stop = engine::StopReason::kLength;
    }
    return choices;
  }

 private:
  Status check_lengths(const std::vector<Tokens>& prompts, std::uint32_t max_tokens) const {
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      if (prompts[i].size() + max_tokens <= context()) continue;
      return fail(ErrorCode::kInvalidArgument,
                  "This model's maximum context length is " + std::to_string(context()) +
                      " tokens; prompt " + std::to_string(i) + " has " +
                      std::to_string(prompts[i].size()) + " and max_tokens is " +
                      std::to_string(max_tokens));
    }
    return {};
  }

  Status generate(std::vector<Choice>& choices, const Sampling& sampling,
                  std::uint32_t max_tokens) {
    std::vector<engine::TokenPrompt> prompts;
    for (std::size_t i = 0; i < choices.size(); ++i) {
      engine::TokenPrompt prompt{*choices[i].prompt, sampling.settings};
      prompt.settings.max_new_tokens = max_tokens;
      prompt.settings.seed += i % sampling.n;
      prompts.push_back(std::move(prompt));
    }
    auto made = served_.tokens.continue_prompts(prompts, stop_);
    if (!made) return fail(std::move(made.error()));
    for (std::size_t i = 0; i < choices.size(); ++i) {
      choices[i].generation = std::move((*made)[i]);
    }
    return {};
  }

  // With `next`, the most probable token behind the prompt is the one that was asked for: it needs
  // no pass of its own.
  Status score(std::vector<Choice>& choices, std::uint32_t top, bool next,
               const std::vector<std::string>& until) {
    std::vector<Tokens> texts;
    for (const Choice& choice : choices) {
      texts.push_back(*choice.prompt);
      texts.back().insert(texts.back().end(), choice.generation.tokens.begin(),
                          choice.generation.tokens.end());
    }
    auto scores = served_.tokens.score_prompts(texts, std::max(top, 1U), stop_);
    if (!scores) return fail(std::move(scores.error()));
    for (std::size_t i = 0; i < choices.size(); ++i) {
      choices[i].score = std::move((*scores)[i]);
      if (!next) continue;
      if (auto taken = take_next(choices[i], until); !taken) return taken;
    }
    return {};
  }

  Status take_next(Choice& choice, const std::vector<std::string>& until) {
    PlaceScore& place = choice.score.places.back();
    const TokenId token = place.top.front().token;
    place.logprob = place.top.front().logprob;
    choice.generation.tokens = {token};
    const engine::StopStrings stops(codec(), until);
    auto text = stops.text(choice.generation.tokens);
    const auto reached = stops.reached(choice.generation.tokens);
    if (!text) return fail(std::move(text.error()));
    if (!reached) return fail(reached.error());
    choice.generation.text = std::move(*text);
    const auto ends = served_.tokens.end_tokens();
    if (std::find(ends.begin(), ends.end(), token) != ends.end()) {
      choice.generation.stop = engine::StopReason::kEndOfText;
    } else {
      choice.generation.stop =
          *reached ? engine::StopReason::kStopString : engine::StopReason::kLength;
    }
    return {};
  }

  const ServedModel& served_;
  const std::stop_token& stop_;
};

const char* finish_reason(const TokenGeneration& generation) {
  return generation.stop == engine::StopReason::kLength ? "length" : "stop";
}

// What stands at token `index` of prompt and continuation; null for the first.
const PlaceScore* place_of(const Choice& choice, std::size_t index) {
  return index == 0 ? nullptr : &choice.score.places[index - 1];
}

TokenId token_at(const Choice& choice, std::size_t index) {
  const std::size_t prompt = choice.prompt->size();
  return index < prompt ? (*choice.prompt)[index] : choice.generation.tokens[index - prompt];
}

// The `top` most probable tokens and the one that stands there. Different tokens can be spelled
// alike (parts of a character): the more probable keeps the place.
Result<Json> top_object(const Answerer& answerer, const PlaceScore& place, TokenId token,
                        std::uint32_t top) {
  Json object = Json::object();
  const auto add = [&](TokenId id, double logprob) -> Status {
    auto text = answerer.spell(id);
    if (!text) return fail(std::move(text.error()));
    if (!object.contains(*text)) object[*text] = logprob;
    return {};
  };
  const std::size_t count = std::min<std::size_t>(top, place.top.size());
  for (std::size_t i = 0; i < count; ++i) {
    if (auto added = add(place.top[i].token, place.top[i].logprob); !added) {
      return fail(std::move(added.error()));
    }
  }
  if (auto added = add(token, place.logprob); !added) return fail(std::move(added.error()));
  return object;
}

// {"tokens", "token_logprobs", "top_logprobs", "text_offset"} of the tokens from `first` on.
Result<Json> legacy_logprobs(const Answerer& answerer, const Choice& choice, std::size_t first,
                             std::uint32_t top) {
  Json tokens = Json::array();
  Json values = Json::array();
  Json tops = Json::array();
  Json offsets = Json::array();
  std::size_t offset = 0;
  const std::size_t end = choice.prompt->size() + choice.generation.tokens.size();
  for (std::size_t i = first; i < end; ++i) {
    const TokenId token = token_at(choice, i);
    auto text = answerer.spell(token);
    if (!text) return fail(std::move(text.error()));
    offsets.push_back(offset);
    offset += code_points(*text);
    tokens.push_back(std::move(*text));
    const PlaceScore* place = place_of(choice, i);
    if (place == nullptr) {
      values.push_back(nullptr);
      tops.push_back(nullptr);
      continue;
    }
    auto object = top_object(answerer, *place, token, top);
    if (!object) return fail(std::move(object.error()));
    values.push_back(place->logprob);
    tops.push_back(std::move(*object));
  }
  return Json{{"tokens", std::move(tokens)},
              {"token_logprobs", std::move(values)},
              {"top_logprobs", std::move(tops)},
              {"text_offset", std::move(offsets)}};
}

Json token_entry(const std::string& text, double logprob) {
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", text}, {"logprob", logprob}, {"bytes", std::move(bytes)}};
}

// {"content": [{"token", "logprob", "bytes", "top_logprobs"}]} of the answer.
Result<Json> chat_logprobs(const Answerer& answerer, const Choice& choice, std::uint32_t top) {
  Json content = Json::array();
  const std::size_t prompt = choice.prompt->size();
  for (std::size_t i = 0; i < choice.generation.tokens.size(); ++i) {
    const PlaceScore& place = *place_of(choice, prompt + i);
    auto text = answerer.spell(choice.generation.tokens[i]);
    if (!text) return fail(std::move(text.error()));
    Json entry = token_entry(*text, place.logprob);
    Json tops = Json::array();
    for (std::size_t k = 0; k < std::min<std::size_t>(top, place.top.size()); ++k) {
      auto other = answerer.spell(place.top[k].token);
      if (!other) return fail(std::move(other.error()));
      tops.push_back(token_entry(*other, place.top[k].logprob));
    }
    entry["top_logprobs"] = std::move(tops);
    content.push_back(std::move(entry));
  }
  return Json{{"content", std::move(content)}};
}

Json usage_of(const std::vector<Tokens>& prompts, const std::vector<Choice>& choices) {
  std::size_t prompt_tokens = 0;
  std::size_t completion_tokens = 0;
  for (const Tokens& prompt : prompts) prompt_tokens += prompt.size();
  for (const Choice& choice : choices) completion_tokens += choice.generation.tokens.size();
  return {{"prompt_tokens", prompt_tokens},
          {"completion_tokens", completion_tokens},
          {"total_tokens", prompt_tokens + completion_tokens}};
}

Json envelope(const char* id_prefix, const char* object, const std::string& model) {
  return {{"id", next_id(id_prefix)},
          {"object", object},
          {"created", static_cast<std::int64_t>(std::time(nullptr))},
          {"model", model}};
}

}  // namespace

Result<Json> answer_completion(const ServedModel& served, const CompletionRequest& request,
                               const std::stop_token& stop) {
  Answerer answerer(served, stop);
  std::vector<Tokens> prompts;
  std::vector<std::string> echoes;
  const auto bos =
      request.add_special_tokens ? engine::BosRule::kTokenizer : engine::BosRule::kNever;
  for (const Prompt& prompt : request.prompts) {
    if (const auto* text = std::get_if<std::string>(&prompt)) {
      auto ids = engine::encode_prompt(answerer.codec(), bos, *text);
      if (!ids) return fail(std::move(ids.error()));
      prompts.push_back(std::move(*ids));
      echoes.push_back(*text);
    } else {
      prompts.push_back(std::get<Tokens>(prompt));
      auto spelled = answerer.codec().decode(prompts.back(), false);
      if (!spelled) return fail(std::move(spelled.error()));
      echoes.push_back(std::move(*spelled));
    }
  }
  const std::uint32_t max_tokens = request.sampling.max_tokens.value_or(kDefaultTokens);
  auto choices = answerer.compute(prompts, request.sampling, max_tokens, request.logprobs);
  if (!choices) return fail(std::move(choices.error()));
  Json list = Json::array();
  for (std::size_t i = 0; i < choices->size(); ++i) {
    const Choice& choice = (*choices)[i];
    Json logprobs;
    if (request.logprobs) {
      auto made = legacy_logprobs(answerer, choice, request.echo ? 0 : choice.prompt->size(),
                                  *request.logprobs);
      if (!made) return fail(std::move(made.error()));
      logprobs = std::move(*made);
    }
    std::string text = request.echo ? echoes[i / request.sampling.n] : std::string();
    text += choice.generation.text;
    list.push_back({{"index", i},
                    {"text", std::move(text)},
                    {"logprobs", std::move(logprobs)},
                    {"finish_reason", finish_reason(choice.generation)}});
  }
  Json answer = envelope("cmpl-", "text_completion", served.name);
  answer["choices"] = std::move(list);
  answer["usage"] = usage_of(prompts, *choices);
  return answer;
}

Result<Json> answer_chat(const ServedModel& served, const ChatRequest& request,
                         const std::stop_token& stop) {
  Answerer answerer(served, stop);
  const auto text = served.model.apply_chat_template(request.messages, true);
  if (!text) return fail(text.error());
  auto ids = engine::encode_prompt(answerer.codec(), engine::BosRule::kTokenizer, *text);
  if (!ids) return fail(std::move(ids.error()));
  const std::vector<Tokens> prompts = {std::move(*ids)};
  const auto used =
      static_cast<std::uint32_t>(std::min<std::size_t>(prompts.front().size(), answerer.context()));
  const std::uint32_t max_tokens =
      request.sampling.max_tokens.value_or(std::min(kDefaultChatTokens, answerer.context() - used));
  auto choices = answerer.compute(prompts, request.sampling, max_tokens, request.logprobs);
  if (!choices) return fail(std::move(choices.error()));
  Json list = Json::array();
  for (std::size_t i = 0; i < choices->size(); ++i) {
    const Choice& choice = (*choices)[i];
    Json logprobs;
    if (request.logprobs) {
      auto made = chat_logprobs(answerer, choice, *request.logprobs);
      if (!made) return fail(std::move(made.error()));
      logprobs = std::move(*made);
    }
    list.push_back({{"index", i},
                    {"message", {{"role", "assistant"}, {"content", choice.generation.text}}},
                    {"logprobs", std::move(logprobs)},
                    {"finish_reason", finish_reason(choice.generation)}});
  }
  Json answer = envelope("chatcmpl-", "chat.completion", served.name);
  answer["choices"] = std::move(list);
  answer["usage"] = usage_of(prompts, *choices);
  return answer;
}

}  // namespace crucible::server::evalserver
