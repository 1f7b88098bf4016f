#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "evaluator/endpoint/url.hpp"

namespace crucible::endpoint {

// How an endpoint may be reached.
struct ConnectionOptions {
  Url url;
  bool allow_private = false;  // loopback and private addresses: only where a person named them
  std::string ca_file;         // PEM; "" = the system's certificates
  std::string authorization;   // value of that field; "" = none. Secret.
  std::chrono::milliseconds connect_time{10'000};
  std::chrono::milliseconds answer_time{300'000};  // from the first byte sent to the last read
  std::uint64_t largest_answer = 64ULL << 20;      // bytes
  // What a host's name means, as addresses; null: the system's resolver. Asked once a connection:
  // the addresses that were checked are the ones connected to.
  std::function<Result<std::vector<std::string>>(const std::string& host)> resolve;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::string retry_after;  // field value, "" when absent
  std::string location;
};

// One connection that is kept between requests and opened again when the server closed it.
// Certificates and host names are verified, redirects are not followed. Not thread-safe.
// Errors: kUnavailable (cannot connect, cut off), kDeadline, kPermission (a private address, a
// certificate that does not verify, a key over plain HTTP to a public address), kCorrupt (not
// HTTP, or larger than allowed; bytes around a body count too), kCancelled.
class HttpConnection {
 public:
  explicit HttpConnection(ConnectionOptions options);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // `target` begins with '/'. A body makes it a POST of JSON.
  Result<HttpAnswer> request(const std::string& target, const std::string& body,
                             const std::stop_token& stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crucible::endpoint
