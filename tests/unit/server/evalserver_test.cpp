#include "server/evalserver/eval_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "evaluator/endpoint/endpoint_model.hpp"
#include "evaluator/engine/llama_model.hpp"
#include "evaluator/engine/token_model.hpp"
#include "server/evalserver/engine_thread.hpp"
#include "server/evalserver/request.hpp"
#include "tests/support/raw_client.hpp"

namespace crucible::server::evalserver {
namespace {

using ::testing::HasSubstr;

const std::filesystem::path kModel =
    std::filesystem::path(CRUCIBLE_SOURCE_DIR) / "deploy/demo-family/sums";

// The demo family's model behind a server of its own.
class EvalServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto model = engine::load_llama_model(kModel, {});
    ASSERT_TRUE(model) << model.error().message;
    model_ = std::move(*model);
    EvalServerOptions options;
    options.port = 0;
    options.model_name = "sums";
    auto server = EvalServer::create(*model_, options);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    const auto port = server_->start();
    ASSERT_TRUE(port) << port.error().message;
    port_ = *port;
  }
  void TearDown() override { server_->stop(); }

  std::string exchange(const std::string& method, const std::string& path, const std::string& body,
                       const std::string& type = "application/json") {
    test::RawClient client(port_);
    client.send(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
                (body.empty() ? "" : "Content-Type: " + type + "\r\n") +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.read_to_end(std::chrono::seconds(20));
  }
  static int status_of(const std::string& reply) { return std::stoi(reply.substr(9, 3)); }
  static Json body_of(const std::string& reply) {
    return Json::parse(reply.substr(reply.find("\r\n\r\n") + 4), nullptr, false);
  }
  Json post(const std::string& path, const Json& body) {
    return body_of(exchange("POST", path, body.dump()));
  }

  std::unique_ptr<engine::LanguageModel> model_;
  std::unique_ptr<EvalServer> server_;
  std::uint16_t port_ = 0;
};

TEST_F(EvalServerTest, OurClientGetsTheEnginesNumbers) {
  const std::vector<engine::LoglikelihoodRequest> requests = {
      {"Question: 2 + 3 = ?\nAnswer:", " 5"},
      {"Question: 2 + 3 = ?\nAnswer:", " 6"},
      {"The dog ", "is big"},
      {"", "An apple"},
      {std::string(2000, 'a') + " b", " c"}};
  engine::Call call;
  auto direct = model_->loglikelihood(std::span(requests).first(4), call);
  ASSERT_TRUE(direct) << direct.error().message;
  for (const bool own_tokenizer : {true, false}) {
    endpoint::EndpointOptions options;
    options.url = "http://127.0.0.1:" + std::to_string(port_) + "/v1";
    options.allow_private = true;
    options.batch_size = 3;
    if (own_tokenizer) options.tokenizer = kModel;
    auto remote = endpoint::load_endpoint_model(options);
    ASSERT_TRUE(remote) << remote.error().message;
    ASSERT_TRUE((*remote)->capabilities().prompt_logprobs)
        << (*remote)->capabilities().why_no_logprobs;
    auto results = (*remote)->loglikelihood(requests, call);
    ASSERT_TRUE(results) << results.error().message;
    for (std::size_t i = 0; i < direct->size(); ++i) {
      EXPECT_NEAR((*results)[i].sum_logprob, (*direct)[i].sum_logprob, 1e-5) << i;
      EXPECT_EQ((*results)[i].is_greedy, (*direct)[i].is_greedy) << i;
      EXPECT_EQ((*results)[i].tokens, (*direct)[i].tokens) << i;
    }
    EXPECT_TRUE((*results)[4].truncated);
    const std::vector<engine::RollingRequest> texts = {{"The dog is big and the cat is small."}};
    const auto rolling = (*remote)->loglikelihood_rolling(texts, call);
    const auto expected = model_->loglikelihood_rolling(texts, call);
    ASSERT_TRUE(rolling) << rolling.error().message;
    EXPECT_NEAR((*rolling)[0].sum_logprob, (*expected)[0].sum_logprob, 1e-5);
    engine::GenerationRequest prompt{"Question: 2 + 3 = ?\nAnswer:", {}, {}, 0};
    prompt.settings.max_new_tokens = 12;
    prompt.settings.until = {"\n"};
    const std::vector<engine::GenerationRequest> prompts = {prompt};
    const auto texts_there = (*remote)->generate(prompts, call);
    const auto texts_here = model_->generate(prompts, call);
    ASSERT_TRUE(texts_there) << texts_there.error().message;
    EXPECT_EQ((*texts_there)[0].text, (*texts_here)[0].text);
  }
}

TEST_F(EvalServerTest, EchoHasOneEntryForEachToken) {
  const auto ids = model_->token_model()->codec().encode("The dog is big", false);
  ASSERT_TRUE(ids);
  const Json answer = post("/v1/completions", {{"model", "sums"},
                                               {"prompt", {*ids, *ids}},
                                               {"echo", true},
                                               {"logprobs", 2},
                                               {"max_tokens", 1},
                                               {"temperature", 0}});
  ASSERT_EQ(answer["choices"].size(), 2U) << answer.dump();
  const Json& logprobs = answer["choices"][1]["logprobs"];
  EXPECT_EQ(logprobs["tokens"].size(), ids->size() + 1);
  EXPECT_TRUE(logprobs["token_logprobs"][0].is_null());
  EXPECT_TRUE(logprobs["top_logprobs"][0].is_null());
  for (std::size_t i = 1; i < ids->size(); ++i) {
    EXPECT_LT(logprobs["token_logprobs"][i].get<double>(), 0);
    double best = -1e9;
    for (const auto& [token, value] : logprobs["top_logprobs"][i].items()) {
      best = std::max(best, value.get<double>());
    }
    EXPECT_GE(best, logprobs["token_logprobs"][i].get<double>());
    EXPECT_GE(logprobs["top_logprobs"][i].size(), 2U);
  }
  EXPECT_THAT(answer["choices"][1]["text"].get<std::string>(), HasSubstr("The dog is big"));
  EXPECT_EQ(answer["usage"]["prompt_tokens"], 2 * ids->size());
  EXPECT_EQ(answer["usage"]["completion_tokens"], 2);
}

TEST_F(EvalServerTest, TheTokenReadFromScoresIsTheOneThatIsGenerated) {
  const Json request = {{"prompt", "The dog is"}, {"max_tokens", 1}, {"temperature", 0}};
  Json scored = request;
  scored["logprobs"] = 1;
  const Json plain = post("/v1/completions", request);
  const Json with_scores = post("/v1/completions", scored);
  EXPECT_EQ(plain["choices"][0]["text"], with_scores["choices"][0]["text"]);
  EXPECT_EQ(plain["choices"][0]["finish_reason"], with_scores["choices"][0]["finish_reason"]);
  EXPECT_EQ(with_scores["choices"][0]["logprobs"]["tokens"].size(), 1U);
}

TEST_F(EvalServerTest, SeedsAndChoices) {
  const Json request = {{"prompt", "The"}, {"max_tokens", 12}, {"temperature", 1.5},
                        {"seed", 3},       {"n", 4},           {"logprobs", 1}};
  const Json one = post("/v1/completions", request);
  const Json two = post("/v1/completions", request);
  ASSERT_EQ(one["choices"].size(), 4U) << one.dump();
  EXPECT_EQ(one["choices"], two["choices"]);
  EXPECT_NE(one["choices"][0]["text"], one["choices"][1]["text"]);
  EXPECT_EQ(one["choices"][0]["logprobs"]["tokens"].size(),
            one["choices"][0]["logprobs"]["token_logprobs"].size());
}

TEST_F(EvalServerTest, MaxTokensMayBeZero) {
  const Json answer =
      post("/v1/completions",
           {{"prompt", "The dog is big"}, {"echo", true}, {"logprobs", 1}, {"max_tokens", 0}});
  const Json& choice = answer["choices"][0];
  EXPECT_EQ(choice["text"], "The dog is big");
  EXPECT_EQ(choice["logprobs"]["tokens"].size(),
            answer["usage"]["prompt_tokens"].get<std::size_t>());
  EXPECT_EQ(answer["usage"]["completion_tokens"], 0);
}

TEST_F(EvalServerTest, TokenizerEndpoints) {
  const Json tokens = post("/tokenize", {{"prompt", "The dog"}, {"add_special_tokens", false}});
  ASSERT_TRUE(tokens["tokens"].is_array()) << tokens.dump();
  const Json text = post("/detokenize", {{"tokens", tokens["tokens"]}});
  EXPECT_EQ(text["prompt"], "The dog");
  const Json info = body_of(exchange("GET", "/tokenizer_info", ""));
  EXPECT_EQ(info["eos_token"], "<|endoftext|>");
  const Json models = body_of(exchange("GET", "/v1/models", ""));
  EXPECT_EQ(models["data"][0]["id"], "sums");
  EXPECT_EQ(models["data"][0]["max_model_len"], 256);
}

TEST_F(EvalServerTest, RefusesWhatItDoesNotOffer) {
  const std::vector<std::pair<Json, const char*>> wrong = {
      {{{"prompt", "a"}, {"stream", true}}, "stream"},
      {{{"prompt", "a"}, {"logit_bias", {{"5", 1}}}}, "logit_bias"},
      {{{"prompt", "a"}, {"presence_penalty", 0.5}}, "presence_penalty"},
      {{{"max_tokens", 3}}, "prompt"},
      {{{"prompt", Json::array()}}, "prompt"},
      {{{"prompt", {1, -2}}}, "prompt"},
      {{{"prompt", {1, 99999}}}, "99999"},
      {{{"prompt", "a"}, {"max_tokens", 300}}, "maximum context length"},
      {{{"prompt", "a"}, {"temperature", -1}}, "temperature"},
      {{{"prompt", "a"}, {"n", 0}}, "n "},
      {{{"prompt", "a"}, {"stop", 5}}, "stop"},
      {{{"prompt", "a"}, {"logprobs", 1000}}, "logprobs"},
      {{{"prompt", ""}, {"model", 7}}, "model"}};
  for (const auto& [body, word] : wrong) {
    const std::string reply = exchange("POST", "/v1/completions", body.dump());
    EXPECT_EQ(status_of(reply), 400) << body.dump() << reply;
    EXPECT_THAT(body_of(reply)["error"]["message"].get<std::string>(), HasSubstr(word));
  }
  EXPECT_EQ(status_of(exchange("POST", "/v1/completions", "{\"prompt\":")), 400);
  EXPECT_EQ(status_of(exchange("POST", "/v1/completions", std::string(100'000, '['))), 400);
  EXPECT_EQ(status_of(exchange("POST", "/v1/completions", "{}", "text/plain")), 415);
  EXPECT_EQ(status_of(exchange("POST", "/v1/completions", R"({"prompt":"a","model":"b"})")), 404);
  EXPECT_EQ(status_of(exchange("GET", "/v1/nothing", "")), 404);
}

TEST(EvalServerKey, IsAskedForEverywhere) {
  auto model = engine::load_llama_model(kModel, {});
  ASSERT_TRUE(model) << model.error().message;
  EvalServerOptions options;
  options.port = 0;
  options.model_name = "sums";
  options.api_key = "sesame";
  auto server = EvalServer::create(**model, options);
  ASSERT_TRUE(server);
  const auto port = (*server)->start();
  ASSERT_TRUE(port);
  for (const auto& [key, status] : {std::pair("", "401"),
                                    {"Authorization: Bearer open\r\n", "401"},
                                    {"Authorization: Bearer sesame\r\n", "200"}}) {
    test::RawClient client(*port);
    client.send("GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
                std::string(key) + "\r\n");
    EXPECT_EQ(client.read_to_end().substr(9, 3), status);
  }
}

TEST(EngineThreadTest, HasABoundAndStops) {
  EngineThread engine(1);
  std::mutex mutex;
  std::condition_variable_any changed;
  bool go = false;
  bool started = false;
  std::jthread first([&] {
    engine.run([&](const std::stop_token&) {
      std::unique_lock lock(mutex);
      started = true;
      changed.notify_all();
      changed.wait(lock, [&] { return go; });
    });
  });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return started; });
  }
  // Of two more one may wait, whichever comes first.
  std::atomic<int> full{0};
  const auto ask = [&] {
    if (engine.run([](const std::stop_token&) {}) == EngineThread::Outcome::kFull) ++full;
  };
  std::jthread second(ask);
  std::jthread third(ask);
  while (full == 0) std::this_thread::yield();
  {
    const std::lock_guard lock(mutex);
    go = true;
  }
  changed.notify_all();
  first.join();
  second.join();
  third.join();
  EXPECT_EQ(full, 1);
  engine.stop();
  EXPECT_EQ(engine.run([](const std::stop_token&) {}), EngineThread::Outcome::kStopped);
}

TEST(EvalServerRequest, ReadsPromptsOfEveryKind) {
  for (const auto& [prompt, count] : std::vector<std::pair<const char*, std::size_t>>{
           {R"("a")", 1}, {R"(["a", "b"])", 2}, {"[1, 2, 3]", 1}, {"[[1], [2], [3]]", 3}}) {
    const auto request = read_completion({{"prompt", Json::parse(prompt)}});
    ASSERT_TRUE(request) << prompt << request.error().message;
    EXPECT_EQ(request->prompts.size(), count) << prompt;
  }
  for (const char* prompt : {R"([1, "a"])", "[[1], []]", "[]", "7", "[[[1]]]", "[1.5]"}) {
    EXPECT_FALSE(read_completion({{"prompt", Json::parse(prompt)}})) << prompt;
  }
  const auto chat = read_chat(
      {{"messages",
        {{{"role", "user"},
          {"content", {{{"type", "text"}, {"text", "a"}}, {{"type", "text"}, {"text", "b"}}}}}}}});
  ASSERT_TRUE(chat) << chat.error().message;
  EXPECT_EQ(chat->messages[0].content, "ab");
  EXPECT_FALSE(
      read_chat({{"messages", {{{"role", "user"}, {"content", {{{"type", "image_url"}}}}}}}}));
  EXPECT_FALSE(read_chat({{"messages", Json::array()}}));
}

}  // namespace
}  // namespace crucible::server::evalserver
