#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "merger/base/error.hpp"

namespace crucible::server::cli {

struct HttpReply {
  int status = 0;
  std::string media_type;  // lower case, without parameters
  std::string body;
};
struct HttpCall {
  std::string method = "GET";
  std::string target;  // "/api/v1/jobs", percent-encoded
  std::string body;
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;
};
// One server-sent event.
struct StreamEvent {
  std::string id;
  std::string type;
  std::string data;
};

// Percent-encodes everything but unreserved characters.
std::string encode_component(std::string_view text);

// Takes a stream's text apart, in pieces of any size.
class EventParser {
 public:
  // Calls `on_event` for each complete event; stops early when it returns false.
  bool feed(std::string_view text, const std::function<bool(const StreamEvent&)>& on_event);

 private:
  void take_line(std::string_view line);
  std::string rest_;
  StreamEvent event_;
};

// Blocking HTTP/1.1 client of one daemon. Every wait has a deadline. Errors: kInvalidArgument
// (URL), kUnavailable (nobody answers), kDeadline, kCorrupt (not HTTP). One connection a call.
class HttpClient {
 public:
  // "http://127.0.0.1:7345", port 80 by default, no path.
  static Result<HttpClient> create(std::string_view url);

  Result<HttpReply> call(const HttpCall& call) const;
  // GET of an event stream; ends when the server closes, when `on_event` returns false, or when
  // nothing came for 45 s (heartbeats come every 15 s). A status other than 200 is given back as
  // the reply.
  Result<HttpReply> stream(const std::string& target,
                           const std::function<bool(const StreamEvent&)>& on_event) const;
  const std::string& url() const { return url_; }
  const std::string& host() const { return host_; }  // without brackets
  const std::string& port() const { return port_; }
  // Sends this bearer token from now on.
  void authorize(const std::string& token) { authorization_ = "Bearer " + token; }

 private:
  HttpCall authorized(HttpCall call) const;
  std::string url_;
  std::string host_;  // without brackets
  std::string port_;
  std::string authority_;  // for the Host header
  std::string authorization_;
};

}  // namespace crucible::server::cli
