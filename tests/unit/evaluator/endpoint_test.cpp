#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "evaluator/endpoint/api_key.hpp"
#include "evaluator/endpoint/endpoint_client.hpp"
#include "evaluator/endpoint/endpoint_model.hpp"
#include "evaluator/endpoint/response_cache.hpp"
#include "evaluator/endpoint/url.hpp"
#include "evaluator/endpoint/wire.hpp"
#include "tests/support/endpoint_options.hpp"
#include "tests/support/fake_endpoint.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::endpoint {
namespace {

using std::chrono::milliseconds;
using test::FakeEndpoint;
using test::FakeRequest;
using test::options_for;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(EndpointUrl, IsTakenApart) {
  const auto plain = parse_url("http://127.0.0.1:8000/v1/");
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->text(), "http://127.0.0.1:8000/v1");
  EXPECT_EQ(plain->port, "8000");
  const auto six = parse_url("https://[::1]/v1");
  ASSERT_TRUE(six) << six.error().message;
  EXPECT_EQ(six->host, "::1");
  EXPECT_EQ(six->port, "443");
  EXPECT_EQ(six->authority(), "[::1]");
  for (const char* wrong : {"ftp://a/", "http://", "http://a:0/", "http://a:99999/", "http://a b/",
                            "http://[zz]/", "http://a/?q=1", "http://::1/", "http://a/#x"}) {
    EXPECT_FALSE(parse_url(wrong)) << wrong;
  }
  const auto secret = parse_url("http://me:hunter2@host/");
  ASSERT_FALSE(secret);
  EXPECT_THAT(secret.error().message, Not(HasSubstr("hunter2")));
}

TEST(EndpointUrl, PrivateAddressesAreKnown) {
  for (const char* address : {"127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1",
                              "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "fd00::1",
                              "fe80::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "224.0.0.1"}) {
    EXPECT_TRUE(is_private_address(address)) << address;
  }
  for (const char* address : {"8.8.8.8", "172.32.0.1", "2001:4860:4860::8888", "100.128.0.1"}) {
    EXPECT_FALSE(is_private_address(address)) << address;
  }
}

TEST(EndpointRetry, ReadsRetryAfter) {
  const auto now = std::chrono::system_clock::from_time_t(784111777);
  EXPECT_EQ(parse_retry_after("12", now), milliseconds(12'000));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now), milliseconds(10'000));
  EXPECT_EQ(parse_retry_after("Sunday, 06-Nov-94 08:49:47 GMT", now), milliseconds(10'000));
  EXPECT_EQ(parse_retry_after("Sun Nov  6 08:49:47 1994", now), milliseconds(10'000));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), milliseconds(0));
  // Past what a time_point holds.
  const auto far = parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", now);
  ASSERT_TRUE(far);
  EXPECT_GT(*far, std::chrono::hours(24 * 365 * 8000));
  for (const char* wrong : {"", "soon", "-1", "1.5", "Sun, 06 Nov 1994 08:49:47 GMTx"}) {
    EXPECT_FALSE(parse_retry_after(wrong, now)) << wrong;
  }
}

TEST(EndpointRetry, BacksOffWithJitter) {
  const RetrySettings settings;
  EXPECT_EQ(backoff_delay(settings, 1, 1.0), milliseconds(500));
  EXPECT_EQ(backoff_delay(settings, 1, 0.0), milliseconds(250));
  EXPECT_EQ(backoff_delay(settings, 3, 1.0), milliseconds(2000));
  EXPECT_EQ(backoff_delay(settings, 60, 1.0), milliseconds(30'000));
}

TEST(EndpointBudget, NeverPromisesMoreThanThereIs) {
  Budget budget({100, 0, 0, 0});
  ASSERT_TRUE(budget.reserve({50, 10}, {}));
  ASSERT_TRUE(budget.reserve({30, 10}, {}));
  budget.settle({50, 10}, {50, 2});
  budget.settle({30, 10}, {30, 1});
  const auto more = budget.reserve({20, 0}, {});
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, ErrorCode::kNoSpace);
  EXPECT_THAT(more.error().message, HasSubstr("80 prompt and 3 completion tokens"));
  EXPECT_TRUE(budget.reserve({17, 0}, {}));
}

TEST(EndpointBudget, CountsMoney) {
  Budget budget({0, 0.001, 2.0, 8.0});
  EXPECT_DOUBLE_EQ(budget.cost({1'000'000, 500'000}), 6.0);
  ASSERT_TRUE(budget.reserve({400, 0}, {}));
  budget.settle({400, 0}, {400, 0});
  EXPECT_FALSE(budget.reserve({101, 0}, {}));
  EXPECT_THAT(budget.spent_text(), HasSubstr("cost 0.0008"));
}

TEST(EndpointBudget, WaitsForWhatOthersGiveBack) {
  Budget budget({100, 0, 0, 0});
  ASSERT_TRUE(budget.reserve({90, 0}, {}));
  std::jthread other([&] {
    std::this_thread::sleep_for(milliseconds(30));
    budget.settle({90, 0}, {10, 0});
  });
  EXPECT_TRUE(budget.reserve({50, 0}, {}));
}

TEST(EndpointWire, ReadsBothShapesOfLogprobs) {
  const Json legacy = Json::parse(R"({"choices": [{"index": 0, "text": "ab", "logprobs": {
      "tokens": ["a", "b"], "token_logprobs": [null, -1.5], "top_logprobs": [null, {"c": -0.5, "b": -1.5}]}}]})");
  const auto a = read_choices(legacy, 1);
  ASSERT_TRUE(a) << a.error().message;
  EXPECT_FALSE((*a)[0].tokens[0].logprob);
  EXPECT_EQ((*a)[0].tokens[1].logprob, -1.5);
  EXPECT_EQ((*a)[0].tokens[1].best, -0.5);
  const Json content =
      Json::parse(R"({"choices": [{"index": 0, "text": "b", "logprobs": {"content": [
      {"token": "b", "logprob": -1.5, "top_logprobs": [{"token": "c", "logprob": -0.5}]}]}}]})");
  const auto b = read_choices(content, 1);
  ASSERT_TRUE(b) << b.error().message;
  EXPECT_EQ((*b)[0].tokens[0].text, "b");
  EXPECT_EQ((*b)[0].tokens[0].best, -0.5);
}

