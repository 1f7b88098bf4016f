#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "server/access/token.hpp"
#include "server/access/token_book.hpp"
#include "server/cli/http_client.hpp"
#include "server/http/message.hpp"
#include "server/http/policy.hpp"
#include "server/http/problem.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace crucible;
using namespace crucible::server;
using fuzz::require;
namespace bhttp = boost::beast::http;

constexpr std::uint32_t kHeaderBytes = 8192;

bool is_plain(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

// A request's header as the server reads it: the parser, then the policy, then the target.
void read_head(std::string_view raw) {
  bhttp::request_parser<bhttp::string_body> parser;
  parser.header_limit(kHeaderBytes);
  boost::system::error_code error;
  parser.put(boost::asio::const_buffer(raw.data(), raw.size()), error);
  if (error || !parser.is_header_done()) return;
  std::vector<http::Header> headers;
  for (const auto& field : parser.get())
    headers.push_back({std::string(field.name_string()), std::string(field.value())});
  const std::string method(parser.get().method_string());
  const std::string target(parser.get().target());
  const std::string_view block = raw.substr(0, raw.find("\r\n\r\n") + 4);
  const http::HeaderView view{method, target, parser.get().version(), block, &headers};
  if (http::check_header(view, {64, {"localhost"}})) return;
  // What passes means the same to everybody: one length, one host, no encoding but chunked.
  const auto count = [&](std::string_view name) {
    return std::ranges::count_if(
        headers, [&](const auto& one) { return http::equals_ignoring_case(one.name, name); });
  };
  require(headers.size() <= 64 && count("Content-Length") <= 1 && count("Host") <= 1);
  require(count("Transfer-Encoding") == 0 || count("Content-Length") == 0);
  require(block.find('\0') == std::string_view::npos);
  if (const auto host = http::host_name(http::find_header(headers, "Host")))
    require(*host == "localhost");
  (void)fuzz::accepted(http::parse_target(target));
}

void read_target(std::string_view text) {
  const auto target = http::parse_target(text);
  if (!fuzz::accepted(target)) return;
  require(text.starts_with('/'));
  std::string written;
  for (const std::string& segment : target->segments) {
    require(is_plain(segment));
    written += "/" + cli::encode_component(segment);
  }
  if (written.empty()) written = "/";
  for (std::size_t i = 0; i < target->query.size(); ++i) {
    const auto& [key, value] = target->query[i];
    written +=
        (i == 0 ? "?" : "&") + cli::encode_component(key) + "=" + cli::encode_component(value);
  }
  const auto again = http::parse_target(written);
  require(again.has_value() && again->query == target->query);
}

void read_words(std::string_view text) {
  if (const auto host = http::host_name(text)) require(!host->empty() && is_plain(*host));
  (void)http::json_pointer(text);
  http::Request request;
  request.headers = {{"Content-Type", std::string(text)}};
  (void)request.media_type();
}

void read_token(std::string_view text) {
  if (const auto token = access::parse_token(text)) {
    require(text == "cru_" + std::string(token->id) + "_" + std::string(token->secret));
    require(token->id.size() == 8 && token->secret.size() == 64);
  }
  static const auto kIssued = access::issue_token();
  access::TokenBook book;
  book.load({{kIssued->id, "n", access::Role::kAdmin, kIssued->digest, 0, {}, {}}});
  const auto principal = book.check(text, "127.0.0.1", access::Role::kRead, 1);
  require(!principal.has_value() || text.find(kIssued->text) != std::string_view::npos);
}

// A stream gives the same events however it is cut.
void read_events(std::string_view text) {
  const auto events_of = [text](std::size_t step) {
    cli::EventParser parser;
    std::vector<std::string> events;
    for (std::size_t at = 0; at < text.size(); at += step) {
      parser.feed(text.substr(at, step), [&](const cli::StreamEvent& event) {
        events.push_back(event.id + '\0' + event.type + '\0' + event.data);
        return true;
      });
    }
    return events;
  };
  require(events_of(std::max<std::size_t>(text.size(), 1)) == events_of(1));
}

}  // namespace

// HTTP between server, clients and strangers: header blocks, targets, words of fields, tokens,
// event streams. The first byte chooses.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (input.choice(5)) {
    case 0:
      read_head(input.rest());
      break;
    case 1:
      read_target(input.rest());
      break;
    case 2:
      read_words(input.rest());
      break;
    case 3:
      read_token(input.rest());
      break;
    default:
      read_events(input.rest());
  }
  return 0;
}
