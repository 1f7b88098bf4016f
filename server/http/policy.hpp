#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/message.hpp"

// What a request header must satisfy before its body is read. The parser below us is lenient; this
// is the place that makes requests mean the same to us as to any proxy in front (RFC 9110, 9112).
namespace crucible::server::http {

struct HeaderView {
  std::string_view method;
  std::string_view target;
  unsigned version = 11;  // 10 or 11
  std::string_view
      raw;  // the header block as received, for what the parser normalises away; may be ""
  const std::vector<Header>* headers = nullptr;
};

struct PolicyOptions {
  std::size_t max_fields = 64;
  // Accepted names in Host, without port. Empty = any. On loopback: localhost, 127.0.0.1, [::1].
  std::vector<std::string> allowed_hosts;
};

struct Rejection {
  int status = 400;
  std::string detail;
};

// nullopt when the request may go on. Every rejection closes the connection.
std::optional<Rejection> check_header(const HeaderView& header, const PolicyOptions& options);

// Host without its port, lower case; nullopt when malformed.
std::optional<std::string> host_name(std::string_view host);

}  // namespace crucible::server::http
