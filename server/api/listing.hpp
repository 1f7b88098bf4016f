#pragma once

#include <algorithm>
#include <string>

#include "server/api/request_reader.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {

// A list that the service returns whole, cut into pages where the query asks for it: `limit` (1 to
// 500) and `cursor` (the id of the last item seen). Without `limit` everything comes at once.
template <typename T>
http::Response list_response(QueryReader& query, Result<std::vector<T>> items) {
  const auto limit = query.integer("limit", 1, 500);
  const auto cursor = query.integer("cursor", 1, std::int64_t{1} << 62);
  if (auto refusal = query.finish()) return std::move(*refusal);
  if (!items) return http::problem(items.error());
  auto first = items->begin();
  if (cursor) {
    first = std::find_if(items->begin(), items->end(),
                         [&](const T& item) { return item.id == *cursor; });
    if (first != items->end()) ++first;
  }
  const auto rest = static_cast<std::size_t>(items->end() - first);
  const std::size_t count = limit ? std::min(rest, static_cast<std::size_t>(*limit)) : rest;
  std::vector<T> page(first, first + static_cast<std::ptrdiff_t>(count));
  return json_response(200, list_json(page, count < rest ? std::to_string(page.back().id) : ""));
}

}  // namespace crucible::server::api
