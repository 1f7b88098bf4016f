#include "evaluator/engine/language_model.hpp"

namespace crucible::engine {

Result<std::vector<RollingResult>> LanguageModel::loglikelihood_rolling(
    std::span<const RollingRequest> /*requests*/, const Call& /*call*/) {
  return fail(ErrorCode::kUnsupported,
              description().engine + " gives no log-probabilities of whole texts");
}

Result<std::vector<GenerationResult>> LanguageModel::generate(
    std::span<const GenerationRequest> /*requests*/, const Call& /*call*/) {
  return fail(ErrorCode::kUnsupported, description().engine + " does not generate text");
}

Result<std::string> LanguageModel::apply_chat_template(std::span<const ChatMessage> /*messages*/,
                                                       bool /*add_generation_prompt*/) const {
  return fail(ErrorCode::kUnsupported, "the model has no chat template");
}

}  // namespace crucible::engine
