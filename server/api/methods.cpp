#include "merger/recipe/method_info.hpp"

#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"

namespace crucible::server::api {

void add_methods(http::Router& router) {
  router.add("GET", path_of("/methods"), http::Role::kRead, [](const http::Request& request) {
    QueryReader query(request);
    if (auto refusal = query.finish()) return std::move(*refusal);
    const auto methods = recipe::methods();
    return json_response(
        200, list_json(std::vector<recipe::MethodInfo>(methods.begin(), methods.end())));
  });
}

}  // namespace crucible::server::api
