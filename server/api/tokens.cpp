#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::uint64_t kMostDays = 3650;

std::string own_pointer(std::string_view path) { return "#" + http::json_pointer(path); }

http::Response create(Service& service, const http::Request& request) {
  auto body = json_object(request);
  if (!body) return std::move(body.error());
  FieldReader fields(*body);
  CreateToken wanted;
  wanted.name = fields.text("name", true);
  const std::string role = fields.choice("role", {"read", "submit", "admin"});
  wanted.role = access::role_from(role).value_or(access::Role::kRead);
  const std::uint64_t days = fields.natural("days");
  if (days > kMostDays) fields.fault("days", "must be at most " + std::to_string(kMostDays));
  if (days > 0) wanted.lifetime_ms = static_cast<std::int64_t>(days) * kDayMs;
  if (auto refusal = fields.finish()) return std::move(*refusal);
  const auto created = service.create_token(wanted);
  if (!created) return http::problem(created.error(), own_pointer);
  Json json = to_json(created->token);
  json["token"] = created->text;
  http::Response response = json_response(201, json);
  response.set("Location", path_of("/tokens/" + created->token.id));
  return response;
}

}  // namespace

void add_tokens(http::Router& router, Service& service) {
  router.add("POST", path_of("/tokens"), http::Role::kAdmin,
             [&service](const http::Request& request) { return create(service, request); });
  router.add("GET", path_of("/tokens"), http::Role::kAdmin,
             [&service](const http::Request& request) {
               QueryReader query(request);
               if (auto refusal = query.finish()) return std::move(*refusal);
               const auto tokens = service.tokens();
               if (!tokens) return http::problem(tokens.error());
               return json_response(200, list_json(*tokens));
             });
  router.add("POST", path_of("/tokens/{id}/revoke"), http::Role::kAdmin,
             [&service](const http::Request& request) {
               const auto revoked = service.revoke_token(request.path_value("id"));
               if (!revoked) return http::problem(revoked.error());
               return json_response(200, to_json(*revoked));
             });
  router.add("GET", path_of("/whoami"), http::Role::kRead, [](const http::Request& request) {
    return json_response(200, Json{{"token", request.principal.token},
                                   {"role", access::to_string(request.principal.role)}});
  });
}

}  // namespace crucible::server::api
