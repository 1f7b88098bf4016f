#include "server/http/http_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <ctime>
#include <mutex>
#include <thread>

#include "tests/support/raw_client.hpp"

namespace crucible::server::http {
namespace {

using namespace std::chrono_literals;
using test::RawClient;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Response text_response(std::string text) {
  Response response;
  response.content_type = "text/plain";
  response.body = std::move(text);
  return response;
}

// Yields "tick N" while `limit` allows, then ends.
class Ticks final : public EventSource {
 public:
  Ticks(const std::atomic<std::uint64_t>& sequence, std::uint64_t limit)
      : sequence_(sequence), limit_(limit) {}
  std::uint64_t sequence() const override { return sequence_; }
  Result<Step> next() override {
    Step step;
    while (sent_ < sequence_ && sent_ < limit_) {
      step.text += "data: tick " + std::to_string(++sent_) + "\n\n";
    }
    step.end = sent_ == limit_;
    return step;
  }

 private:
  const std::atomic<std::uint64_t>& sequence_;
  std::uint64_t limit_;
  std::uint64_t sent_ = 0;
};

class HttpServerTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.port = 0;
    options_.header_time = 400ms;
    options_.idle_time = 600ms;
    options_.body_time = 400ms;
    options_.stream_poll = 20ms;
    options_.heartbeat = 150ms;
    options_.stop_time = 2s;
    options_.bytes_per_second = 1 << 20;
  }

  void start() {
    Router router;
    router.add("GET", "/hello", Role::kPublic,
               [](const Request&) { return text_response("hello"); });
    router.add("GET", "/item/{id}", Role::kPublic,
               [](const Request& request) { return text_response(request.path_value("id")); });
    router.add("POST", "/echo", Role::kPublic,
               [](const Request& request) { return text_response(request.body); },
               {.body_limit = 1000});
    router.add("GET", "/boom", Role::kPublic,
               [](const Request&) -> Response { throw std::runtime_error("boom"); });
    router.add("GET", "/slow", Role::kPublic, [this](const Request&) {
      ++slow_calls_;
      std::this_thread::sleep_for(slow_time_);
      return text_response("slow");
    });
    router.add("GET", "/ticks", Role::kPublic, [this](const Request&) {
      Response response;
      response.events = std::make_unique<Ticks>(sequence_, 3);
      return response;
    });
    router.add("GET", "/etag", Role::kPublic, [](const Request&) {
      Response response = text_response("tagged");
      response.set("ETag", "\"abc\"");
      return response;
    });
    server_ = std::make_unique<HttpServer>(options_, std::move(router));
    const auto port = server_->start();
    ASSERT_TRUE(port.has_value()) << describe(port.error());
    port_ = *port;
  }

  // Sends the bytes and returns everything until the server closes.
  std::string exchange(std::string_view text) {
    RawClient client(port_);
    client.send(text);
    client.shutdown_send();
    return client.read_to_end();
  }

  ServerOptions options_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<int> slow_calls_{0};
  std::chrono::milliseconds slow_time_{200};
};

constexpr std::string_view kHost = "Host: localhost\r\n";

std::string get(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\n" + std::string(kHost) + std::string(more) +
         "\r\n";
}
std::string post(std::string_view more, std::string_view body) {
  return "POST /echo HTTP/1.1\r\n" + std::string(kHost) + std::string(more) + "\r\n" +
         std::string(body);
}

struct Row {
  std::string_view name;
  std::string request;
  std::string_view status;
};

