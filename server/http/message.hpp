#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "merger/base/error.hpp"
#include "server/access/role.hpp"

// HTTP messages as plain values: what handlers see, free of any HTTP library.
namespace crucible::server::http {

struct Header {
  std::string name;
  std::string value;
};

// Case-insensitive for ASCII; "" when absent.
std::string_view find_header(const std::vector<Header>& headers, std::string_view name);
bool equals_ignoring_case(std::string_view a, std::string_view b);

struct Request {
  std::string method;                 // "GET", as sent
  std::string target;                 // as sent
  std::vector<std::string> segments;  // path between slashes, percent-decoded; "/" has none
  std::vector<std::pair<std::string, std::string>> query;        // decoded, keys distinct, in order
  std::vector<std::pair<std::string, std::string>> path_values;  // of the route's {names}
  std::vector<Header> headers;
  std::string body;
  access::Principal principal;  // on whose behalf
  std::string id;               // unique, for logs; the answer's X-Request-Id

  std::string_view header(std::string_view name) const { return find_header(headers, name); }
  std::optional<std::string_view> query_value(std::string_view key) const;
  const std::string& path_value(std::string_view name) const;  // "" when the route has no such name
  // Media type of Content-Type in lower case without parameters, "" when absent.
  std::string media_type() const;
};

// One open event stream. `next` may block and is called on a handler thread, never concurrently;
// `sequence` is cheap and is polled on an I/O thread: a rise means that `next` has something.
class EventSource {
 public:
  struct Step {
    std::string text;   // complete SSE blocks, possibly none
    bool more = false;  // call again at once
    bool end = false;   // close after this text
  };
  virtual ~EventSource() = default;
  virtual std::uint64_t sequence() const = 0;
  virtual Result<Step> next() = 0;
};

struct Response {
  int status = 200;
  std::string content_type;
  std::string body;
  std::string_view
      static_body;  // used instead of `body` when not empty; lives as long as the program
  std::vector<Header> headers;
  std::unique_ptr<EventSource> events;  // a text/event-stream instead of a body

  Response& set(std::string name, std::string value);
  std::string_view content() const {
    return static_body.empty() ? std::string_view(body) : static_body;
  }
};

// Splits a request target in origin form ("/a/b?c=d"). Error kInvalidArgument: other forms,
// malformed percent signs, control characters, a query key given twice.
struct Target {
  std::vector<std::string> segments;
  std::vector<std::pair<std::string, std::string>> query;
};
Result<Target> parse_target(std::string_view target);

}  // namespace crucible::server::http
