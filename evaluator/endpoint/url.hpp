#pragma once

#include <string>
#include <string_view>

#include "merger/base/error.hpp"

namespace crucible::endpoint {

// Where an engine answers: "https://host:8000/v1". No user, query or fragment.
struct Url {
  bool tls = false;
  std::string host;  // a name, or an address without brackets
  std::string port;
  std::string path;  // "/v1", without a slash at the end; "" for the root

  std::string authority() const;  // what goes into Host: port only where it is not the scheme's own
  std::string text() const;
};

// kInvalidArgument says what an address looks like. Never repeats user and password of a wrong one.
Result<Url> parse_url(std::string_view text);

// Whether a model is named by an address instead of a folder: http:// or https://.
bool is_url(std::string_view text);

// Loopback, private, link-local, shared (100.64/10), multicast, unspecified: addresses that mean
// something else on every machine. `address` is IPv4 or IPv6 as text; false for anything else.
bool is_private_address(std::string_view address);
bool is_loopback_address(std::string_view address);

}  // namespace crucible::endpoint
