#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "evaluator/endpoint/endpoint_client.hpp"
#include "evaluator/endpoint/endpoint_model.hpp"
#include "tests/support/endpoint_options.hpp"
#include "tests/support/fake_endpoint.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::endpoint {
namespace {

using test::FakeEndpoint;
using test::FakeReply;
using test::FakeRequest;
using test::no_fault;
using test::options_for;
using ::testing::HasSubstr;

engine::Call never_bos() {
  engine::Call call;
  call.bos = engine::BosRule::kNever;
  return call;
}

const std::vector<engine::LoglikelihoodRequest> kRequests = {
    {"One and one is", " two"}, {"One and one is", " three"}, {"The sky is ", "blue"}};

TEST(EndpointModel, GivesTheServersLoglikelihoods) {
  for (const bool tokenizer : {true, false}) {
    FakeEndpoint endpoint;
    endpoint.has_tokenizer = tokenizer;
    auto model = load_endpoint_model(options_for(endpoint.url()));
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_TRUE((*model)->capabilities().prompt_logprobs);
    EXPECT_EQ((*model)->description().context_length, 256U);
    const auto results = (*model)->loglikelihood(kRequests, never_bos());
    ASSERT_TRUE(results) << results.error().message;
    for (std::size_t i = 0; i < kRequests.size(); ++i) {
      // The space at a context's end is the continuation's.
      const std::string& context = kRequests[i].context;
      const std::size_t cut = context.ends_with(' ') ? context.size() - 1 : context.size();
      EXPECT_NEAR((*results)[i].sum_logprob,
                  FakeEndpoint::sum(context.substr(0, cut),
                                    context.substr(cut) + kRequests[i].continuation),
                  1e-9)
          << i;
    }
    EXPECT_EQ((*results)[0].tokens, 4U);
    EXPECT_EQ((*results)[2].tokens, 5U);
  }
}

TEST(EndpointModel, BatchesAndKeepsTheOrder) {
  FakeEndpoint endpoint;
  EndpointOptions options = options_for(endpoint.url());
  options.batch_size = 7;
  options.concurrency = 5;
  auto model = load_endpoint_model(options);
  ASSERT_TRUE(model) << model.error().message;
  std::vector<engine::LoglikelihoodRequest> requests;
  for (int i = 0; i < 100; ++i) requests.push_back({"Item " + std::to_string(i), " is good"});
  const auto results = (*model)->loglikelihood(requests, never_bos());
  ASSERT_TRUE(results) << results.error().message;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_NEAR((*results)[i].sum_logprob,
                FakeEndpoint::sum(requests[i].context, requests[i].continuation), 1e-9);
  }
}

TEST(EndpointModel, CutsLongContextsFromTheLeft) {
  FakeEndpoint endpoint;
  auto model = load_endpoint_model(options_for(endpoint.url()));
  ASSERT_TRUE(model) << model.error().message;
  const std::string context(400, 'x');
  const auto results = (*model)->loglikelihood(
      std::vector<engine::LoglikelihoodRequest>{{context, " end"}}, never_bos());
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_TRUE((*results)[0].truncated);
  const auto last = Json::parse(endpoint.server().requests().back().body);
  EXPECT_EQ(last["prompt"][0].size(), 255U);  // and one token is generated: 256
}

TEST(EndpointModel, GeneratesAndCutsAtStopStrings) {
  FakeEndpoint endpoint(nullptr, [](Json& answer, const Json& body) {
    if (body.value("max_tokens", 0) == 20) answer["choices"][0]["text"] = "forty two. Next";
  });
  auto model = load_endpoint_model(options_for(endpoint.url()));
  ASSERT_TRUE(model) << model.error().message;
  engine::GenerationRequest request{"Question", {}, {}, 3};
  request.settings.until = {".", "Next"};
  request.settings.max_new_tokens = 20;
  request.settings.seed = 5;
  const auto results =
      (*model)->generate(std::vector<engine::GenerationRequest>{request}, never_bos());
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_EQ((*results)[0].text, "forty two");
  EXPECT_EQ((*results)[0].stop, engine::StopReason::kStopString);
  const auto body = Json::parse(endpoint.server().requests().back().body);
  EXPECT_EQ(body["temperature"], 0.0);
  EXPECT_EQ(body["seed"], 8);
  EXPECT_EQ(body["stop"].size(), 2U);
}