TEST(EndpointWire, RefusesNonsense) {
  for (const char* wrong :
       {R"({})", R"({"choices": []})", R"({"choices": [{"index": 7, "text": ""}]})",
        R"({"choices": [{"logprobs": {"token_logprobs": [0.5]}}]})",
        R"({"choices": [{"logprobs": {"token_logprobs": ["x"]}}]})",
        R"({"choices": [{"logprobs": {"token_logprobs": [1e999]}}]})",
        R"({"choices": [{"logprobs": {"else": 1}}]})", R"({"choices": [3]})", R"([])"}) {
    EXPECT_FALSE(read_choices(Json::parse(wrong, nullptr, false), 1)) << wrong;
  }
}

TEST(EndpointKey, GoesIntoOneFieldOnly) {
  ::setenv("CRUCIBLE_TEST_KEY", "sk-very-secret-123", 1);
  FakeEndpoint endpoint;
  EndpointOptions options = options_for(endpoint.url());
  options.api_key_env = "CRUCIBLE_TEST_KEY";
  ASSERT_TRUE(load_endpoint_model(options));
  for (const FakeRequest& request : endpoint.server().requests()) {
    EXPECT_THAT(request.head, HasSubstr("Authorization: Bearer sk-very-secret-123\r\n"));
    EXPECT_THAT(request.body, Not(HasSubstr("secret")));
    EXPECT_THAT(request.target, Not(HasSubstr("secret")));
  }
  EXPECT_FALSE(ApiKey::from_environment("CRUCIBLE_TEST_KEY_THAT_IS_NOT_SET"));
}

TEST(EndpointCache, SurvivesATornLine) {
  const test::ScratchFolder folder;
  const Digest one = ResponseCache::key("a", "b", "c");
  const Digest two = ResponseCache::key("a", "b", "d");
  {
    auto cache = ResponseCache::open(folder.path());
    ASSERT_TRUE(cache) << cache.error().message;
    ASSERT_TRUE(cache->store(one, "{\"x\":\n1}"));
    ASSERT_TRUE(cache->store(two, "{}"));
  }
  const auto file = folder.path() / "answers-000001.jsonl";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 5);
  auto cache = ResponseCache::open(folder.path());
  ASSERT_TRUE(cache) << cache.error().message;
  EXPECT_EQ(cache->find(one), "{\"x\":\n1}");
  EXPECT_FALSE(cache->find(two));
  ASSERT_TRUE(cache->store(two, "{}"));
  auto again = ResponseCache::open(folder.path());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->find(two), "{}");
}

TEST(EndpointCache, RefusesOtherFiles) {
  const test::ScratchFolder folder;
  std::ofstream(folder.path() / "answers-000001.jsonl") << "hello\n";
  const auto cache = ResponseCache::open(folder.path());
  ASSERT_FALSE(cache);
  EXPECT_EQ(cache.error().code, ErrorCode::kCorrupt);
}

TEST(EndpointOptionsTest, AllFaultsAtOnce) {
  EndpointOptions options = options_for("http://127.0.0.1:1/v1");
  options.concurrency = 0;
  options.batch_size = 9999;
  options.budget.cost = 5;
  const auto client = EndpointClient::create(options);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().faults.size(), 3U);
}

}  // namespace
}  // namespace crucible::endpoint
