#pragma once

#include <optional>
#include <string>

#include "server/http/shared.hpp"

namespace crucible::server::http {

// Status line and header fields of an answer, ready to send. `close` says Connection: close. Field
// values lose CR and LF. An event stream has no length and always closes.
std::string answer_head(const Response& response, bool close);

// Answers that need no handler: OPTIONS, unknown paths, wrong methods. nullopt: call the route.
std::optional<Response> answer_without_handler(const Request& request, const Router::Match& match);

// Calls the handler; an exception becomes a 500 problem. Applies If-None-Match to a 200 with an
// ETag.
Response call_handler(const Route& route, const Request& request);

}  // namespace crucible::server::http
