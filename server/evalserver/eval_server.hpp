#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "evaluator/engine/language_model.hpp"
#include "merger/base/error.hpp"

// A model behind OpenAI's completions and chat completions, faithful enough that other evaluators
// measure it: POST /v1/completions, /v1/chat/completions, /tokenize, /detokenize; GET /v1/models,
// /tokenizer_info, /health. No streaming. Errors are {"error": {"message", "type", "param",
// "code"}}.
namespace crucible::server::evalserver {

struct EvalServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 7346;  // 0 = any free one
  std::string model_name;     // what requests must call it
  std::string api_key;        // "" = none asked for
  std::size_t waiting = 64;   // requests that may wait; more are answered 429
};

class EvalServer {
 public:
  // The model must have a token_model() (kUnsupported else) and outlive the server.
  static Result<std::unique_ptr<EvalServer>> create(engine::LanguageModel& model,
                                                    EvalServerOptions options);
  ~EvalServer();  // stops

  // Returns the port. Errors as HttpServer::start.
  Result<std::uint16_t> start();
  // Ends what runs; at most a few seconds.
  void stop();

 private:
  EvalServer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crucible::server::evalserver
