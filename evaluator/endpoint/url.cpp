#include "evaluator/endpoint/url.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <initializer_list>
#include <optional>

namespace crucible::endpoint {
namespace {

namespace ip = boost::asio::ip;

constexpr std::size_t kLongestUrl = 2048;

tl::unexpected<Error> wrong(std::string_view why) {
  return fail(ErrorCode::kInvalidArgument,
              "the endpoint's address " + std::string(why) +
                  "; it looks like http://127.0.0.1:8000/v1 or https://host/v1");
}

bool is_port(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0 && value < 65536;
}

bool plain(char c) { return c > ' ' && c < 127 && c != '"' && c != '<' && c != '>' && c != '\\'; }

std::optional<ip::address> address_of(std::string_view text) {
  boost::system::error_code error;
  auto address = ip::make_address(std::string(text), error);
  if (error) return std::nullopt;
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return ip::address(ip::make_address_v4(ip::v4_mapped, address.to_v6()));
  }
  return address;
}

bool is_private(const ip::address_v4& address) {
  struct Range {
    std::uint32_t network;
    unsigned bits;
  };
  // RFC 6890 and its successors: not globally reachable.
  static constexpr Range kRanges[] = {
      {0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},  {0xA9FE0000, 16},
      {0xAC100000, 12}, {0xC0000000, 24}, {0xC0A80000, 16}, {0xC6120000, 15}, {0xC0000200, 24},
      {0xC6336400, 24}, {0xCB007100, 24}, {0xE0000000, 4},  {0xF0000000, 4}};
  const std::uint32_t value = address.to_uint();
  return std::any_of(std::begin(kRanges), std::end(kRanges), [value](const Range& range) {
    return (value ^ range.network) >> (32 - range.bits) == 0;
  });
}

bool is_private(const ip::address_v6& address) {
  const auto bytes = address.to_bytes();
  const bool unique_local = (bytes[0] & 0xFEU) == 0xFC;
  const auto begins = [&bytes](std::initializer_list<unsigned char> start) {
    return std::equal(start.begin(), start.end(), bytes.begin());
  };
  // These carry an IPv4 address: translated (64:ff9b::/96), compatible (::/96), 6to4 (2002::/16).
  if (begins({0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0}) ||
      begins({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) {
    return is_private(ip::address_v4({bytes[12], bytes[13], bytes[14], bytes[15]}));
  }
  if (begins({0x20, 0x02}))
    return is_private(ip::address_v4({bytes[2], bytes[3], bytes[4], bytes[5]}));
  // Local translation, discard, Teredo and other protocols' own, documentation.
  if (begins({0, 0x64, 0xFF, 0x9B, 0, 1}) || begins({1, 0, 0, 0, 0, 0, 0, 0}) ||
      (begins({0x20, 0x01}) && bytes[2] < 2) || begins({0x20, 0x01, 0x0D, 0xB8})) {
    return true;
  }
  return address.is_loopback() || address.is_unspecified() || address.is_link_local() ||
         address.is_site_local() || address.is_multicast() || unique_local;
}

}  // namespace

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (tls ? "443" : "80") ? name : name + ":" + port;
}

std::string Url::text() const { return (tls ? "https://" : "http://") + authority() + path; }

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  if (!is_url(text)) return wrong("must begin with http:// or https://");
  if (text.size() > kLongestUrl) return wrong("is too long");
  if (!std::all_of(text.begin(), text.end(), plain)) {
    return wrong("holds characters that must be percent-encoded");
  }
  url.tls = text.starts_with("https://");
  text.remove_prefix(url.tls ? 8 : 7);
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view authority = text.substr(0, slash);
  std::string_view path = text.substr(slash);
  if (authority.find('@') != std::string_view::npos) {
    return wrong("must not hold a user or password; give the key by --api-key-env");
  }
  if (text.find_first_of("?#") != std::string_view::npos) {
    return wrong("must have no query and no fragment");
  }
  while (path.ends_with('/')) path.remove_suffix(1);
  url.path = path;
  std::string_view host = authority;
  std::string_view port = url.tls ? "443" : "80";
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
  }
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return wrong("has an unclosed bracket");
    host = host.substr(1, host.size() - 2);
    const auto address = address_of(host);
    if (!address) return wrong("has no IPv6 address between its brackets");
  } else if (host.find(':') != std::string_view::npos) {
    return wrong("must have an IPv6 address in brackets");
  }
  if (host.empty() || !is_port(port)) return wrong("needs a host and a port between 1 and 65535");
  url.host = host;
  url.port = port;
  return url;
}

bool is_private_address(std::string_view text) {
  const auto address = address_of(text);
  if (!address) return false;
  return address->is_v4() ? is_private(address->to_v4()) : is_private(address->to_v6());
}

bool is_loopback_address(std::string_view text) {
  const auto address = address_of(text);
  return address && address->is_loopback();
}

}  // namespace crucible::endpoint
