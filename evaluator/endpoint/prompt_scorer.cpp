#include "evaluator/endpoint/prompt_scorer.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "evaluator/endpoint/wire.hpp"
#include "evaluator/tokenizer/whitespace.hpp"

namespace crucible::endpoint {
namespace {

using Tokens = std::vector<engine::TokenId>;

// Sums tokens [first, end) of a prompt.
Result<TargetScore> sum_tokens(const std::vector<WireToken>& tokens, std::size_t first,
                               std::size_t end) {
  TargetScore score;
  for (std::size_t i = first; i < end; ++i) {
    if (!tokens[i].logprob || !tokens[i].best) {
      return fail(ErrorCode::kCorrupt,
                  "the endpoint's answer leaves out the log-probability of a token or of the most "
                  "probable one beside it");
    }
    score.sum_logprob += *tokens[i].logprob;
    score.is_greedy = score.is_greedy && *tokens[i].logprob >= *tokens[i].best;
  }
  return score;
}

Status check_count(const std::vector<WireToken>& tokens, std::size_t expected) {
  // One more where the server generated a token although that one is not wanted.
  if (tokens.size() == expected || tokens.size() == expected + 1) return {};
  return fail(ErrorCode::kCorrupt, "the endpoint gives " + std::to_string(tokens.size()) +
                                       " log-probabilities for a prompt of " +
                                       std::to_string(expected) + " tokens");
}

// Prompts, each once, and which requests each answers.
struct Prompts {
  std::vector<Tokens> tokens;
  std::vector<std::vector<std::size_t>> requests;
};

Prompts distinct_prompts(std::span<const engine::EncodedRequest> requests) {
  Prompts prompts;
  std::map<Tokens, std::size_t> known;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Tokens whole = requests[i].input;
    whole.push_back(requests[i].targets.back());
    const auto [place, is_new] = known.try_emplace(std::move(whole), known.size());
    if (is_new) {
      prompts.tokens.push_back(place->first);
      prompts.requests.emplace_back();
    }
    prompts.requests[place->second].push_back(i);
  }
  return prompts;
}

struct TextSplit {
  std::string context;  // without the whitespace at its end
  std::string whole;
};

std::uint64_t estimate(const std::string& text) { return text.size() / 2 + 8; }

// The tokens of a text as the server echoes them, without the one that was generated.
Result<std::vector<WireToken>> echoed(const Json& answer, const std::string& text) {
  auto choices = read_choices(answer, 1);
  if (!choices) return fail(std::move(choices.error()));
  std::vector<WireToken> tokens = std::move(choices->front().tokens);
  if (tokens.size() < 2 || choices->front().text.find(text) == std::string::npos) {
    return fail(ErrorCode::kCorrupt, "the endpoint does not repeat the prompt it was given");
  }
  const std::size_t told = read_usage(answer).prompt_tokens;
  const bool usable = told == tokens.size() || told + 1 == tokens.size();
  tokens.resize(usable ? told : tokens.size() - 1);
  return tokens;
}

}  // namespace

Query PromptScorer::echo_query(Json prompt, std::uint64_t tokens, std::size_t prompts) const {
  return {client_.url().path + "/completions",
          {{"model", model_name_},
           {"prompt", std::move(prompt)},
           {"max_tokens", 1},
           {"temperature", 0},
           {"logprobs", 1},
           {"seed", 1234},
           {"echo", true}},
          {tokens, prompts}};
}

Result<std::vector<TargetScore>> PromptScorer::score(
    std::span<const engine::EncodedRequest> requests, const engine::Call& call) {
  const Prompts prompts = distinct_prompts(requests);
  std::vector<Query> queries;
  for (std::size_t first = 0; first < prompts.tokens.size(); first += batch_size_) {
    const std::size_t end = std::min(first + batch_size_, prompts.tokens.size());
    std::uint64_t tokens = 0;
    Json batch = Json::array();
    for (std::size_t i = first; i < end; ++i) {
      tokens += prompts.tokens[i].size();
      batch.push_back(prompts.tokens[i]);
    }
    queries.push_back(echo_query(std::move(batch), tokens, end - first));
  }
  std::vector<TargetScore> scores(requests.size());
  const auto accept = [&](std::size_t query, const Json& answer) -> Status {
    const std::size_t first = query * batch_size_;
    const std::size_t count = std::min<std::size_t>(batch_size_, prompts.tokens.size() - first);
    const auto choices = read_choices(answer, count);
    if (!choices) return fail(choices.error());
    for (std::size_t i = 0; i < count; ++i) {
      const std::vector<WireToken>& tokens = (*choices)[i].tokens;
      const std::size_t size = prompts.tokens[first + i].size();
      if (auto counted = check_count(tokens, size); !counted) return counted;
      for (const std::size_t request : prompts.requests[first + i]) {
        const auto score = sum_tokens(tokens, size - requests[request].targets.size(), size);
        if (!score) return fail(score.error());
        scores[request] = *score;
      }
    }
    return {};
  };
  if (auto asked = client_.ask_all(queries, accept, call); !asked) {
    return fail(std::move(asked.error()));
  }
  return scores;
}

Result<std::vector<engine::LoglikelihoodResult>> PromptScorer::score_text(
    std::span<const engine::LoglikelihoodRequest> requests, const engine::Call& call) {
  std::vector<TextSplit> splits;
  std::unordered_map<std::string, std::size_t> place;  // of each text among the queries
  std::vector<std::string> texts;
  std::vector<Query> queries;
  const auto add = [&](const std::string& text) {
    if (!place.try_emplace(text, queries.size()).second) return;
    texts.push_back(text);
    queries.push_back(echo_query(text, estimate(text), 1));
  };
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const std::string& context = requests[i].context;
    TextSplit split{context.substr(0, context.size() - tokenizer::trailing_whitespace(context)),
                    context + requests[i].continuation};
    if (split.context.empty() || requests[i].continuation.empty()) {
      return fail(ErrorCode::kUnsupported,
                  "request " + std::to_string(i) +
                      ": an empty context or continuation needs the model's tokens; give the "
                      "folder of its tokenizer (--tokenizer)");
    }
    add(split.context);
    add(split.whole);
    splits.push_back(std::move(split));
  }
  std::vector<std::vector<WireToken>> echoes(queries.size());
  const auto accept = [&](std::size_t query, const Json& answer) -> Status {
    auto tokens = echoed(answer, texts[query]);
    if (!tokens) return fail(std::move(tokens.error()));
    echoes[query] = std::move(*tokens);
    return {};
  };
  if (auto asked = client_.ask_all(queries, accept, call); !asked) {
    return fail(std::move(asked.error()));
  }
  std::vector<engine::LoglikelihoodResult> results;
  for (std::size_t i = 0; i < splits.size(); ++i) {
    const auto& whole = echoes[place[splits[i].whole]];
    const std::size_t context = echoes[place[splits[i].context]].size();
    if (context >= whole.size()) {
      return fail(ErrorCode::kUnsupported,
                  "request " + std::to_string(i) +
                      ": the continuation has no token of its own; give the folder of the model's "
                      "tokenizer (--tokenizer)");
    }
    const auto score = sum_tokens(whole, context, whole.size());
    if (!score) return fail(Error(score.error()).with_context("request " + std::to_string(i)));
    results.push_back({score->sum_logprob, score->is_greedy,
                       static_cast<std::uint32_t>(whole.size() - context), false, false});
  }
  return results;
}

}  // namespace crucible::endpoint
