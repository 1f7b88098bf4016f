#include "server/api/openapi.hpp"
#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {
namespace {

http::Response plain(std::string type, std::string body) {
  http::Response response;
  response.content_type = std::move(type);
  response.body = std::move(body);
  response.set("Cache-Control", "no-store");
  return response;
}

}  // namespace

void add_health(http::Router& router, Service& service) {
  router.add("GET", "/healthz", http::Role::kPublic,
             [](const http::Request&) { return json_response(200, Json{{"status", "ok"}}); });
  router.add("GET", "/readyz", http::Role::kPublic, [&service](const http::Request&) {
    const auto ready = service.ready();
    if (ready) return json_response(200, Json{{"status", "ready"}});
    http::Response response = http::problem(503, "unavailable", ready.error().message);
    return response;
  });
  router.add("GET", "/metrics", http::Role::kRead, [&service](const http::Request&) {
    return plain("text/plain; version=0.0.4; charset=utf-8", service.metrics_text());
  });
  for (const std::string& path : {std::string("/openapi.json"), path_of("/openapi.json")}) {
    router.add("GET", path, http::Role::kPublic,
               [](const http::Request&) { return plain("application/json", openapi_json()); });
  }
}

}  // namespace crucible::server::api
