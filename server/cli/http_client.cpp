#include "server/cli/http_client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>

namespace crucible::server::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = beast::http;
using asio::awaitable;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kConnectTime{5};
constexpr std::chrono::seconds kAnswerTime{120};  // a submission reads model headers
constexpr std::chrono::seconds kStreamTime{45};
constexpr std::uint64_t kLargestAnswer = 1ULL << 30;

struct Endpoint {
  const std::string& url;
  const std::string& host;
  const std::string& port;
  const std::string& authority;
};

Error transport_error(const error_code& error, const Endpoint& endpoint) {
  if (error == beast::error::timeout) {
    return {ErrorCode::kDeadline, endpoint.url + " did not answer in time", {}};
  }
  return {ErrorCode::kUnavailable,
          "no daemon answers at " + endpoint.url + " (" + error.message() +
              "); start one with `crucible serve`, or name it with --server",
          {}};
}

std::string lower_media_type(std::string_view value) {
  value = value.substr(0, value.find(';'));
  std::string out;
  for (const char c : value) {
    if (c != ' ') out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return out;
}

// Host names go through the resolver synchronously: addresses cost nothing, and "localhost" is a
// file.
awaitable<error_code> connect(beast::tcp_stream& stream, const Endpoint& endpoint) {
  asio::ip::tcp::resolver resolver(stream.get_executor());
  stream.expires_after(kConnectTime);
  const auto [error, found] = co_await resolver.async_resolve(endpoint.host, endpoint.port, kToken);
  if (error) co_return error;
  const auto [failure, peer] = co_await stream.async_connect(found, kToken);
  co_return failure;
}

awaitable<error_code> send(beast::tcp_stream& stream, const Endpoint& endpoint,
                           const HttpCall& call) {
  bhttp::request<bhttp::string_body> request;
  request.version(11);
  request.method_string(call.method);
  request.target(call.target);
  request.set(bhttp::field::host, endpoint.authority);
  request.set(bhttp::field::user_agent, "crucible");
  request.set(bhttp::field::connection, "close");
  if (!call.content_type.empty()) request.set(bhttp::field::content_type, call.content_type);
  for (const auto& [name, value] : call.headers) request.set(name, value);
  request.body() = call.body;
  if (!call.body.empty() || call.method == "POST") request.prepare_payload();
  const auto [error, size] = co_await bhttp::async_write(stream, request, kToken);
  co_return error;
}

// Reads an answer; with `on_text` the body of a 200 is handed over piece by piece.
class Exchange {
 public:
  Exchange(asio::io_context& io, const Endpoint& endpoint, const HttpCall& call)
      : stream_(io), endpoint_(endpoint), call_(call) {}

  awaitable<void> run(std::function<bool(std::string_view)> on_text) {
    error_code error = co_await connect(stream_, endpoint_);
    if (!error) {
      stream_.expires_after(kAnswerTime);
      error = co_await send(stream_, endpoint_, call_);
    }
    if (!error) error = co_await read(on_text);
    if (error) error_ = error;
  }

  Result<HttpReply> result() && {
    if (error_ && *error_ != beast::error::timeout &&
        error_->category() == bhttp::make_error_code(bhttp::error::bad_version).category()) {
      return fail(ErrorCode::kCorrupt,
                  endpoint_.url + " does not speak HTTP: " + error_->message());
    }
    if (error_) return fail(transport_error(*error_, endpoint_));
    return std::move(reply_);
  }

 private:
  awaitable<error_code> read(const std::function<bool(std::string_view)>& on_text) {
    bhttp::response_parser<bhttp::string_body> parser;
    parser.body_limit(on_text ? boost::optional<std::uint64_t>() : kLargestAnswer);
    const auto [error, size] = co_await bhttp::async_read_header(stream_, buffer_, parser, kToken);
    if (error) co_return error;
    reply_.status = static_cast<int>(parser.get().result_int());
    reply_.media_type = lower_media_type(std::string(parser.get()[bhttp::field::content_type]));
    const bool in_pieces = on_text && reply_.status == 200;
    parser.eager(true);
    while (!parser.is_done()) {
      stream_.expires_after(in_pieces ? kStreamTime : kAnswerTime);
      const auto [failure, got] = co_await bhttp::async_read_some(stream_, buffer_, parser, kToken);
      if (in_pieces) {
        const std::string piece = std::exchange(parser.get().body(), std::string());
        if (!on_text(piece)) co_return error_code();
      }
      if (failure == bhttp::error::end_of_stream || failure == asio::error::eof) break;
      if (failure) co_return failure;
    }
    reply_.body = std::move(parser.get().body());
    co_return error_code();
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  Endpoint endpoint_;
  const HttpCall& call_;
  HttpReply reply_;
  std::optional<error_code> error_;
};

Result<HttpReply> exchange(const Endpoint& endpoint, const HttpCall& call,
                           std::function<bool(std::string_view)> on_text) {
  asio::io_context io(1);
  Exchange exchange(io, endpoint, call);
  std::exception_ptr failure;
  asio::co_spawn(io, exchange.run(std::move(on_text)),
                 [&failure](const std::exception_ptr& thrown) { failure = thrown; });
  io.run();
  if (failure) std::rethrow_exception(failure);
  return std::move(exchange).result();
}

}  // namespace

std::string encode_component(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
    }
  }
  return out;
}

