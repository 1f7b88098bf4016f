#include "evaluator/endpoint/http_connection.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <optional>

namespace crucible::endpoint {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = beast::http;
using asio::awaitable;
using boost::system::error_code;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;
// Shared, not copied: GCC 12 frees a vector twice that is an argument of an awaited call.
using Places = asio::ip::tcp::resolver::results_type;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kStopPoll{50};
constexpr std::uint32_t kHeaderBytes = 64 << 10;
// Read but not yet parsed: bounds what the parser has no limit for, such as chunk extensions.
constexpr std::size_t kBufferBytes = 256 << 10;

// What went wrong, in our terms.
struct Failure {
  Error error;
  bool nothing_came = false;  // a kept connection that the server had closed: worth one more try
};

}  // namespace

struct HttpConnection::Impl {
  explicit Impl(ConnectionOptions the_options) : options(std::move(the_options)) {}

  Error unavailable(const error_code& code, std::string_view doing) const {
    if (code == beast::error::timeout) {
      return {ErrorCode::kDeadline, options.url.text() + " did not answer in time", {}};
    }
    return {ErrorCode::kUnavailable,
            options.url.text() + ": " + std::string(doing) + ": " + code.message(),
            {}};
  }

  Status set_up_tls() {
    if (tls) return {};
    asio::ssl::context context(asio::ssl::context::tls_client);
    error_code code;
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    if (options.ca_file.empty()) {
      context.set_default_verify_paths(code);
    } else {
      context.load_verify_file(options.ca_file, code);
    }
    if (code) {
      return fail(ErrorCode::kInvalidArgument,
                  "the certificates to trust cannot be read: " + code.message());
    }
    context.set_verify_mode(asio::ssl::verify_peer);
    tls.emplace(std::move(context));
    return {};
  }

  // Refuses what the rules exclude; nullopt: go on.
  std::optional<Error> check_address(const std::string& address) const {
    const bool is_private = is_private_address(address);
    if (is_private && !options.allow_private) {
      return Error{ErrorCode::kPermission,
                   options.url.host + " is the private address " + address +
                       "; name the endpoint yourself to allow that",
                   {}};
    }
    if (!is_private && !options.url.tls && !options.authorization.empty()) {
      return Error{ErrorCode::kPermission,
                   "an API key is not sent over plain HTTP to a public address (" + address +
                       "); use https://",
                   {}};
    }
    return std::nullopt;
  }

  // Fills in what the host's name means.
  awaitable<std::optional<Error>> find(Places& places) {
    if (options.resolve) co_return find_as_told(places);
    asio::ip::tcp::resolver resolver(io);
    const auto [failed, found] =
        co_await resolver.async_resolve(options.url.host, options.url.port, kToken);
    if (failed) co_return unavailable(failed, "the name cannot be resolved");
    places = found;
    co_return std::nullopt;
  }

  std::optional<Error> find_as_told(Places& places) const {
    auto addresses = options.resolve(options.url.host);
    if (!addresses) return std::move(addresses).error();
    std::vector<asio::ip::tcp::endpoint> named;
    for (const std::string& text : *addresses) {
      named.emplace_back(asio::ip::make_address(text),
                         static_cast<std::uint16_t>(std::stoul(options.url.port)));
    }
    places = Places::create(named.begin(), named.end(), options.url.host, options.url.port);
    return std::nullopt;
  }

  awaitable<std::optional<Failure>> connect() {
    auto& stream = tls_stream ? beast::get_lowest_layer(*tls_stream) : *tcp_stream;
    stream.expires_after(options.connect_time);
    Places places;
    if (auto error = co_await find(places)) co_return Failure{std::move(*error), false};
    for (const auto& place : places) {
      if (auto refused = check_address(place.endpoint().address().to_string())) {
        co_return Failure{std::move(*refused), false};
      }
    }
    const auto [refused, peer] = co_await stream.async_connect(places, kToken);
    if (refused) co_return Failure{unavailable(refused, "cannot connect"), false};
    error_code ignored;
    stream.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    if (!tls_stream) co_return std::nullopt;
    co_return co_await shake_hands();
  }

  awaitable<std::optional<Failure>> shake_hands() {
    SSL_set_tlsext_host_name(tls_stream->native_handle(), options.url.host.c_str());
    tls_stream->set_verify_callback(asio::ssl::host_name_verification(options.url.host));
    const auto [code] =
        co_await tls_stream->async_handshake(asio::ssl::stream_base::client, kToken);
    if (!code) co_return std::nullopt;
    const long verified = SSL_get_verify_result(tls_stream->native_handle());
    if (code.category() == asio::error::get_ssl_category() && verified != X509_V_OK) {
      co_return Failure{{ErrorCode::kPermission,
                         options.url.text() + ": its certificate does not verify: " +
                             X509_verify_cert_error_string(verified),
                         {}},
                        false};
    }
    co_return Failure{unavailable(code, "the TLS handshake failed"), false};
  }

