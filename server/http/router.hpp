#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/access/role.hpp"
#include "server/http/message.hpp"

namespace crucible::server::http {

using access::Role;

// Runs on a handler thread; may block. An exception becomes a 500 problem.
using Handler = std::function<Response(const Request&)>;

struct RouteOptions {
  std::size_t body_limit = 1 << 20;  // bytes; a larger body is 413
};

struct Route {
  std::string method;        // "GET"
  std::string pattern;       // "/api/v1/jobs/{id}"
  Role role = Role::kAdmin;  // the least that may call it
  RouteOptions options;
  Handler handler;
  std::vector<std::string> segments;
};

// A table of routes. Built before the server starts, then only read. Literal segments win over
// {names}.
class Router {
 public:
  void add(std::string method, std::string pattern, Role role, Handler handler,
           RouteOptions options = {});

  struct Match {
    const Route* route = nullptr;  // nullptr: no such path, or not with this method
    std::vector<std::string>
        allow;  // methods of the path, for 405 and OPTIONS; empty: no such path
    std::vector<std::pair<std::string, std::string>> path_values;
  };
  // HEAD finds GET routes.
  Match match(std::string_view method, const std::vector<std::string>& segments) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace crucible::server::http
