#include "server/http/connection.hpp"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include "server/http/answer.hpp"
#include "server/http/authorization.hpp"
#include "server/http/problem.hpp"
#include "server/log/fields.hpp"

namespace crucible::server::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::awaitable;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using Parser = beast::http::request_parser<beast::http::string_body>;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 64 << 10;
constexpr std::chrono::milliseconds kTokenCheck{500};

// What reading one request came to.
struct Incoming {
  enum class Outcome { kRequest, kAnswer, kClosed };
  Outcome outcome = Outcome::kClosed;
  Request request;
  Response answer;  // kAnswer: refuse with this and close
  bool keep_alive = false;
  std::unique_ptr<Reservation> body_memory;  // held until the handler is done with the body
};

Incoming refuse(int status, std::string_view detail, Incoming incoming = {}) {
  incoming.outcome = Incoming::Outcome::kAnswer;
  incoming.answer = problem(status, status == 503 ? "unavailable" : "invalid_request", detail);
  return incoming;
}

std::vector<Header> copy_headers(const Parser& parser) {
  std::vector<Header> headers;
  for (const auto& field : parser.get()) {
    headers.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  return headers;
}

class HttpConnection final : public Connection,
                             public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(tcp::socket socket, Shared& shared)
      : stream_(std::move(socket)),
        shared_(shared),
        options_(shared.options),
        buffer_(shared.options.header_bytes + kReadBytes) {
    boost::system::error_code error;
    const auto peer = stream_.socket().remote_endpoint(error);
    if (!error) remote_ = peer.address().to_string();
    stream_.socket().set_option(tcp::no_delay(true), error);
  }

  void stop() override {
    asio::post(stream_.get_executor(), [self = shared_from_this()] {
      if (self->idle_) self->stream_.close();
    });
  }

  awaitable<void> run() {
    while (!shared_.stopping) {
      Incoming incoming = co_await read_request();
      if (incoming.outcome == Incoming::Outcome::kClosed) co_return;
      if (incoming.outcome == Incoming::Outcome::kAnswer) {
        co_await answer_refusal(incoming);
        co_return;
      }
      if (!co_await answer(incoming)) break;
    }
    boost::system::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.close();
  }

 private:
  void deadline(std::chrono::milliseconds time, std::uint64_t bytes = 0) {
    const auto extra = std::chrono::seconds(bytes / options_.bytes_per_second);
    stream_.expires_at(Clock::now() + time + extra);
  }

  std::string_view buffered() const {
    const auto data = buffer_.data();
    return {static_cast<const char*>(data.data()), data.size()};
  }

  awaitable<boost::system::error_code> read_some() {
    const auto space = buffer_.prepare(std::min(kReadBytes, buffer_.max_size() - buffer_.size()));
    const auto [error, size] = co_await stream_.async_read_some(space, kToken);
    buffer_.commit(size);
    co_return error;
  }

  // Waits for the first byte of a request. False: nothing came.
  awaitable<bool> wait_idle() {
    // A client may send an empty line between requests (RFC 9112, 2.2).
    for (int i = 0; i < 2 && buffered().starts_with("\r\n"); ++i) buffer_.consume(2);
    if (buffer_.size() > 0) co_return true;
    idle_ = true;
    deadline(first_ ? options_.header_time : options_.idle_time);
    const auto error = co_await read_some();
    idle_ = false;
    if (buffered().starts_with("\r\n")) buffer_.consume(2);
    co_return !error;
  }

  // Reads until the header's end is in the buffer. Returns its size, or 0 with `failure` set.
  awaitable<std::size_t> read_header(Incoming& failure) {
    if (!co_await wait_idle()) co_return 0;
    first_ = false;
    deadline(options_.header_time);
    std::size_t searched = 0;
    while (true) {
      const std::size_t end = buffered().find("\r\n\r\n", searched);
      if (end != std::string_view::npos && end + 4 <= options_.header_bytes) co_return end + 4;
      if (end != std::string_view::npos || buffer_.size() >= options_.header_bytes) {
        failure = refuse(431, "the request's header is too large");
        co_return 0;
      }
      if (buffered().find("\n\n", searched) != std::string_view::npos) {
        failure = refuse(400, "a line ends without CR LF");
        co_return 0;
      }
      searched = buffer_.size() < 3 ? 0 : buffer_.size() - 3;
      const auto error = co_await read_some();
      if (!error) continue;
      if (error == beast::error::timeout) ++shared_.rejected;  // the deadline closed the socket
      co_return 0;
    }
  }

  awaitable<Incoming> read_request() {
    Incoming failure;
    const std::size_t header_size = co_await read_header(failure);
    if (header_size == 0) co_return failure;
    const std::string raw(buffered().substr(0, header_size));
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(options_.header_bytes));
    boost::system::error_code error;
    const std::size_t used = parser.put(asio::const_buffer(raw.data(), raw.size()), error);
    if (error || !parser.is_header_done()) {
      co_return refuse(400, "a malformed request header");
    }
    buffer_.consume(used);
    Incoming incoming;
    incoming.request.headers = copy_headers(parser);
    incoming.request.method = std::string(parser.get().method_string());
    incoming.request.target = std::string(parser.get().target());
    const HeaderView view{incoming.request.method, incoming.request.target, parser.get().version(),
                          raw, &incoming.request.headers};
    if (const auto rejection = check_header(view, shared_.policy)) {
      co_return refuse(rejection->status, rejection->detail, std::move(incoming));
    }
    if (incoming.request.method == "OPTIONS" && incoming.request.target == "*") {
      incoming.request.target = "/";
    }
    auto target = parse_target(incoming.request.target);
    if (!target) co_return refuse(400, target.error().message, std::move(incoming));
    incoming.request.segments = std::move(target->segments);
    incoming.request.query = std::move(target->query);
    incoming.keep_alive = parser.get().keep_alive();
    const auto match = shared_.router.match(incoming.request.method, incoming.request.segments);
    if (auto refusal = authorize(options_.tokens, remote_, match, incoming.request)) {
      incoming.outcome = Incoming::Outcome::kAnswer;
      incoming.answer = std::move(*refusal);
      co_return incoming;
    }
    const std::size_t limit = match.route != nullptr ? match.route->options.body_limit : 0;
    co_return co_await read_body(parser, std::move(incoming), limit);
  }

  // A body of at most `limit` bytes.
  awaitable<Incoming> read_body(Parser& parser, Incoming incoming, std::size_t limit) {
    incoming.outcome = Incoming::Outcome::kRequest;
    if (parser.is_done()) co_return incoming;
    const auto length = parser.content_length();
    if (length && *length > limit) co_return refuse_size(limit, std::move(incoming));
    const std::size_t reserve = length ? static_cast<std::size_t>(*length) : limit;
    incoming.body_memory =
        std::make_unique<Reservation>(shared_.body_bytes, reserve, options_.body_memory_bytes);
    if (!incoming.body_memory->held()) {
      co_return refuse(503, "too many bodies are being sent at once", std::move(incoming));
    }
    parser.body_limit(limit);
    parser.eager(true);
    deadline(options_.body_time, reserve);
    if (equals_ignoring_case(incoming.request.header("Expect"), "100-continue") &&
        !co_await write_text("HTTP/1.1 100 Continue\r\n\r\n")) {
      co_return Incoming{};
    }
    // Chunk sizes and extensions count too; a body in one-byte chunks is cut as well.
    std::size_t wire_bytes = 2 * reserve + kReadBytes;
    while (!parser.is_done()) {
      const auto [error, size] =
          co_await beast::http::async_read_some(stream_, buffer_, parser, kToken);
      if (error == beast::http::error::body_limit || size > wire_bytes) {
        co_return refuse_size(limit, std::move(incoming));
      }
      if (error == beast::error::timeout || error == asio::error::eof ||
          error == beast::http::error::partial_message || error == asio::error::connection_reset) {
        ++shared_.rejected;
        co_return Incoming{};
      }
      if (error) co_return refuse(400, "a malformed body", std::move(incoming));
      wire_bytes -= size;
    }
    if (copy_headers(parser).size() != incoming.request.headers.size()) {
      co_return refuse(400, "trailers are not accepted", std::move(incoming));
    }
    incoming.request.body = std::move(parser.get().body());
    co_return incoming;
  }

  static Incoming refuse_size(std::size_t limit, Incoming incoming) {
    return refuse(413, "the body is larger than " + std::to_string(limit) + " bytes",
                  std::move(incoming));
  }

  void note_access(const Request& request, const Route* route, const Response& response,
                   Clock::time_point start) const {
    if (!options_.on_access) return;
    const std::chrono::duration<double> taken = Clock::now() - start;
    options_.on_access({remote_, request.method, request.target,
                        route != nullptr ? route->pattern : std::string(), response.status,
                        response.content().size(), taken.count(), request.id});
  }

  awaitable<void> answer_refusal(Incoming& incoming) {
    const auto start = Clock::now();
    ++shared_.rejected;
    incoming.request.id = shared_.next_request_id();
    incoming.answer.set("X-Request-Id", incoming.request.id);
    co_await write(incoming.answer, incoming.request.method == "HEAD", true);
    note_access(incoming.request, nullptr, incoming.answer, start);
    co_await linger();
  }

  // True: the connection goes on.
  awaitable<bool> answer(Incoming& incoming) {
    const auto start = Clock::now();
    Request& request = incoming.request;
    auto match = shared_.router.match(request.method, request.segments);
    request.path_values = std::move(match.path_values);
    request.id = shared_.next_request_id();
    Response response;
    if (auto ready = answer_without_handler(request, match)) {
      response = std::move(*ready);
    } else {
      response = co_await run_handler(*match.route, request);
    }
    incoming.body_memory.reset();
    response.set("X-Request-Id", request.id);
    const bool close = !incoming.keep_alive || shared_.stopping;
    bool go_on = false;
    if (response.events != nullptr && request.method != "HEAD") {
      co_await stream_events(response, match, request);
    } else {
      go_on = co_await write(response, request.method == "HEAD", close) && !close;
    }
    note_access(request, match.route, response, start);
    co_return go_on;
  }

  awaitable<Response> run_handler(const Route& route, const Request& request) {
    const std::size_t most = options_.max_queued_requests + options_.handler_threads;
    const Reservation place(shared_.queued, 1, most);
    if (!place.held()) {
      ++shared_.rejected;
      co_return problem(503, "unavailable", "too many requests are waiting");
    }
    co_return co_await asio::co_spawn(
        shared_.handlers->get_executor(),
        [&route, &request]() -> awaitable<Response> {
          const log::Scope scope(nlohmann::json{{"request_id", request.id}});
          co_return call_handler(route, request);
        },
        asio::use_awaitable);
  }

  awaitable<bool> write_text(std::string_view text) {
    const auto [error, size] = co_await asio::async_write(stream_, asio::buffer(text), kToken);
    co_return !error;
  }

  awaitable<bool> write(const Response& response, bool head_only, bool close) {
    const std::string head = answer_head(response, close);
    const bool bodiless = head_only || response.status == 204 || response.status == 304;
    const std::string_view body = bodiless ? std::string_view() : response.content();
    deadline(options_.write_time, head.size() + body.size());
    const std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(body)};
    const auto [error, size] = co_await asio::async_write(stream_, parts, kToken);
    co_return !error;
  }

  // Closing with unread bytes resets the connection, and the peer may never see the answer: so stop
  // sending and read on for a moment.
  awaitable<void> linger() {
    boost::system::error_code error;
    stream_.socket().shutdown(tcp::socket::shutdown_send, error);
    deadline(std::chrono::milliseconds(1000));
    for (std::size_t read = 0; !error && read < (4U << 20);) {
      buffer_.consume(buffer_.size());
      error = co_await read_some();
      read += buffer_.size();
    }
    stream_.close();
  }

  bool peer_is_gone() {
    char byte = 0;
    const auto got = ::recv(stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
  }

  // Ends when the token does: it is looked at again while the stream is open.
  awaitable<void> stream_events(Response& response, const Router::Match& match, Request& request) {
    const Reservation place(shared_.streams, 1, options_.max_streams);
    if (!place.held()) {
      ++shared_.rejected;
      const Response busy = problem(503, "unavailable", "too many event streams are open");
      co_await write(busy, false, true);
      co_return;
    }
    deadline(options_.write_time);
    const std::string head = answer_head(response, true);
    if (!co_await write_text(head)) co_return;
    asio::steady_timer timer(stream_.get_executor());
    auto last_write = Clock::now();
    auto next_look = Clock::now();
    std::uint64_t seen = 0;
    bool first = true;
    auto next_check = Clock::now() + kTokenCheck;
    while (!shared_.stopping && !peer_is_gone()) {
      if (Clock::now() >= next_check) {
        if (authorize(options_.tokens, remote_, match, request)) co_return;
        next_check = Clock::now() + kTokenCheck;
      }
      const std::uint64_t sequence = response.events->sequence();
      if (first || sequence != seen || Clock::now() >= next_look) {
        first = false;
        seen = sequence;
        next_look = Clock::now() + std::chrono::seconds(5);  // in case a signal was missed
        const auto step = co_await next_step(*response.events);
        if (!step.text.empty()) {
          deadline(options_.write_time, step.text.size());
          if (!co_await write_text(step.text)) co_return;
          last_write = Clock::now();
        }
        if (step.end) co_return;
        if (step.more) {
          first = true;
          continue;
        }
      }
      if (Clock::now() - last_write >= options_.heartbeat) {
        deadline(options_.write_time);
        if (!co_await write_text(": heartbeat\n\n")) co_return;
        last_write = Clock::now();
      }
      timer.expires_after(options_.stream_poll);
      co_await timer.async_wait(kToken);
    }
  }

  // A failing source is asked again later; the client sees a comment.
  awaitable<EventSource::Step> next_step(EventSource& source) {
    co_return co_await asio::co_spawn(
        shared_.handlers->get_executor(),
        [&source]() -> awaitable<EventSource::Step> {
          try {
            auto step = source.next();
            if (step) co_return std::move(*step);
          } catch (const std::exception&) {
          }
          co_return EventSource::Step{": events are not available at the moment\n\n", false, false};
        },
        asio::use_awaitable);
  }

  beast::tcp_stream stream_;
  Shared& shared_;
  const ServerOptions& options_;
  beast::flat_buffer buffer_;
  std::string remote_;
  bool idle_ = false;  // on the executor only
  bool first_ = true;
};

