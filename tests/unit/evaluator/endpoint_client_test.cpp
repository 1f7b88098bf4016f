#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "evaluator/endpoint/endpoint_client.hpp"
#include "tests/support/endpoint_options.hpp"
#include "tests/support/fake_endpoint.hpp"

namespace crucible::endpoint {
namespace {

using std::chrono::milliseconds;
using test::FakeEndpoint;
using test::FakePause;
using test::FakeReply;
using test::FakeRequest;
using test::no_fault;
using test::options_for;
using test::waits_of;
using ::testing::HasSubstr;
using ::testing::Not;

// A client of an endpoint whose n-th request to /v1/completions meets a fault.
class EndpointFaults : public ::testing::Test {
 protected:
  Result<Json> ask(const std::function<FakeReply(int)>& fault, EndpointOptions* used = nullptr) {
    std::atomic<int> number{0};
    FakeEndpoint endpoint([&](const FakeRequest&, const Json&) { return fault(++number); });
    EndpointOptions options = options_for(endpoint.url());
    if (used != nullptr) {
      const std::string url = options.url;
      options = *used;
      options.url = url;
      if (!options.pause) options.pause = std::make_shared<FakePause>();
    }
    auto client = EndpointClient::create(options);
    if (!client) return fail(client.error());
    auto answer =
        (*client)->ask({"/v1/completions", {{"prompt", "abc"}, {"max_tokens", 2}}, {3, 2}}, {});
    tries = number;
    waits = waits_of(options);
    return answer;
  }
  static FakeReply status(int code, const std::string& headers = "",
                          const std::string& body = "{}") {
    FakeReply reply;
    reply.status = code;
    reply.headers = headers;
    reply.body = body;
    return reply;
  }

  int tries = 0;
  std::vector<milliseconds> waits;
};

TEST_F(EndpointFaults, HonoursRetryAfter) {
  const auto answer = ask([](int n) {
    if (n == 1) return status(429, "Retry-After: 7\r\n");
    if (n == 2) return status(503, "Retry-After: Sun, 06 Nov 1994 08:49:57 GMT\r\n");
    return no_fault();
  });
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(tries, 3);
  EXPECT_THAT(waits, ::testing::ElementsAre(milliseconds(7'000), milliseconds(20'000)));
}

TEST_F(EndpointFaults, GivesUpAfterItsAttempts) {
  const auto answer =
      ask([](int) { return status(500, "", R"({"error": {"message": "no memory"}})"); });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("no memory"));
  EXPECT_THAT(answer.error().message, HasSubstr("6 tries"));
  EXPECT_EQ(tries, 6);
}

TEST_F(EndpointFaults, DoesNotWaitForHours) {
  const auto answer = ask([](int) { return status(429, "Retry-After: 86400\r\n"); });
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("86400 s"));
  EXPECT_EQ(tries, 1);
}

TEST_F(EndpointFaults, RetriesWhatWasCutOff) {
  const auto answer = ask([](int n) {
    FakeReply reply = no_fault();
    if (n < 3) {
      reply = status(200, "", R"({"choices": [{"text": "x"}]})");
      reply.cut_after = n == 1 ? 30 : 80;  // in the head, then in the body
    }
    return reply;
  });
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_GE(tries, 3);
}

TEST_F(EndpointFaults, RetriesWhatIsNoJson) {
  const auto answer =
      ask([](int n) { return n == 1 ? status(200, "", "<html>oops") : no_fault(); });
  ASSERT_TRUE(answer) << answer.error().message;
  const auto nan = ask([](int) { return status(200, "", R"({"x": NaN})"); });
  ASSERT_FALSE(nan);
  EXPECT_EQ(nan.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(nan.error().message, HasSubstr("NaN"));
}

TEST_F(EndpointFaults, DoesNotRepeatWhatIsWrong) {
  const auto answer =
      ask([](int) { return status(400, "", R"({"error": {"message": "too long"}})"); });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(answer.error().message, HasSubstr("too long"));
  EXPECT_EQ(tries, 1);
}

TEST_F(EndpointFaults, FollowsNoRedirect) {
  const auto answer = ask([](int) { return status(302, "Location: http://10.0.0.1/v1\r\n"); });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(answer.error().message, HasSubstr("10.0.0.1"));
  EXPECT_EQ(tries, 1);
}

TEST_F(EndpointFaults, HasADeadline) {
  EndpointOptions options;
  options.allow_private = true;
  options.answer_time = milliseconds(100);
  options.retry.attempts = 2;
  const auto answer = ask(
      [](int) {
        FakeReply reply = status(200);
        reply.delay = milliseconds(1500);
        return reply;
      },
      &options);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kDeadline);
  EXPECT_EQ(tries, 2);
}

