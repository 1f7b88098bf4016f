#pragma once

#include <vector>

#include "evaluator/engine/decoder.hpp"
#include "evaluator/tokenizer/text_codec.hpp"
#include "merger/checkpoint/documents.hpp"
#include "nlohmann/json.hpp"

namespace crucible::engine {

// The ids that end a generated text: eos_token_id of generation_config.json, a number or a list,
// else of config.json, as transformers has it; and the codec's EOS. A generation_config.json that
// cannot be read counts as absent.
std::vector<TokenId> end_of_text_ids(const checkpoint::Documents& documents,
                                     const nlohmann::json& config,
                                     const tokenizer::TextCodec& codec);

}  // namespace crucible::engine
