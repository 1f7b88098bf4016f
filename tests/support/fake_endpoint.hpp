#pragma once

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/fake_http_server.hpp"

// An endpoint with a made-up model: a token is a byte, and the log-probability of a byte depends on
// it and on the one before. What it gets wrong is up to the test.
namespace crucible::test {

class FakeEndpoint {
 public:
  using Json = nlohmann::ordered_json;
  // Called before the answer of the model; a reply with a status other than 0 is sent instead.
  using Fault = std::function<FakeReply(const FakeRequest&, const Json& body)>;
  // May spoil an answer.
  using Spoil = std::function<void(Json& answer, const Json& body)>;

  explicit FakeEndpoint(Fault fault = nullptr, Spoil spoil = nullptr)
      : fault_(std::move(fault)),
        spoil_(std::move(spoil)),
        server_([this](const FakeRequest& request) { return answer(request); }) {}

  static double logprob(int before, int token) {
    return -0.1 - static_cast<double>((before * 31 + token * 17) % 97) / 20.0;
  }
  // The most probable token behind `before`.
  static int best(int before) {
    int best = 0;
    for (int token = 1; token < 128; ++token) {
      if (logprob(before, token) > logprob(before, best)) best = token;
    }
    return best;
  }
  static double sum(const std::string& context, const std::string& continuation) {
    double sum = 0;
    std::string all = context;
    for (const char c : continuation) {
      sum += logprob(all.back(), c);
      all += c;
    }
    return sum;
  }

  FakeHttpServer& server() { return server_; }
  std::string url() const { return server_.url(); }
  bool has_tokenizer = true;
  bool has_chat = true;

 private:
  static FakeReply json(int status, const Json& body) {
    FakeReply reply;
    reply.status = status;
    reply.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
    return reply;
  }

  static std::string text_of(const Json& prompt) {
    if (prompt.is_string()) return prompt.get<std::string>();
    std::string text;
    for (const Json& id : prompt) text += static_cast<char>(id.get<int>());
    return text;
  }

  static Json choice(const Json& body, const std::string& prompt, std::size_t index) {
    const bool echo = body.value("echo", false);
    std::string text = prompt;
    for (int i = 0; i < body.value("max_tokens", 16); ++i) {
      text += static_cast<char>(best(text.back()));
    }
    Json tokens = Json::array(), values = Json::array(), tops = Json::array();
    for (std::size_t i = echo ? 0 : prompt.size(); i < text.size(); ++i) {
      const std::string token(1, text[i]);
      tokens.push_back(token);
      if (i == 0) {
        values.push_back(nullptr);
        tops.push_back(nullptr);
        continue;
      }
      const int top = best(text[i - 1]);
      values.push_back(logprob(text[i - 1], text[i]));
      tops.push_back({{std::string(1, static_cast<char>(top)), logprob(text[i - 1], top)}});
      tops.back()[token] = logprob(text[i - 1], text[i]);
    }
    Json logprobs;
    if (body.contains("logprobs")) {
      logprobs = {{"tokens", tokens}, {"token_logprobs", values}, {"top_logprobs", tops}};
    }
    return {{"index", index},
            {"text", echo ? text : text.substr(prompt.size())},
            {"logprobs", logprobs},
            {"finish_reason", "length"}};
  }

  FakeReply completions(const Json& body) const {
    std::vector<std::string> prompts;
    const Json& prompt = body["prompt"];
    if (prompt.is_array() && !prompt.empty() && prompt[0].is_array()) {
      for (const Json& one : prompt) prompts.push_back(text_of(one));
    } else {
      prompts.push_back(text_of(prompt));
    }
    Json choices = Json::array();
    std::size_t tokens = 0;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      choices.push_back(choice(body, prompts[i], i));
      tokens += prompts[i].size();
    }
    Json answer = {{"choices", choices},
                   {"usage",
                    {{"prompt_tokens", tokens},
                     {"completion_tokens", prompts.size() * body.value("max_tokens", 16U)}}}};
    if (spoil_) spoil_(answer, body);
    return json(200, answer);
  }

  FakeReply answer(const FakeRequest& request) const {
    const Json body = Json::parse(request.body, nullptr, false);
    if (fault_) {
      FakeReply reply = fault_(request, body);
      if (reply.status != 0) return reply;
    }
    if (request.target == "/v1/models") {
      return json(200, {{"data", {{{"id", "bytes"}, {"max_model_len", 256}}}}});
    }
    if (request.target == "/v1/completions") return completions(body);
    if (request.target == "/v1/chat/completions" && has_chat) {
      Json answer = {{"choices",
                      {{{"index", 0},
                        {"message", {{"role", "assistant"}, {"content", "Rating: [[7]]"}}},
                        {"finish_reason", "stop"}}}},
                     {"usage", {{"prompt_tokens", 5}, {"completion_tokens", 4}}}};
      if (spoil_) spoil_(answer, body);
      return json(200, answer);
    }
    if (request.target == "/tokenize" && has_tokenizer) {
      Json ids = Json::array();
      for (const char c : body["prompt"].get<std::string>())
        ids.push_back(static_cast<unsigned char>(c));
      return json(200, {{"tokens", ids}});
    }
    return json(404, {{"error", {{"message", "there is no such thing"}}}});
  }

  Fault fault_;
  Spoil spoil_;
  FakeHttpServer server_;
};

inline FakeReply no_fault() {
  FakeReply reply;
  reply.status = 0;
  return reply;
}

}  // namespace crucible::test
