#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/access/token.hpp"

namespace crucible::server::access {

// Why a request was not let in.
enum class Refusal {
  kMissing,   // no token
  kInvalid,   // unknown, malformed, expired or revoked: the answer does not say which
  kTooMany,   // too many invalid ones from this address of late; valid ones still pass
  kForbidden  // a valid token whose role is too small
};

// All tokens, in memory: what the HTTP edge asks before it reads a body. Thread-safe, never blocks
// on a file.
class TokenBook {
 public:
  // Replaces what is known; called after each change of the store.
  void load(std::vector<Token> tokens);

  // `authorization` is the header's value, `remote` the peer's address, `now` in ms.
  tl::expected<Principal, Refusal> check(std::string_view authorization, std::string_view remote,
                                         Role needed, std::int64_t now);

 private:
  using Tokens = std::map<std::string, Token, std::less<>>;
  bool is_flooding(std::string_view remote, std::int64_t now);

  std::mutex mutex_;
  std::shared_ptr<const Tokens> tokens_ = std::make_shared<Tokens>();
  std::map<std::string, std::deque<std::int64_t>, std::less<>> failures_;  // times, by address
};

inline constexpr std::size_t kMostFailures = 30;  // of one address within kFailureWindowMs
inline constexpr std::int64_t kFailureWindowMs = 60'000;

}  // namespace crucible::server::access