void EventParser::take_line(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == 0) return;  // a comment
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "id") event_.id = value;
  if (field == "event") event_.type = value;
  if (field == "data") event_.data += (event_.data.empty() ? "" : "\n") + std::string(value);
}

bool EventParser::feed(std::string_view text,
                       const std::function<bool(const StreamEvent&)>& on_event) {
  rest_ += text;
  std::size_t start = 0;
  for (std::size_t end = rest_.find('\n'); end != std::string::npos;
       end = rest_.find('\n', start)) {
    std::string_view line = std::string_view(rest_).substr(start, end - start);
    if (line.ends_with('\r')) line.remove_suffix(1);
    start = end + 1;
    if (!line.empty()) {
      take_line(line);
      continue;
    }
    const bool complete = !event_.data.empty();
    const StreamEvent event = std::exchange(event_, StreamEvent{});
    if (complete && !on_event(event)) return false;
  }
  rest_.erase(0, start);
  return true;
}

Result<HttpClient> HttpClient::create(std::string_view url) {
  const auto malformed = [&](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, "`" + std::string(url) + "` " + std::string(why) +
                                                 ", such as http://127.0.0.1:7345");
  };
  std::string_view rest = url;
  if (!rest.starts_with("http://")) return malformed("is not an http:// address");
  rest.remove_prefix(7);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || rest.find_first_of("/?#@ ") != std::string_view::npos) {
    return malformed("must be a scheme, a host and a port");
  }
  HttpClient client;
  client.url_ = "http://" + std::string(rest);
  client.authority_ = rest;
  const std::size_t bracket = rest.starts_with('[') ? rest.find(']') : std::string_view::npos;
  const std::size_t colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
  client.host_ = rest.substr(0, colon);
  client.port_ = colon == std::string_view::npos ? "80" : std::string(rest.substr(colon + 1));
  if (bracket != std::string_view::npos) client.host_ = rest.substr(1, bracket - 1);
  const bool digits = client.port_.find_first_not_of("0123456789") == std::string::npos;
  if (client.host_.empty() || client.port_.empty() || client.port_.size() > 5 || !digits) {
    return malformed("must be a scheme, a host and a port");
  }
  return client;
}

HttpCall HttpClient::authorized(HttpCall call) const {
  if (!authorization_.empty()) call.headers.emplace_back("Authorization", authorization_);
  return call;
}

Result<HttpReply> HttpClient::call(const HttpCall& call) const {
  const HttpCall sent = authorized(call);
  return exchange({url_, host_, port_, authority_}, sent, nullptr);
}

Result<HttpReply> HttpClient::stream(
    const std::string& target, const std::function<bool(const StreamEvent&)>& on_event) const {
  EventParser parser;
  HttpCall call;
  call.target = target;
  call.headers = {{"Accept", "text/event-stream"}};
  call = authorized(std::move(call));
  return exchange({url_, host_, port_, authority_}, call,
                  [&](std::string_view text) { return parser.feed(text, on_event); });
}

}  // namespace crucible::server::cli
