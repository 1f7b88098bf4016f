#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "evaluator/engine/language_model.hpp"
#include "merger/base/error.hpp"
#include "nlohmann/json.hpp"

// Bodies of OpenAI's completions and chat completions as plain values. What is not offered and
// would change the answer is an error, never left out silently.
namespace crucible::server::evalserver {

using Json = nlohmann::ordered_json;

using Prompt = std::variant<std::string, std::vector<engine::TokenId>>;

struct Sampling {
  engine::GenerationSettings settings;  // max_new_tokens: see max_tokens
  std::optional<std::uint32_t> max_tokens;
  std::uint32_t n = 1;
};

struct CompletionRequest {
  std::string model;  // "" = not said
  std::vector<Prompt> prompts;
  bool add_special_tokens = true;
  bool echo = false;
  std::optional<std::uint32_t> logprobs;  // most probable tokens beside each; 0 = none beside
  Sampling sampling;
};

struct ChatRequest {
  std::string model;
  std::vector<engine::ChatMessage> messages;
  std::optional<std::uint32_t> logprobs;
  Sampling sampling;
};

constexpr std::uint32_t kMostLogprobs = 100;
constexpr std::uint32_t kMostChoices = 128;  // n
constexpr std::size_t kMostPrompts = 4096;   // times n
constexpr std::size_t kMostStops = 64;

// All faults at once, kInvalidArgument; kUnsupported for what is not offered.
Result<CompletionRequest> read_completion(const Json& body);
Result<ChatRequest> read_chat(const Json& body);
// The "messages" of a body.
Result<std::vector<engine::ChatMessage>> read_messages(const Json& messages);

}  // namespace crucible::server::evalserver