TEST(EndpointModel, SendsConversationsAsMessages) {
  FakeEndpoint endpoint;
  auto model = load_endpoint_model(options_for(endpoint.url()));
  ASSERT_TRUE(model) << model.error().message;
  const std::vector<engine::ChatMessage> messages = {{"user", "Rate this."}};
  engine::GenerationRequest request{"", messages, {}, 0};
  const auto results =
      (*model)->generate(std::vector<engine::GenerationRequest>{request}, engine::Call());
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_EQ((*results)[0].text, "Rating: [[7]]");
  EXPECT_EQ(endpoint.server().requests().back().target, "/v1/chat/completions");
}

// What a server does wrong, and the word that the reason holds.
struct Liar {
  const char* name;
  FakeEndpoint::Spoil spoil;
  const char* reason;
};

TEST(EndpointProbe, RefusesServersWithoutPromptLogprobs) {
  const auto entries = [](Json& answer) -> Json& { return answer["choices"][0]["logprobs"]; };
  const std::vector<Liar> liars = {
      {"generated tokens only",
       [&](Json& answer, const Json& body) {
         if (!body.contains("echo")) return;
         answer["choices"][0]["logprobs"] = {
             {"content", {{{"token", "x"}, {"logprob", -1}, {"top_logprobs", Json::array()}}}}};
         answer["choices"][0]["text"] = "x";
       },
       "1 log-probabilities for a prompt"},
      {"no logprobs",
       [&](Json& answer, const Json&) { answer["choices"][0]["logprobs"] = nullptr; },
       "no log-probabilities"},
      {"all zero",
       [&](Json& answer, const Json& body) {
         if (!body.contains("echo")) return;
         for (auto& value : entries(answer)["token_logprobs"]) {
           if (!value.is_null()) value = 0.0;
         }
       },
       "zero"},
      {"first not null",
       [&](Json& answer, const Json& body) {
         if (body.contains("echo")) entries(answer)["token_logprobs"][0] = -2.0;
       },
       "first token"},
      {"no top",
       [&](Json& answer, const Json& body) {
         if (body.contains("echo")) entries(answer).erase("top_logprobs");
       },
       "most probable"},
      {"depends on what follows",
       [&](Json& answer, const Json& body) {
         if (!body.contains("echo")) return;
         for (auto& value : entries(answer)["token_logprobs"]) {
           if (!value.is_null()) {
             value = value.get<double>() - static_cast<double>(body["prompt"].size());
           }
         }
       },
       "more text follows"},
      {"another tokenizer",
       [&](Json& answer, const Json& body) {
         if (body.contains("echo")) answer["choices"][0]["text"] = "something else entirely";
       },
       "tokenizer"}};
  for (const Liar& liar : liars) {
    FakeEndpoint endpoint(nullptr, liar.spoil);
    auto model = load_endpoint_model(options_for(endpoint.url()));
    ASSERT_TRUE(model) << liar.name << ": " << model.error().message;
    EXPECT_FALSE((*model)->capabilities().prompt_logprobs) << liar.name;
    const auto refused = (*model)->loglikelihood(kRequests, engine::Call());
    ASSERT_FALSE(refused) << liar.name;
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported) << liar.name;
    EXPECT_THAT(refused.error().message, HasSubstr(liar.reason)) << liar.name;
  }
}

TEST(EndpointProbe, AcceptsOtherShapeOfTheSameNumbers) {
  FakeEndpoint endpoint(nullptr, [](Json& answer, const Json& body) {
    if (!body.contains("echo")) return;
    for (Json& choice : answer["choices"]) {
      Json content = Json::array();
      const Json old = choice["logprobs"];
      for (std::size_t i = 0; i < old["tokens"].size(); ++i) {
        Json top = Json::array();
        for (const auto& [token, value] : old["top_logprobs"][i].items()) {
          top.push_back({{"token", token}, {"logprob", value}});
        }
        content.push_back({{"token", old["tokens"][i]},
                           {"logprob", old["token_logprobs"][i]},
                           {"top_logprobs", top}});
      }
      choice["logprobs"] = {{"content", content}};
    }
  });
  auto model = load_endpoint_model(options_for(endpoint.url()));
  ASSERT_TRUE(model) << model.error().message;
  const auto results = (*model)->loglikelihood(kRequests, never_bos());
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_NEAR((*results)[0].sum_logprob, FakeEndpoint::sum("One and one is", " two"), 1e-9);
}

