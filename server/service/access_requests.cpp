#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "server/service/daemon_service.hpp"
#include "server/store/sweeps.hpp"
#include "server/store/tokens.hpp"

// Tokens, and what belongs to whom.
namespace crucible::server {
namespace {

constexpr std::size_t kLongestName = 64;

// A change of the store and the book's new content belong together: otherwise a list that was read
// before a revocation could be loaded after it.
std::mutex& changes() {
  static std::mutex mutex;
  return mutex;
}

Status check_token_name(const std::string& name) {
  const bool plain = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
  if (!name.empty() && name.size() <= kLongestName && plain) return {};
  Error error{ErrorCode::kInvalidArgument, "the token cannot be made", {}};
  error.faults.push_back(
      {"name", fmt::format("must be 1 to {} letters, digits, `-`, `_` or `.`", kLongestName),
       "such as \"ci\" or \"anna-laptop\""});
  return fail(std::move(error));
}

Status owned(const std::string& submitter, const access::Principal& by, std::string_view what) {
  if (by.may(access::Role::kAdmin) || submitter == by.token) return {};
  return fail(ErrorCode::kPermission,
              fmt::format("{} was submitted with another token; only that one or an admin's may "
                          "change it",
                          what));
}

}  // namespace

Result<CreatedToken> DaemonService::create_token(const CreateToken& request) {
  if (auto status = check_token_name(request.name); !status) return fail(std::move(status).error());
  auto issued = access::issue_token();
  if (!issued) return fail(std::move(issued).error());
  access::Token token;
  token.id = issued->id;
  token.name = request.name;
  token.role = request.role;
  token.digest = issued->digest;
  token.created_at = parts_.clock.now();
  if (request.lifetime_ms) token.expires_at = token.created_at + *request.lifetime_ms;
  const std::lock_guard lock(changes());
  auto status = parts_.store.write(
      [&](store::Database& database) { return store::insert_token(database, token); });
  if (!status) return fail(std::move(status).error());
  auto all = tokens();
  if (!all) return fail(std::move(all).error());
  parts_.tokens.load(std::move(*all));
  return CreatedToken{std::move(token), std::move(issued->text)};
}

Result<std::vector<access::Token>> DaemonService::tokens() {
  return parts_.store.read([](store::Database& database) { return store::list_tokens(database); });
}

Result<access::Token> DaemonService::revoke_token(const std::string& id_or_name) {
  const std::lock_guard lock(changes());
  auto revoked = parts_.store.write([&](store::Database& database) {
    return store::revoke_token(database, id_or_name, parts_.clock.now());
  });
  if (!revoked) return revoked;
  auto all = tokens();
  if (!all) return fail(std::move(all).error());
  parts_.tokens.load(std::move(*all));
  return revoked;
}

Status DaemonService::check_quota(const access::Principal& principal, std::size_t wanted) {
  if (parts_.most_open_jobs == 0 || principal.may(access::Role::kAdmin)) return {};
  auto open = parts_.store.read(
      [&](store::Database& database) { return store::open_jobs(database, principal.token); });
  if (!open) return fail(std::move(open).error());
  const auto left =
      parts_.most_open_jobs - std::min(parts_.most_open_jobs, static_cast<std::size_t>(*open));
  if (wanted <= left) return {};
  return fail(ErrorCode::kUnavailable,
              fmt::format("{} jobs of this token are open and this needs {} more, but one may have "
                          "{}; wait for some to end",
                          *open, wanted, parts_.most_open_jobs));
}

Status DaemonService::check_owner(JobId id, const access::Principal& by) {
  auto stored = job(id);
  if (!stored) return fail(std::move(stored).error());
  return owned(stored->submitter, by, fmt::format("job {}", id));
}

Status DaemonService::check_sweep_owner(SweepId id, const access::Principal& by) {
  auto stored =
      parts_.store.read([&](store::Database& database) { return store::get_sweep(database, id); });
  if (!stored) return fail(std::move(stored).error());
  return owned(stored->sweep.submitter, by, fmt::format("sweep {}", id));
}

}  // namespace crucible::server
