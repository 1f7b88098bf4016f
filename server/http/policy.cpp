#include "server/http/policy.hpp"

#include <algorithm>

namespace crucible::server::http {
namespace {

std::optional<Rejection> reject(int status, std::string detail) {
  return Rejection{status, std::move(detail)};
}

std::size_t count(const std::vector<Header>& headers, std::string_view name) {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(),
                    [&](const Header& header) { return equals_ignoring_case(header.name, name); }));
}

// What parsers repair or skip differently: line ends, folding, blanks before the colon.
std::optional<Rejection> check_raw(std::string_view raw) {
  bool first_line = true;
  while (!raw.empty()) {
    const std::size_t end = raw.find('\n');
    if (end == std::string_view::npos) break;
    std::string_view line = raw.substr(0, end);
    raw.remove_prefix(end + 1);
    if (line.empty() || line.back() != '\r') return reject(400, "a line ends without CR LF");
    line.remove_suffix(1);
    if (line.find('\r') != std::string_view::npos || line.find('\0') != std::string_view::npos) {
      return reject(400, "a stray CR or a NUL in the header");
    }
    if (!first_line && !line.empty()) {
      if (line.front() == ' ' || line.front() == '\t') return reject(400, "a folded header line");
      const std::string_view name = line.substr(0, line.find(':'));
      if (name.size() == line.size()) return reject(400, "a header line without a colon");
      if (name.find_first_of(" \t") != std::string_view::npos) {
        return reject(400, "a blank in a header's name");
      }
    }
    first_line = false;
  }
  return std::nullopt;
}

std::optional<Rejection> check_framing(const HeaderView& header) {
  const std::vector<Header>& headers = *header.headers;
  const std::size_t encodings = count(headers, "Transfer-Encoding");
  const std::size_t lengths = count(headers, "Content-Length");
  if (encodings > 0) {
    if (header.version < 11) return reject(400, "Transfer-Encoding in an HTTP/1.0 request");
    if (lengths > 0) return reject(400, "both Transfer-Encoding and Content-Length");
    if (encodings > 1 ||
        !equals_ignoring_case(find_header(headers, "Transfer-Encoding"), "chunked")) {
      return reject(400, "Transfer-Encoding other than exactly `chunked`");
    }
  }
  if (lengths > 1) return reject(400, "more than one Content-Length");
  if (lengths == 1) {
    const std::string_view value = find_header(headers, "Content-Length");
    const bool digits = !value.empty() && value.size() <= 18 &&
                        value.find_first_not_of("0123456789") == std::string_view::npos;
    if (!digits) return reject(400, "Content-Length is not a number");
  }
  if (count(headers, "Authorization") > 1) return reject(400, "more than one Authorization header");
  if (count(headers, "Trailer") > 0) return reject(400, "trailers are not accepted");
  const std::string_view expect = find_header(headers, "Expect");
  if (!expect.empty() && !equals_ignoring_case(expect, "100-continue")) {
    return reject(417, "an expectation other than 100-continue");
  }
  return std::nullopt;
}

std::optional<Rejection> check_host(const HeaderView& header, const PolicyOptions& options) {
  const std::size_t hosts = count(*header.headers, "Host");
  if (hosts != 1) return reject(400, hosts == 0 ? "no Host header" : "more than one Host header");
  const auto name = host_name(find_header(*header.headers, "Host"));
  if (!name) return reject(400, "a malformed Host header");
  const std::vector<std::string>& allowed = options.allowed_hosts;
  if (allowed.empty() || std::find(allowed.begin(), allowed.end(), *name) != allowed.end()) {
    return std::nullopt;
  }
  return reject(421, "this server does not answer for that Host");
}

// A page of another site must not be able to read or change anything here (request forgery, DNS
// rebinding). Links to the page itself may come from anywhere.
std::optional<Rejection> check_origin(const HeaderView& header) {
  // An escaped path may spell /api/ too.
  const std::string_view path = header.target.substr(0, header.target.find('?'));
  if ((path.starts_with("/api/") || path.find('%') != std::string_view::npos) &&
      equals_ignoring_case(find_header(*header.headers, "Sec-Fetch-Site"), "cross-site")) {
    return reject(403, "a request from another site");
  }
  if (header.method == "GET" || header.method == "HEAD" || header.method == "OPTIONS") {
    return std::nullopt;
  }
  const std::vector<Header>& headers = *header.headers;
  if (equals_ignoring_case(find_header(headers, "Sec-Fetch-Site"), "cross-site")) {
    return reject(403, "a request from another site");
  }
  if (count(headers, "Origin") == 0) return std::nullopt;
  const std::string_view origin = find_header(headers, "Origin");
  const std::string host(find_header(headers, "Host"));
  const bool same = equals_ignoring_case(origin, "http://" + host) ||
                    equals_ignoring_case(origin, "https://" + host);
  if (same && count(headers, "Origin") == 1) return std::nullopt;
  return reject(403, "a request from another origin");
}

bool is_port(std::string_view text) {
  return text.size() <= 5 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::optional<std::string> host_name(std::string_view host) {
  std::string_view name = host;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    name = host.substr(0, end + 1);
    if (name.find_first_not_of("[]0123456789abcdefABCDEF:.") != std::string_view::npos) {
      return std::nullopt;
    }
  } else {
    name = host.substr(0, host.find(':'));
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
             c == '.' || c == '-' || c == '_';
    });
    if (name.empty() || !plain) return std::nullopt;
  }
  const std::string_view rest = host.substr(name.size());
  if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) return std::nullopt;
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::optional<Rejection> check_header(const HeaderView& header, const PolicyOptions& options) {
  if (auto rejection = check_raw(header.raw)) return rejection;
  if (header.version != 10 && header.version != 11) return reject(505, "not HTTP/1.0 or HTTP/1.1");
  if (header.headers->size() > options.max_fields) return reject(431, "too many header fields");
  if (auto rejection = check_framing(header)) return rejection;
  if (auto rejection = check_host(header, options)) return rejection;
  return check_origin(header);
}

}  // namespace crucible::server::http
