#include "server/http/router.hpp"

#include <algorithm>

namespace crucible::server::http {
namespace {

bool is_name(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

bool matches(const Route& route, const std::vector<std::string>& segments) {
  return std::equal(route.segments.begin(), route.segments.end(), segments.begin(), segments.end(),
                    [](const std::string& pattern, const std::string& segment) {
                      return is_name(pattern) ? !segment.empty() : pattern == segment;
                    });
}

std::size_t literals(const Route& route) {
  return static_cast<std::size_t>(
      std::count_if(route.segments.begin(), route.segments.end(),
                    [](const std::string& segment) { return !is_name(segment); }));
}

}  // namespace

void Router::add(std::string method, std::string pattern, Role role, Handler handler,
                 RouteOptions options) {
  Route route{std::move(method), std::move(pattern), role, options, std::move(handler), {}};
  std::string_view rest = std::string_view(route.pattern).substr(1);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    route.segments.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  routes_.push_back(std::move(route));
}

Router::Match Router::match(std::string_view method,
                            const std::vector<std::string>& segments) const {
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  Match match;
  std::size_t most = 0;
  for (const Route& route : routes_) {
    if (!matches(route, segments)) continue;
    match.allow.push_back(route.method);
    if (route.method == "GET") match.allow.emplace_back("HEAD");
    if (route.method != wanted) continue;
    if (match.route != nullptr && literals(route) <= most) continue;
    match.route = &route;
    most = literals(route);
  }
  if (!match.allow.empty()) match.allow.emplace_back("OPTIONS");
  std::sort(match.allow.begin(), match.allow.end());
  match.allow.erase(std::unique(match.allow.begin(), match.allow.end()), match.allow.end());
  if (match.route == nullptr) return match;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::string& pattern = match.route->segments[i];
    if (!is_name(pattern)) continue;
    match.path_values.emplace_back(pattern.substr(1, pattern.size() - 2), segments[i]);
  }
  return match;
}

}  // namespace crucible::server::http
