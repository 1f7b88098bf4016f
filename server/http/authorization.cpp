#include "server/http/authorization.hpp"

#include <chrono>
#include <string>

#include "server/http/problem.hpp"

namespace crucible::server::http {
namespace {

std::int64_t now_ms() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

Response refusal(access::Refusal reason, Role needed) {
  using access::Refusal;
  switch (reason) {
    case Refusal::kMissing:
      return std::move(
          problem(401, "unauthorized",
                  "a token is needed: send `Authorization: Bearer TOKEN`; the daemon's "
                  "first token is in the file `token` of its state folder")
              .set("WWW-Authenticate", "Bearer realm=\"crucible\""));
    case Refusal::kInvalid:
      return std::move(
          problem(401, "unauthorized", "the token is unknown, expired or revoked")
              .set("WWW-Authenticate", "Bearer realm=\"crucible\", error=\"invalid_token\""));
    case Refusal::kTooMany:
      return std::move(
          problem(429, "too_many_requests", "too many invalid tokens came from this address")
              .set("Retry-After", std::to_string(access::kFailureWindowMs / 1000)));
    case Refusal::kForbidden:
      break;
  }
  return problem(403, "forbidden",
                 "this needs a token of the role " + std::string(access::to_string(needed)));
}

}  // namespace

Role role_needed(const Request& request, const Router::Match& match) {
  if (match.route != nullptr) return match.route->role;
  const bool hidden = !request.segments.empty() && request.segments.front() == "api";
  return hidden ? Role::kRead : Role::kPublic;
}

std::optional<Response> authorize(access::TokenBook* book, std::string_view remote,
                                  const Router::Match& match, Request& request) {
  for (const char* key : {"token", "access_token"}) {
    if (request.query_value(key)) {
      return problem(400, "invalid_request",
                     "a token in the URL ends up in logs: send it as `Authorization: Bearer`");
    }
  }
  if (book == nullptr) return std::nullopt;
  const Role needed = role_needed(request, match);
  if (needed == Role::kPublic) {
    request.principal = {"", Role::kPublic};
    return std::nullopt;
  }
  auto principal = book->check(request.header("Authorization"), remote, needed, now_ms());
  if (!principal) return refusal(principal.error(), needed);
  request.principal = std::move(*principal);
  return std::nullopt;
}

}  // namespace crucible::server::http