TEST_F(EndpointFaults, RefusesHugeAnswers) {
  EndpointOptions options;
  options.allow_private = true;
  options.largest_answer = 10'000;
  const auto answer =
      ask([](int) { return status(200, "", "\"" + std::string(20'000, 'x') + "\""); }, &options);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(answer.error().message, HasSubstr("10000 bytes"));
}

TEST_F(EndpointFaults, SaysWhenItIsNoHttp) {
  const auto answer = ask([](int) {
    FakeReply reply;
    reply.raw = "SSH-2.0-OpenSSH\r\n\r\n";
    return reply;
  });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kCorrupt);
}

TEST_F(EndpointFaults, PrivateAddressesMustBeAsked) {
  EndpointOptions options;
  options.allow_private = false;
  const auto answer = ask([](int) { return no_fault(); }, &options);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kPermission);
  EXPECT_EQ(tries, 0);
}

TEST_F(EndpointFaults, NeverShowsTheKey) {
  ::setenv("CRUCIBLE_TEST_KEY", "sk-very-secret-123\n", 1);
  EndpointOptions options;
  options.allow_private = true;
  options.api_key_env = "CRUCIBLE_TEST_KEY";
  const auto answer = ask(
      [](int) {
        return status(401, "", R"({"error": {"message": "wrong key sk-very-secret-123 given"}})");
      },
      &options);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kPermission);
  EXPECT_THAT(answer.error().message, HasSubstr("***"));
  EXPECT_THAT(answer.error().message, Not(HasSubstr("secret")));
}

TEST(EndpointClientTest, KeepsRequestsInFlight) {
  FakeEndpoint endpoint([](const FakeRequest&, const Json&) {
    FakeReply reply;
    reply.body = "{}";
    reply.delay = milliseconds(30);
    return reply;
  });
  EndpointOptions options = options_for(endpoint.url());
  options.concurrency = 6;
  auto client = EndpointClient::create(options);
  ASSERT_TRUE(client);
  std::vector<Query> queries;
  for (int i = 0; i < 24; ++i) queries.push_back({"/v1/completions", {{"prompt", i}}, {}});
  std::atomic<int> answers{0};
  std::size_t shown = 0;
  engine::Call call;
  call.progress = [&](const Progress& progress) { shown = progress.done; };
  const auto asked = (*client)->ask_all(
      queries,
      [&](std::size_t, const Json&) {
        ++answers;
        return Status();
      },
      call);
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_EQ(answers, 24);
  EXPECT_EQ(shown, 24U);
  EXPECT_GE(endpoint.server().most_at_once(), 3);
  EXPECT_LE(endpoint.server().most_at_once(), 6);
}

TEST(EndpointClientTest, StopsWhenAsked) {
  FakeEndpoint endpoint([](const FakeRequest&, const Json&) {
    FakeReply reply;
    reply.body = "{}";
    reply.delay = milliseconds(5000);
    return reply;
  });
  EndpointOptions options = options_for(endpoint.url());
  options.answer_time = milliseconds(20'000);
  auto client = EndpointClient::create(options);
  ASSERT_TRUE(client);
  std::stop_source stop;
  engine::Call call;
  call.stop = stop.get_token();
  std::jthread other([&] {
    std::this_thread::sleep_for(milliseconds(50));
    stop.request_stop();
  });
  const auto begin = std::chrono::steady_clock::now();
  const auto asked = (*client)->ask_all(
      {{"/v1/completions", {{"prompt", 1}}, {}}}, [](std::size_t, const Json&) { return Status(); },
      call);
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().code, ErrorCode::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

}  // namespace
}  // namespace crucible::endpoint