  bhttp::request<bhttp::string_body> make_request(const std::string& target,
                                                  const std::string& body) const {
    bhttp::request<bhttp::string_body> request;
    request.version(11);
    request.method(body.empty() ? bhttp::verb::get : bhttp::verb::post);
    request.target(target);
    request.set(bhttp::field::host, options.url.authority());
    request.set(bhttp::field::user_agent, "crucible");
    request.set(bhttp::field::accept, "application/json");
    if (!options.authorization.empty()) {
      request.set(bhttp::field::authorization, options.authorization);
    }
    if (!body.empty()) {
      request.set(bhttp::field::content_type, "application/json");
      request.body() = body;
      request.prepare_payload();
    }
    return request;
  }

  template <typename Stream>
  awaitable<std::optional<Failure>> exchange(Stream& stream, const std::string& target,
                                             const std::string& body) {
    const auto request = make_request(target, body);
    beast::get_lowest_layer(stream).expires_after(options.answer_time);
    const auto [unsent, sent] = co_await bhttp::async_write(stream, request, kToken);
    if (unsent) co_return Failure{unavailable(unsent, "sending failed"), true};
    bhttp::response_parser<bhttp::string_body> parser;
    parser.header_limit(kHeaderBytes);
    parser.body_limit(options.largest_answer);
    beast::flat_buffer buffer(kBufferBytes);
    const auto [code, size] = co_await bhttp::async_read(stream, buffer, parser, kToken);
    if (code == bhttp::error::body_limit) {
      co_return Failure{{ErrorCode::kCorrupt,
                         options.url.text() + " answered with more than " +
                             std::to_string(options.largest_answer) + " bytes",
                         {}},
                        false};
    }
    if (code) co_return Failure{read_error(code), !parser.got_some()};
    const auto& message = parser.get();
    answer.status = static_cast<int>(message.result_int());
    answer.retry_after = std::string(message[bhttp::field::retry_after]);
    answer.location = std::string(message[bhttp::field::location]);
    answer.body = std::move(parser.get().body());
    keep = parser.keep_alive();
    co_return std::nullopt;
  }

  Error read_error(const error_code& code) const {
    static const auto& http_category = bhttp::make_error_code(bhttp::error::bad_version).category();
    const bool cut_off = code == bhttp::error::end_of_stream ||
                         code == bhttp::error::partial_message || code == asio::error::eof ||
                         code == asio::ssl::error::stream_truncated;
    if (!cut_off && code.category() == http_category) {
      return {
          ErrorCode::kCorrupt, options.url.text() + " does not speak HTTP: " + code.message(), {}};
    }
    return unavailable(code, "the answer was cut off");
  }

  awaitable<void> run(const std::string& target, const std::string& body) {
    failure.reset();
    if (!open) {
      failure = co_await connect();
      if (failure) co_return;
    }
    if (tls_stream) {
      failure = co_await exchange(*tls_stream, target, body);
    } else {
      failure = co_await exchange(*tcp_stream, target, body);
    }
  }

  void close() {
    tls_stream.reset();
    tcp_stream.reset();
    open = false;
  }

  Status prepare() {
    if (open) return {};
    close();
    if (!options.url.tls) {
      tcp_stream.emplace(io);
      return {};
    }
    if (auto ready = set_up_tls(); !ready) return ready;
    tls_stream.emplace(io, *tls);
    return {};
  }

  // One exchange, watched for the stop token.
  Status once(const std::string& target, const std::string& body, const std::stop_token& stop) {
    if (auto ready = prepare(); !ready) return ready;
    bool done = false;
    std::exception_ptr thrown;
    io.restart();
    asio::co_spawn(io, run(target, body), [&](const std::exception_ptr& error) {
      thrown = error;
      done = true;
    });
    bool cancelled = false;
    while (!done) {
      io.run_for(kStopPoll);
      if (io.stopped() && !done) io.restart();
      if (!done && !cancelled && stop.stop_requested()) {
        cancelled = true;
        (tls_stream ? beast::get_lowest_layer(*tls_stream) : *tcp_stream).close();
      }
    }
    if (thrown) std::rethrow_exception(thrown);
    if (cancelled) {
      close();
      return fail(ErrorCode::kCancelled, "the request was cancelled");
    }
    return {};
  }

  ConnectionOptions options;
  asio::io_context io{1};
  std::optional<asio::ssl::context> tls;
  std::optional<beast::tcp_stream> tcp_stream;
  std::optional<TlsStream> tls_stream;
  bool open = false;
  bool keep = false;
  HttpAnswer answer;
  std::optional<Failure> failure;
};

HttpConnection::HttpConnection(ConnectionOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
HttpConnection::~HttpConnection() = default;

Result<HttpAnswer> HttpConnection::request(const std::string& target, const std::string& body,
                                           const std::stop_token& stop) {
  for (;;) {
    if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "the request was cancelled");
    const bool reused = impl_->open;
    impl_->answer = {};
    if (auto done = impl_->once(target, body, stop); !done) return fail(std::move(done.error()));
    if (!impl_->failure) {
      impl_->open = impl_->keep;
      if (!impl_->open) impl_->close();
      return std::move(impl_->answer);
    }
    impl_->close();
    if (!(reused && impl_->failure->nothing_came &&
          impl_->failure->error.code == ErrorCode::kUnavailable)) {
      return fail(std::move(impl_->failure->error));
    }
  }
}

}  // namespace crucible::endpoint
