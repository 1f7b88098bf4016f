#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {

void add_suites(http::Router& router, Service& service) {
  router.add("GET", path_of("/suites"), http::Role::kRead,
             [&service](const http::Request& request) {
               QueryReader query(request);
               if (auto refusal = query.finish()) return std::move(*refusal);
               const auto suites = service.suites();
               if (!suites) return http::problem(suites.error());
               return json_response(200, list_json(*suites));
             });
}

}  // namespace crucible::server::api
