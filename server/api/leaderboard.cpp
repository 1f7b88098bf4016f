#include "merger/base/digest.hpp"
#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {

void add_leaderboard(http::Router& router, Service& service) {
  router.add("GET", path_of("/leaderboard"), http::Role::kRead, [&service](const http::Request& request) {
    QueryReader query(request);
    LeaderboardQuery wanted;
    const std::string sort = query.text("sort");
    if (!sort.empty()) wanted.sort = sort;
    // Scores fall by default, names rise.
    const std::string order = query.choice("order", {"asc", "desc"});
    wanted.descending = order.empty() ? wanted.sort != "name" : order == "desc";
    wanted.merge_method = query.text("method");
    wanted.suites = query.list("suites");
    if (auto refusal = query.finish()) return std::move(*refusal);
    const auto board = service.leaderboard(wanted);
    if (!board) return http::request_problem(board.error());
    http::Response response;
    response.content_type = "application/json";
    response.body = dump(to_json(*board));
    response.set("ETag", "\"" + sha256(response.body).hex().substr(0, 32) + "\"");
    response.set("Cache-Control", "no-cache");
    return response;
  });
}

}  // namespace crucible::server::api
