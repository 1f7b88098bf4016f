#pragma once

#include <memory>
#include <stop_token>

#include "evaluator/endpoint/endpoint_options.hpp"
#include "evaluator/endpoint/url.hpp"
#include "evaluator/engine/language_model.hpp"

// An OpenAI-style endpoint (vLLM, SGLang, llama-server, Ollama, a paid service) as a model.
namespace crucible::endpoint {

// Connects and probes (probe.hpp). A model without log-probabilities of prompts still generates;
// its log-likelihoods are kUnsupported, with the reason.
//
// Prompts go as token ids where a tokenizer is known: the folder's, else the server's /tokenize;
// else as text. Lengths: a prompt and one token must fit in the context, so contexts are cut from
// the left to context_length - 1 tokens; text is not cut. Rolling log-likelihoods and empty
// contexts need a tokenizer. In conversations `messages` go to /chat/completions where that is
// answered and the chat template is not known here, else the rendered text to /completions. At most
// four stop strings are sent in conversations; the answer is cut at all of them here.
//
// Errors of a call: those of EndpointClient. kNoSpace: the budget is spent; what was answered until
// then is kept in the cache, if there is one.
Result<std::unique_ptr<engine::LanguageModel>> load_endpoint_model(
    const EndpointOptions& options, const std::stop_token& stop = {});

}  // namespace crucible::endpoint