awaitable<void> refuse_and_close(tcp::socket socket) {
  beast::tcp_stream stream(std::move(socket));
  stream.expires_after(std::chrono::seconds(1));
  const Response busy = problem(503, "unavailable", "too many connections");
  const std::string text = answer_head(busy, true) + busy.body;
  co_await asio::async_write(stream, asio::buffer(text), kToken);
  boost::system::error_code error;
  stream.socket().shutdown(tcp::socket::shutdown_send, error);
  std::array<char, 4096> sink{};
  while (!error) {
    const auto [failure, size] = co_await stream.async_read_some(asio::buffer(sink), kToken);
    error = failure;
  }
}

}  // namespace

std::shared_ptr<Connection> serve_connection(tcp::socket socket, Shared& shared,
                                             std::function<void(Connection*)> on_end) {
  auto executor = socket.get_executor();
  auto connection = std::make_shared<HttpConnection>(std::move(socket), shared);
  // Posted, so that nothing of the connection runs before the caller has registered it.
  asio::post(executor, [executor, connection, on_end = std::move(on_end)] {
    asio::co_spawn(
        executor, [connection]() -> awaitable<void> { co_await connection->run(); },
        [connection, on_end](const std::exception_ptr&) { on_end(connection.get()); });
  });
  return connection;
}

void refuse_connection(tcp::socket socket, Shared& shared, std::function<void()> on_end) {
  ++shared.rejected;
  auto executor = socket.get_executor();
  asio::co_spawn(executor, refuse_and_close(std::move(socket)),
                 [on_end = std::move(on_end)](const std::exception_ptr&) { on_end(); });
}

}  // namespace crucible::server::http
