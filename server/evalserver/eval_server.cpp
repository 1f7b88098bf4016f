#include "server/evalserver/eval_server.hpp"

#include <openssl/crypto.h>

#include <ctime>
#include <utility>

#include "evaluator/engine/request_encoding.hpp"
#include "merger/base/json_text.hpp"
#include "merger/recipe/text.hpp"
#include "server/evalserver/answers.hpp"
#include "server/evalserver/engine_thread.hpp"
#include "server/evalserver/request.hpp"
#include "server/http/http_server.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::evalserver {
namespace {

constexpr std::size_t kBodyLimit = 32U << 20;
constexpr unsigned kSpareThreads = 4;  // for what needs no engine

http::Response json_response(int status, const Json& body) {
  http::Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

const char* error_type(int status) {
  if (status == 401) return "authentication_error";
  if (status == 404) return "not_found_error";
  if (status == 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}

http::Response error_response(int status, const std::string& message,
                              const std::string& param = "") {
  Json error = {{"message", message},
                {"type", error_type(status)},
                {"param", param.empty() ? Json() : Json(param)},
                {"code", status}};
  http::Response response = json_response(status, {{"error", std::move(error)}});
  if (status == 429 || status == 503) response.set("Retry-After", "1");
  return response;
}

http::Response error_response(const Error& error) {
  int status = http::status_of(error.code);
  if (error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kUnsupported) {
    status = 400;
  }
  if (error.code == ErrorCode::kCorrupt) status = 500;  // of the model, not of the request
  if (error.code == ErrorCode::kCancelled) status = 503;
  return error_response(status, error.message,
                        error.faults.empty() ? "" : error.faults.front().path);
}

}  // namespace

struct EvalServer::Impl {
  Impl(engine::LanguageModel& model, engine::TokenModel& tokens, EvalServerOptions the_options)
      : options(std::move(the_options)),
        served{options.model_name, model, tokens},
        engine(options.waiting) {}

  // Runs `answer` on a parsed body; `on_engine` in line with others.
  using Answer = std::function<Result<Json>(const Json& body, const std::stop_token& stop)>;
  http::Response reply(const http::Request& request, bool on_engine, const Answer& answer) {
    if (auto refused = check_key(request)) return std::move(*refused);
    if (request.media_type() != "application/json") {
      return error_response(415, "the body must be application/json");
    }
    const Json body = parse_untrusted_json<Json>(request.body);
    if (body.is_discarded()) return error_response(400, "the body is not JSON");
    Result<Json> result = fail(ErrorCode::kCancelled, "the server is stopping");
    if (!on_engine) {
      result = answer(body, {});
    } else {
      const auto outcome =
          engine.run([&](const std::stop_token& stop) { result = answer(body, stop); });
      if (outcome == EngineThread::Outcome::kFull) {
        return error_response(429, std::to_string(options.waiting) +
                                       " requests are waiting already; try again later");
      }
    }
    return result ? json_response(200, *result) : error_response(result.error());
  }

  std::optional<http::Response> check_key(const http::Request& request) const {
    if (options.api_key.empty()) return std::nullopt;
    const std::string expected = "Bearer " + options.api_key;
    const std::string_view given = request.header("Authorization");
    const bool right = given.size() == expected.size() &&
                       CRYPTO_memcmp(given.data(), expected.data(), expected.size()) == 0;
    if (right) return std::nullopt;
    return error_response(401, "the API key is missing or wrong");
  }

  Status check_model(const std::string& name) const {
    if (name.empty() || name == served.name) return {};
    return fail(ErrorCode::kNotFound, "there is no model `" + recipe::printable(name) +
                                          "` here, only `" + served.name + "`");
  }

  template <typename Request>
  Result<Json> answer(Result<Request> request,
                      Result<Json> (*compute)(const ServedModel&, const Request&,
                                              const std::stop_token&),
                      const std::stop_token& stop) const {
    if (!request) return fail(std::move(request.error()));
    if (auto known = check_model(request->model); !known) return fail(std::move(known.error()));
    return compute(served, *request, stop);
  }

  Result<Json> tokenize(const Json& body) const {
    if (!body.is_object()) return fail(ErrorCode::kInvalidArgument, "the body must be an object");
    const auto& codec = served.tokens.codec();
    const Json special = body.value("add_special_tokens", Json(true));
    std::string text;
    if (body.contains("messages")) {
      const auto messages = read_messages(body["messages"]);
      if (!messages) return fail(messages.error());
      auto rendered = served.model.apply_chat_template(*messages, true);
      if (!rendered) return fail(std::move(rendered.error()));
      text = std::move(*rendered);
    } else if (body.contains("prompt") && body["prompt"].is_string()) {
      text = body["prompt"].get<std::string>();
    } else {
      return fail(ErrorCode::kInvalidArgument, "prompt must be text");
    }
    if (!special.is_boolean()) {
      return fail(ErrorCode::kInvalidArgument, "add_special_tokens must be true or false");
    }
    const auto ids = codec.encode(text, special.get<bool>());
    if (!ids) return fail(ids.error());
    return Json{{"count", ids->size()},
                {"max_model_len", served.model.description().context_length},
                {"tokens", *ids}};
  }

  Result<Json> detokenize(const Json& body) const {
    const auto wrong = [] {
      return fail(ErrorCode::kInvalidArgument, "tokens must be a list of token ids");
    };
    if (!body.is_object() || !body.contains("tokens") || !body["tokens"].is_array()) return wrong();
    std::vector<engine::TokenId> ids;
    for (const Json& id : body["tokens"]) {
      if (!id.is_number_unsigned() || id.get<std::uint64_t>() > 0x7FFFFFFFU) return wrong();
      ids.push_back(id.get<engine::TokenId>());
    }
    auto text = served.tokens.codec().decode(ids, false);
    if (!text) return fail(std::move(text.error()));
    return Json{{"prompt", std::move(*text)}};
  }

  Json tokenizer_info() const {
    const auto& codec = served.tokens.codec();
    const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
    return {{"tokenizer_class", "crucible"},
            {"bos_token", or_null(codec.bos_text())},
            {"eos_token", or_null(codec.eos_text())},
            {"pad_token", Json()},
            {"chat_template", or_null(served.model.chat_template())}};
  }

  Json models() const {
    return {
        {"object", "list"},
        {"data", Json::array({{{"id", served.name},
                               {"object", "model"},
                               {"created", started},
                               {"owned_by", "crucible"},
                               {"max_model_len", served.model.description().context_length}}})}};
  }

  http::Router routes() {
    http::Router router;
    const auto post = [&](const char* pattern, bool on_engine, Answer answer) {
      router.add("POST", pattern, http::Role::kPublic,
                 [this, on_engine, answer = std::move(answer)](const http::Request& request) {
                   return reply(request, on_engine, answer);
                 },
                 {kBodyLimit});
    };
    const auto get = [&](const char* pattern, std::function<Json()> answer) {
      router.add("GET", pattern, http::Role::kPublic,
                 [this, answer = std::move(answer)](const http::Request& request) {
                   if (auto refused = check_key(request)) return std::move(*refused);
                   return json_response(200, answer());
                 });
    };
    post("/v1/completions", true, [this](const Json& body, const std::stop_token& stop) {
      return answer(read_completion(body), answer_completion, stop);
    });
    post("/v1/chat/completions", true, [this](const Json& body, const std::stop_token& stop) {
      return answer(read_chat(body), answer_chat, stop);
    });
    post("/tokenize", false,
         [this](const Json& body, const std::stop_token&) { return tokenize(body); });
    post("/detokenize", false,
         [this](const Json& body, const std::stop_token&) { return detokenize(body); });
    get("/v1/models", [this] { return models(); });
    get("/tokenizer_info", [this] { return tokenizer_info(); });
    get("/health", [] { return Json::object(); });
    return router;
  }

  EvalServerOptions options;
  ServedModel served;
  std::int64_t started = static_cast<std::int64_t>(std::time(nullptr));
  std::unique_ptr<http::HttpServer> http;  // before the engine: its handlers wait for that
  EngineThread engine;
};

EvalServer::EvalServer() = default;
EvalServer::~EvalServer() { stop(); }

Result<std::unique_ptr<EvalServer>> EvalServer::create(engine::LanguageModel& model,
                                                       EvalServerOptions options) {
  engine::TokenModel* tokens = model.token_model();
  if (tokens == nullptr) {
    return fail(ErrorCode::kUnsupported,
                model.description().engine + " does not work on token ids; serve a local model");
  }
  std::unique_ptr<EvalServer> server(new EvalServer());
  server->impl_ = std::make_unique<Impl>(model, *tokens, std::move(options));
  return server;
}

Result<std::uint16_t> EvalServer::start() {
  http::ServerOptions edge;
  edge.address = impl_->options.address;
  edge.port = impl_->options.port;
  edge.handler_threads = static_cast<unsigned>(impl_->options.waiting) + kSpareThreads;
  edge.body_time = std::chrono::seconds(60);
  impl_->http = std::make_unique<http::HttpServer>(std::move(edge), impl_->routes());
  return impl_->http->start();
}

void EvalServer::stop() {
  if (!impl_) return;
  impl_->engine.stop();
  if (impl_->http) impl_->http->stop();
}

}  // namespace crucible::server::evalserver
