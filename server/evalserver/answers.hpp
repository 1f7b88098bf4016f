#pragma once

#include <stop_token>
#include <string>

#include "evaluator/engine/language_model.hpp"
#include "evaluator/engine/token_model.hpp"
#include "server/evalserver/request.hpp"

// From requests to OpenAI's JSON, computed by the model. Call on the engine's thread.
namespace crucible::server::evalserver {

struct ServedModel {
  std::string name;
  engine::LanguageModel& model;
  engine::TokenModel& tokens;
};

// All prompts of the request are computed together. Log-probabilities are the model's own, before
// temperature. kInvalidArgument: a prompt that does not fit the context, ids outside the
// vocabulary.
Result<Json> answer_completion(const ServedModel& served, const CompletionRequest& request,
                               const std::stop_token& stop);
// kUnsupported: the model has no chat template.
Result<Json> answer_chat(const ServedModel& served, const ChatRequest& request,
                         const std::stop_token& stop);

}  // namespace crucible::server::evalserver
