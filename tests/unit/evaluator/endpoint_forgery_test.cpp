#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "evaluator/endpoint/http_connection.hpp"
#include "tests/support/fake_http_server.hpp"

// Whoever serves an endpoint, or its name, must not lead requests elsewhere or keep us for ever.
namespace crucible::endpoint {
namespace {

using std::chrono::milliseconds;
using test::FakeHttpServer;
using test::FakeReply;
using test::FakeRequest;

ConnectionOptions options_for(const std::string& url) {
  ConnectionOptions options;
  options.url = *parse_url(url);
  options.connect_time = milliseconds(300);
  options.answer_time = milliseconds(2'000);
  options.largest_answer = 1 << 20;
  return options;
}

FakeReply json_reply() {
  FakeReply reply;
  reply.body = "{}";
  return reply;
}

FakeReply redirect_to(const std::string& url) {
  FakeReply reply;
  reply.status = 302;
  reply.headers = "Location: " + url + "\r\n";
  return reply;
}

std::string port_of(const FakeHttpServer& server) { return parse_url(server.url())->port; }

ErrorCode failure_of(ConnectionOptions options) {
  HttpConnection connection(std::move(options));
  const auto answer = connection.request("/v1/models", "", {});
  return answer ? ErrorCode::kInternal : answer.error().code;
}

TEST(EndpointForgery, OddSpellingsOfPrivateAddressesAreRefused) {
  FakeHttpServer server([](const FakeRequest&) { return json_reply(); });
  for (const char* host :
       {"127.0.0.1", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0x7f000001", "localhost",
        "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]", "0", "0.0.0.0"}) {
    const std::string url = "http://" + std::string(host) + ":" + port_of(server) + "/v1";
    EXPECT_EQ(failure_of(options_for(url)), ErrorCode::kPermission) << host;
  }
  EXPECT_EQ(server.requests().size(), 0U);
  auto allowed = options_for("http://0x7f.1:" + port_of(server) + "/v1");
  allowed.allow_private = true;
  HttpConnection connection(std::move(allowed));
  EXPECT_TRUE(connection.request("/v1/models", "", {}));
}

TEST(EndpointForgery, OneBadAddressOfANameIsEnough) {
  FakeHttpServer server([](const FakeRequest&) { return json_reply(); });
  auto options = options_for("http://models.example:" + port_of(server) + "/v1");
  options.resolve = [](const std::string&) -> Result<std::vector<std::string>> {
    return std::vector<std::string>{"93.184.216.34", "127.0.0.1"};
  };
  EXPECT_EQ(failure_of(options), ErrorCode::kPermission);
  EXPECT_EQ(server.requests().size(), 0U);
}

TEST(EndpointForgery, TheAddressThatWasCheckedIsTheOneConnectedTo) {
  FakeHttpServer server([](const FakeRequest&) { return json_reply(); });
  auto asked = std::make_shared<std::atomic<int>>(0);
  auto options = options_for("http://models.example:" + port_of(server) + "/v1");
  // One question a connection: what changes afterwards does not matter.
  options.allow_private = true;
  options.resolve = [asked](const std::string&) -> Result<std::vector<std::string>> {
    return std::vector<std::string>{(*asked)++ == 0 ? "127.0.0.1" : "127.0.0.2"};
  };
  HttpConnection flipping(options);
  EXPECT_TRUE(flipping.request("/v1/models", "", {}));
  EXPECT_TRUE(flipping.request("/v1/models", "", {}));  // the connection is kept
  EXPECT_EQ(*asked, 1);
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST(EndpointForgery, RedirectsAreNotFollowed) {
  FakeHttpServer target([](const FakeRequest&) { return json_reply(); });
  FakeHttpServer server([&](const FakeRequest&) { return redirect_to(target.url()); });
  auto options = options_for(server.url());
  options.allow_private = true;
  HttpConnection connection(std::move(options));
  const auto answer = connection.request("/v1/models", "", {});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 302);
  EXPECT_EQ(target.requests().size(), 0U);
}

FakeReply raw_reply(const std::string& text) {
  FakeReply reply;
  reply.raw = text;
  return reply;
}

ErrorCode failure_with(const std::string& raw) {
  FakeHttpServer server([&](const FakeRequest&) { return raw_reply(raw); });
  auto options = options_for(server.url());
  options.allow_private = true;
  return failure_of(std::move(options));
}

TEST(EndpointForgery, LargeAnswersAreCutOff) {
  const std::string much(3 << 20, 'a');
  EXPECT_EQ(failure_with("HTTP/1.1 200 OK\r\nContent-Length: 3145728\r\n\r\n" + much),
            ErrorCode::kCorrupt);
  EXPECT_EQ(failure_with("HTTP/1.1 200 OK\r\n\r\n" + much), ErrorCode::kCorrupt) << "until the end";
  EXPECT_EQ(failure_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n300000\r\n" + much),
            ErrorCode::kCorrupt)
      << "a chunk";
  EXPECT_EQ(failure_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + much),
            ErrorCode::kCorrupt)
      << "a chunk's extension";
  EXPECT_EQ(failure_with("HTTP/1.1 200 OK\r\nX: " + much + "\r\n\r\n"), ErrorCode::kCorrupt)
      << "a header";
}

// Sends a byte every 20 ms for ever.
class Dripping {
 public:
  Dripping() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(listener_, 4);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/v1";
    thread_ = std::jthread([this](const std::stop_token& stop) { drip(stop); });
  }
  ~Dripping() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.request_stop();
    thread_.join();
    ::close(listener_);
  }
  Dripping(const Dripping&) = delete;
  Dripping& operator=(const Dripping&) = delete;
  const std::string& url() const { return url_; }

 private:
  void drip(const std::stop_token& stop) const {
    const int peer = ::accept(listener_, nullptr, nullptr);
    const std::string_view head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    ::send(peer, head.data(), head.size(), MSG_NOSIGNAL);
    while (!stop.stop_requested() && ::send(peer, "a", 1, MSG_NOSIGNAL) == 1) {
      std::this_thread::sleep_for(milliseconds(20));
    }
    ::close(peer);
  }
  int listener_;
  std::string url_;
  std::jthread thread_;
};

TEST(EndpointForgery, ASlowBodyHasOneDeadline) {
  const Dripping server;
  auto options = options_for(server.url());
  options.allow_private = true;
  options.answer_time = milliseconds(400);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(failure_of(std::move(options)), ErrorCode::kDeadline);
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(1'500));
}

}  // namespace
}  // namespace crucible::endpoint
