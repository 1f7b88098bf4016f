#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "merger/base/error.hpp"
#include "server/access/role.hpp"

// Bearer tokens (RFC 6750): "cru_<id>_<secret>", 8 and 64 lower-case hexadecimal digits. The secret
// has 256 random bits and is shown once; only its SHA-256 is kept. No slow hash is needed: nobody
// can guess 256 bits.
namespace crucible::server::access {

// A token as it is kept and listed. Times in ms since the Unix epoch.
struct Token {
  std::string id;    // public part
  std::string name;  // unique for ever: jobs remember who submitted them by it
  Role role = Role::kRead;
  std::string digest;  // SHA-256 of the secret, hex
  std::int64_t created_at = 0;
  std::optional<std::int64_t> expires_at;
  std::optional<std::int64_t> revoked_at;

  bool is_valid(std::int64_t now) const {
    return !revoked_at && (!expires_at || now < *expires_at);
  }
};

struct IssuedToken {
  std::string text;  // to show once
  std::string id;
  std::string digest;
};
// Random bytes from the kernel. Error: kInternal when it gives none.
Result<IssuedToken> issue_token();

struct TokenText {
  std::string_view id;
  std::string_view secret;
};
// nullopt for anything that is not of the form above.
std::optional<TokenText> parse_token(std::string_view text);

// Whether `secret` is the one of `digest`; takes the same time for every wrong one.
bool matches(std::string_view secret, std::string_view digest);

}  // namespace crucible::server::access