TEST_F(HttpServerTest, PolicyTable) {
  std::mutex mutex;
  std::vector<AccessRecord> records;
  options_.on_access = [&](const AccessRecord& record) {
    const std::lock_guard lock(mutex);
    records.push_back(record);
  };
  start();
  const std::string many = [] {
    std::string out;
    for (int i = 0; i < 65; ++i) out += "x" + std::to_string(i) + ": 1\r\n";
    return out;
  }();
  const std::string smuggled = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::vector<Row> rows = {
      {"te gzip alone", post("Transfer-Encoding: gzip\r\n", smuggled), "400"},
      {"te xchunked with length",
       post("Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n", "hi"), "400"},
      {"te list", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "400"},
      {"te twice",
       post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400"},
      {"te and cl", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
       "400"},
      {"cl and te", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
       "400"},
      {"chunked in 1.0",
       "POST /echo HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "400"},
      {"equal lengths twice", post("Content-Length: 2\r\nContent-Length: 2\r\n", "hi"), "400"},
      {"different lengths", post("Content-Length: 2\r\nContent-Length: 3\r\n", "hiy"), "400"},
      {"length list", post("Content-Length: 2, 2\r\n", "hi"), "400"},
      {"negative length", post("Content-Length: -2\r\n", "hi"), "400"},
      {"signed length", post("Content-Length: +2\r\n", "hi"), "400"},
      {"no host", "GET /hello HTTP/1.1\r\n\r\n", "400"},
      {"no host in 1.0", "GET /hello HTTP/1.0\r\n\r\n", "400"},
      {"two hosts", "GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "400"},
      {"foreign host", "GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421"},
      {"host with path", "GET /hello HTTP/1.1\r\nHost: localhost/x\r\n\r\n", "400"},
      {"empty host", "GET /hello HTTP/1.1\r\nHost:\r\n\r\n", "400"},
      {"folded", get("/hello", "X-A: 1\r\n  2\r\n"), "400"},
      {"bare lf", "GET /hello HTTP/1.1\nHost: localhost\n\n", "400"},
      {"bare lf in a line", "GET /hello HTTP/1.1\r\nHost: localhost\nX: 1\r\n\r\n", "400"},
      {"nul", get("/hello", std::string_view("X: a\0b\r\n", 8)), "400"},
      {"blank before colon", get("/hello", "X : 1\r\n"), "400"},
      {"no colon", get("/hello", "nonsense\r\n"), "400"},
      {"too many fields", get("/hello", many), "431"},
      {"large header", get("/hello", "X: " + std::string(9000, 'a') + "\r\n"), "431"},
      {"large target", get("/hello?x=" + std::string(9000, 'a')), "431"},
      {"http 2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
      {"http 1.2", "GET /hello HTTP/1.2\r\nHost: localhost\r\n\r\n", "400"},
      {"trailer announced",
       post("Transfer-Encoding: chunked\r\nTrailer: X\r\n", "0\r\nX: 1\r\n\r\n"), "400"},
      {"trailer unannounced",
       post("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\nX: 1\r\n\r\n"), "400"},
      {"bad chunk", post("Transfer-Encoding: chunked\r\n", "zz\r\nhi\r\n0\r\n\r\n"), "400"},
      {"body too large", post("Content-Length: 1001\r\n", std::string(1001, 'a')), "413"},
      {"chunked body too large",
       post("Transfer-Encoding: chunked\r\n", "3e9\r\n" + std::string(1001, 'a') + "\r\n0\r\n\r\n"),
       "413"},
      {"chunk extension flood",
       post("Transfer-Encoding: chunked\r\n",
            "1;" + std::string(400'000, 'x') + "\r\na\r\n0\r\n\r\n"),
       "4"},
      {"expectation", post("Expect: miracles\r\nContent-Length: 2\r\n", "hi"), "417"},
      {"foreign origin", post("Origin: http://evil.example\r\nContent-Length: 2\r\n", "hi"), "403"},
      {"other port origin", post("Origin: http://localhost:1\r\nContent-Length: 2\r\n", "hi"),
       "403"},
      {"null origin", post("Origin: null\r\nContent-Length: 2\r\n", "hi"), "403"},
      {"cross site", post("Sec-Fetch-Site: cross-site\r\nContent-Length: 2\r\n", "hi"), "403"},
      {"absolute form", "GET http://localhost/hello HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
      {"bad escape", get("/hello%zz"), "400"},
      {"encoded nul", get("/item/a%00b"), "400"},
      {"query key twice", get("/hello?a=1&a=2"), "400"},
      {"garbage", "\x16\x03\x01\x02\x01\x01\r\n\r\n", "400"},
  };
  for (const Row& row : rows) {
    const std::string answer = exchange(row.request);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::string(row.status))) << row.name;
    EXPECT_THAT(answer, HasSubstr("X-Request-Id: ")) << row.name;
    EXPECT_THAT(answer, HasSubstr("Connection: close")) << row.name;
    // One answer: nothing after a refused request is read as another request.
    EXPECT_EQ(answer.find("HTTP/1.1 ", 1), std::string::npos) << row.name;
  }
  EXPECT_GE(server_->counts().rejected, rows.size());
  server_->stop();
  EXPECT_EQ(records.size(), rows.size());
  for (const AccessRecord& record : records) EXPECT_GE(record.status, 400) << record.target;
}

TEST_F(HttpServerTest, AcceptsWhatIsFine) {
  start();
  EXPECT_THAT(exchange(get("/hello")), HasSubstr("\r\n\r\nhello"));
  EXPECT_THAT(exchange("GET /hello HTTP/1.1\r\nHost: [::1]:99\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(exchange("GET /hello HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"),
              HasSubstr("Connection: close"));
  EXPECT_THAT(exchange("\r\n" + get("/hello")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(exchange(get("/item/a%2Fb")), HasSubstr("\r\n\r\na/b"));
  EXPECT_THAT(exchange(post("Content-Length: 2\r\n", "hi")), HasSubstr("\r\n\r\nhi"));
  EXPECT_THAT(
      exchange(post("Transfer-Encoding: Chunked\r\n", "2;a=b\r\nhi\r\n3\r\n yo\r\n0\r\n\r\n")),
      HasSubstr("\r\n\r\nhi yo"));
  EXPECT_THAT(exchange(post("Origin: http://localhost\r\nContent-Length: 2\r\n", "hi")),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(exchange(post("Expect: 100-continue\r\nContent-Length: 2\r\n", "hi")),
              StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"));
}

TEST_F(HttpServerTest, MethodsHeadOptionsAndAllow) {
  start();
  const std::string head = exchange("HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Length: 5"));
  EXPECT_THAT(head, Not(HasSubstr("hello")));
  EXPECT_THAT(exchange("OPTIONS /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"),
              HasSubstr("Allow: GET, HEAD, OPTIONS"));
  const std::string wrong = exchange("DELETE /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(wrong, StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(wrong, HasSubstr("Allow: GET, HEAD, OPTIONS"));
  EXPECT_THAT(exchange(get("/none")), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(exchange(get("/hello/")), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(exchange(get("/boom")), StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(exchange(get("/hello")), HasSubstr("X-Content-Type-Options: nosniff"));
}

TEST_F(HttpServerTest, NotModifiedByETag) {
  start();
  const std::string answer = exchange(get("/etag", "If-None-Match: \"x\", W/\"abc\"\r\n"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 304"));
  EXPECT_THAT(answer, Not(HasSubstr("tagged")));
  EXPECT_THAT(exchange(get("/etag", "If-None-Match: \"x\"\r\n")), HasSubstr("tagged"));
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  const std::string answer = exchange(get("/item/1") + get("/slow") +
                                      post("Content-Length: 2\r\n", "hi") + get("/item/2"));
  const std::size_t one = answer.find("\r\n\r\n1");
  const std::size_t slow = answer.find("\r\n\r\nslow");
  const std::size_t echo = answer.find("\r\n\r\nhi");
  const std::size_t two = answer.find("\r\n\r\n2");
  ASSERT_NE(two, std::string::npos) << answer;
  EXPECT_LT(one, slow);
  EXPECT_LT(slow, echo);
  EXPECT_LT(echo, two);
}

TEST_F(HttpServerTest, KeepsAliveThenClosesWhenIdle) {
  start();
  RawClient client(port_);
  for (int i = 0; i < 3; ++i) {
    client.send(get("/hello"));
    EXPECT_THAT(client.read_until("hello", 2s), HasSubstr("200 OK"));
  }
  EXPECT_EQ(client.read_to_end(3s), "");
  EXPECT_TRUE(client.closed());
}

// One byte now and then re-arms a per-operation timeout; the deadline must be absolute.
TEST_F(HttpServerTest, SlowHeaderIsCutByAnAbsoluteDeadline) {
  start();
  RawClient client(port_);
  const auto start_time = std::chrono::steady_clock::now();
  for (const char c : get("/hello")) {
    if (!client.send(std::string_view(&c, 1))) break;
    if (!client.read_until("x", 50ms).empty() || client.closed()) break;
  }
  EXPECT_TRUE(client.closed());
  EXPECT_LT(std::chrono::steady_clock::now() - start_time, 1500ms);
}

TEST_F(HttpServerTest, SlowBodyIsCut) {
  start();
  RawClient client(port_);
  client.send(post("Content-Length: 900\r\n", ""));
  for (int i = 0; i < 100 && !client.closed(); ++i) {
    client.send("a");
    client.read_until("x", 50ms);
  }
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServerTest, ConnectionsBeyondTheCapAreTold) {
  options_.max_connections = 2;
  options_.header_time = 5s;
  start();
  RawClient first(port_), second(port_);
  first.send(get("/hello"));
  second.send(get("/hello"));
  first.read_until("hello", 2s);
  second.read_until("hello", 2s);
  RawClient third(port_);
  third.shutdown_send();
  const std::string answer = third.read_to_end(2s);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(answer, HasSubstr("Retry-After"));
}

TEST_F(HttpServerTest, OverloadIsAnswered503) {
  options_.handler_threads = 1;
  options_.max_queued_requests = 1;
  options_.io_threads = 1;
  slow_time_ = 500ms;
  start();
  RawClient a(port_), b(port_);
  a.send(get("/slow"));
  b.send(get("/slow"));
  while (slow_calls_ == 0) std::this_thread::sleep_for(5ms);
  std::this_thread::sleep_for(100ms);
  EXPECT_THAT(exchange(get("/slow")), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(a.read_until("slow", 3s), HasSubstr("200"));
  EXPECT_THAT(b.read_until("slow", 3s), HasSubstr("200"));
}

TEST_F(HttpServerTest, EventStreamDeliversHeartbeatsAndEnds) {
  start();
  RawClient client(port_);
  client.send(get("/ticks"));
  EXPECT_THAT(client.read_until("\r\n\r\n", 2s), HasSubstr("text/event-stream"));
  sequence_ = 1;
  EXPECT_THAT(client.read_until("tick 1\n\n", 2s), HasSubstr("tick 1"));
  EXPECT_THAT(client.read_until(": heartbeat\n\n", 2s), HasSubstr("heartbeat"));
  EXPECT_EQ(server_->counts().streams, 1U);
  sequence_ = 3;
  EXPECT_THAT(client.read_to_end(2s), HasSubstr("tick 2\n\ndata: tick 3\n\n"));
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServerTest, ClosedStreamIsNoticed) {
  start();
  {
    RawClient client(port_);
    client.send(get("/ticks"));
    client.read_until("\r\n\r\n", 2s);
  }
  for (int i = 0; i < 100 && server_->counts().streams > 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(server_->counts().streams, 0U);
}

TEST_F(HttpServerTest, StopLetsARunningRequestEndAndClosesTheRest) {
  start();
  RawClient busy(port_), idle(port_), stream(port_);
  idle.send(get("/hello"));
  idle.read_until("hello", 2s);
  stream.send(get("/ticks"));
  stream.read_until("\r\n\r\n", 2s);
  busy.send(get("/slow"));
  while (slow_calls_ == 0) std::this_thread::sleep_for(5ms);
  const auto begin = std::chrono::steady_clock::now();
  server_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1500ms);
  EXPECT_THAT(busy.read_to_end(1s), HasSubstr("\r\n\r\nslow"));
  EXPECT_EQ(idle.read_to_end(1s), "");
  EXPECT_TRUE(idle.closed());
  EXPECT_FALSE(RawClient(port_).connected());
}

TEST_F(HttpServerTest, PortInUseIsAConflict) {
  start();
  ServerOptions options;
  options.port = port_;
  HttpServer second(options, Router());
  const auto port = second.start();
  ASSERT_FALSE(port.has_value());
  EXPECT_EQ(port.error().code, ErrorCode::kConflict);
}

// Out of descriptors, the accept loop waits instead of spinning, and goes on when there are some
// again.
TEST_F(HttpServerTest, AcceptSurvivesRunningOutOfDescriptors) {
  start();
  RawClient clients[3];
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;  // what is open stays open, nothing more can be
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const std::clock_t cpu = std::clock();
  for (RawClient& client : clients) {
    client.connect(port_);
    client.send(get("/hello"));
  }
  std::this_thread::sleep_for(500ms);
  const double used = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_LT(used, 0.25);
  for (RawClient& client : clients) {
    EXPECT_THAT(client.read_until("hello", 3s), HasSubstr("200 OK"));
  }
}

TEST_F(HttpServerTest, ManyClientsAtOnce) {
  start();
  std::vector<std::thread> clients;
  std::atomic<int> good{0};
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&] {
      RawClient client(port_);
      for (int i = 0; i < 200; ++i) {
        client.send(get("/item/" + std::to_string(i)));
        const std::string tail = "\r\n\r\n" + std::to_string(i);
        if (client.read_until(tail, 5s).ends_with(tail)) ++good;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(good, 1600);
}

}  // namespace
}  // namespace crucible::server::http
