#pragma once

#include <string>
#include <vector>

#include "evaluator/endpoint/endpoint_client.hpp"
#include "evaluator/tokenizer/text_codec.hpp"

namespace crucible::endpoint {

// Which model is asked for, from /models where that exists.
struct ServedModel {
  std::string name;
  std::uint32_t context_length = 0;  // 0 = not told
  bool is_vllm = false;              // takes vLLM's own sampling fields
};
// kInvalidArgument: no name given and not exactly one served, or the name is not among them.
Result<ServedModel> find_model(EndpointClient& client, const std::string& wanted,
                               const std::stop_token& stop);

// What an endpoint was seen to do. A server's brand says nothing: some accept "echo" and give the
// log-probabilities of what they generated only, which would score chance.
struct ProbeReport {
  bool completions = false;
  bool chat = false;
  bool prompt_logprobs = false;
  std::string why_no_logprobs;   // in words; "" where there are
  std::vector<double> logprobs;  // of the known prompt, where there are
};

// Asks for one token after a known prompt, then for the prompt's log-probabilities: one entry for
// each of its tokens, the first null, the others finite, not positive, neither all zero nor all
// equal, with the most probable token beside them; and the first half of the prompt alone must get
// the same numbers as within the whole. With a codec the prompt goes as token ids and must come
// back as the text it was made from, else the codec is not the model's. Errors: an endpoint that
// cannot be reached, refuses the key, or answers neither completions nor chat.
Result<ProbeReport> probe(EndpointClient& client, Protocol protocol, const std::string& model_name,
                          const tokenizer::TextCodec* codec, const std::stop_token& stop);

}  // namespace crucible::endpoint
