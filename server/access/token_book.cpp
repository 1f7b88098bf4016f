#include "server/access/token_book.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace crucible::server::access {
namespace {

constexpr std::size_t kMostAddresses = 4096;
constexpr std::string_view kScheme = "bearer ";

// What follows the scheme; "" for another one.
std::string_view bearer(std::string_view authorization) {
  if (authorization.size() < kScheme.size()) return {};
  const bool same = std::equal(
      kScheme.begin(), kScheme.end(), authorization.begin(),
      [](char want, char have) { return want == std::tolower(static_cast<unsigned char>(have)); });
  if (!same) return {};
  authorization.remove_prefix(kScheme.size());
  const std::size_t first = std::min(authorization.find_first_not_of(' '), authorization.size());
  authorization.remove_prefix(first);
  return authorization;
}

}  // namespace

void TokenBook::load(std::vector<Token> tokens) {
  auto fresh = std::make_shared<Tokens>();
  for (Token& token : tokens) {
    std::string id = token.id;
    fresh->emplace(std::move(id), std::move(token));
  }
  const std::lock_guard lock(mutex_);
  tokens_ = std::move(fresh);
}

// Notes one failure and says whether there were too many.
bool TokenBook::is_flooding(std::string_view remote, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  if (failures_.size() >= kMostAddresses) {
    std::erase_if(failures_, [now](const auto& entry) {
      return entry.second.empty() || entry.second.back() <= now - kFailureWindowMs;
    });
  }
  // With no room for another address, all further ones are counted as one.
  const bool fits = failures_.size() < kMostAddresses || failures_.contains(remote);
  auto& times = failures_[fits ? std::string(remote) : "others"];
  // A clock that was set back must not keep anybody out.
  while (!times.empty() && (times.front() <= now - kFailureWindowMs || times.front() > now)) {
    times.pop_front();
  }
  if (times.size() >= kMostFailures) return true;
  times.push_back(now);
  return false;
}

tl::expected<Principal, Refusal> TokenBook::check(std::string_view authorization,
                                                  std::string_view remote, Role needed,
                                                  std::int64_t now) {
  if (authorization.empty()) return tl::make_unexpected(Refusal::kMissing);
  std::shared_ptr<const Tokens> tokens;
  {
    const std::lock_guard lock(mutex_);
    tokens = tokens_;
  }
  const auto text = parse_token(bearer(authorization));
  const auto found = text ? tokens->find(text->id) : tokens->end();
  if (found == tokens->end() || !matches(text->secret, found->second.digest) ||
      !found->second.is_valid(now)) {
    return tl::make_unexpected(is_flooding(remote, now) ? Refusal::kTooMany : Refusal::kInvalid);
  }
  Principal principal{found->second.name, found->second.role};
  if (!principal.may(needed)) return tl::make_unexpected(Refusal::kForbidden);
  return principal;
}

}  // namespace crucible::server::access
