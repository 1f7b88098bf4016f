#pragma once

#include <optional>
#include <string>
#include <vector>

#include "evaluator/endpoint/endpoint_client.hpp"

// The JSON of OpenAI's completions and chat completions, as the servers in use spell it.
namespace crucible::endpoint {

// One token of a prompt or an answer.
struct WireToken {
  std::string text;
  std::optional<double> logprob;  // none for the first of a prompt
  std::optional<double> best;     // of the most probable token at this place; none when not given
};

struct WireChoice {
  std::string text;  // of a completion, or the message's content
  std::string finish_reason;
  std::string stop_reason;  // vLLM: the stop string that was met; "" otherwise
  std::vector<WireToken> tokens;
};

// The choices in the order of their "index", of which there must be `count`. kCorrupt: no choices,
// wrong types, log-probabilities that are positive or not finite. Reads both shapes of
// "logprobs": tokens / token_logprobs / top_logprobs, and content[].
Result<std::vector<WireChoice>> read_choices(const Json& answer, std::size_t count);

struct WireUsage {
  std::uint32_t prompt_tokens = 0;
  std::uint32_t completion_tokens = 0;
};
WireUsage read_usage(const Json& answer);

}  // namespace crucible::endpoint