TEST(EndpointProbe, ChatOnlyServersHaveNoLoglikelihoods) {
  FakeEndpoint endpoint([](const FakeRequest& request, const Json&) {
    FakeReply reply = no_fault();
    if (request.target == "/v1/completions") reply.status = 404;
    return reply;
  });
  auto model = load_endpoint_model(options_for(endpoint.url()));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_FALSE((*model)->capabilities().prompt_logprobs);
  EXPECT_TRUE((*model)->capabilities().chat);
  engine::GenerationRequest text{"plain text", {}, {}, 0};
  const auto refused =
      (*model)->generate(std::vector<engine::GenerationRequest>{text}, engine::Call());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("chat template"));
}

TEST(EndpointProbe, NamesTheModelsThereAre) {
  FakeEndpoint endpoint;
  EndpointOptions options = options_for(endpoint.url());
  options.model_name = "other";
  const auto model = load_endpoint_model(options);
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("bytes"));
}

TEST(EndpointClientTest, StopsCleanlyWhenTheBudgetIsSpentAndGoesOnFromWhatWasKept) {
  const test::ScratchFolder folder;
  FakeEndpoint endpoint;
  EndpointOptions options = options_for(endpoint.url());
  options.cache = folder.path() / "answers";
  options.concurrency = 1;
  std::vector<engine::LoglikelihoodRequest> requests;
  for (int i = 0; i < 20; ++i) requests.push_back({"Item number " + std::to_string(i), " is good"});
  std::size_t paid = 0;
  {
    options.budget.tokens = 550;
    auto model = load_endpoint_model(options);
    ASSERT_TRUE(model) << model.error().message;
    const auto stopped = (*model)->loglikelihood(requests, never_bos());
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, ErrorCode::kNoSpace);
    EXPECT_THAT(stopped.error().message, HasSubstr("the budget is spent"));
    paid = endpoint.server().count("/v1/completions");
    EXPECT_GT(paid, 6U);
    EXPECT_LT(paid, 23U);
    EXPECT_LE((*model)->account().prompt_tokens_asked + (*model)->account().tokens_generated, 550U);
  }
  options.budget.tokens = 0;
  auto model = load_endpoint_model(options);
  ASSERT_TRUE(model) << model.error().message;
  const std::size_t probes = endpoint.server().count("/v1/completions") - paid;
  const auto results = (*model)->loglikelihood(requests, never_bos());
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_NEAR((*results)[19].sum_logprob, FakeEndpoint::sum("Item number 19", " is good"), 1e-9);
  // Each request was paid for once, and the probes of each start.
  EXPECT_EQ(endpoint.server().count("/v1/completions"), 20U + 2 * probes);
}

TEST(EndpointCache, AnswersOfAnotherModelBehindTheSameNameDoNotCount) {
  const test::ScratchFolder folder;
  std::atomic<double> shift{0};
  FakeEndpoint endpoint(nullptr, [&](Json& answer, const Json&) {
    for (Json& choice : answer["choices"]) {
      if (choice["logprobs"].is_null()) continue;
      for (auto& value : choice["logprobs"]["token_logprobs"]) {
        if (!value.is_null()) value = value.get<double>() - shift;
      }
    }
  });
  EndpointOptions options = options_for(endpoint.url());
  options.cache = folder.path();
  const auto first = [&] {
    auto model = load_endpoint_model(options);
    EXPECT_TRUE(model);
    return (*model)->loglikelihood(kRequests, never_bos())->front().sum_logprob;
  };
  const double before = first();
  shift = 0.5;
  EXPECT_NEAR(first(), before - 4 * 0.5, 1e-9);
  shift = 0;
  EXPECT_NEAR(first(), before, 1e-9);
}

TEST(EndpointModel, MalformedAnswersAreNotKept) {
  std::atomic<bool> broken{false};
  FakeEndpoint endpoint(nullptr, [&](Json& answer, const Json& body) {
    if (broken && body.contains("echo"))
      answer["choices"][0]["logprobs"]["token_logprobs"].erase(0);
    if (broken && body.contains("echo"))
      answer["choices"][0]["logprobs"]["token_logprobs"].erase(0);
  });
  auto model = load_endpoint_model(options_for(endpoint.url()));
  ASSERT_TRUE(model) << model.error().message;
  broken = true;
  const auto wrong = (*model)->loglikelihood(kRequests, never_bos());
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kCorrupt);
  broken = false;
  EXPECT_TRUE((*model)->loglikelihood(kRequests, never_bos()));
}

}  // namespace
}  // namespace crucible::endpoint
