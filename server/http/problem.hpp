#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "server/http/message.hpp"

namespace crucible::server::http {

int status_of(ErrorCode code);
std::string_view reason_phrase(int status);

// Gives the JSON pointer into the request's body for a fault's path ("#/recipe/slices/2").
using PointerOf = std::function<std::string(std::string_view path)>;
// application/problem+json (RFC 9457). Without `pointer_of` the faults carry no pointers (a body
// that is not JSON).
Response problem(const Error& error, const PointerOf& pointer_of = nullptr);
// Of a query, a cursor or a body that is no JSON: 400 where problem() says 422.
Response request_problem(const Error& error);
// One without an Error: 404 of a path, 405, 415 and the like.
Response problem(int status, std::string_view code, std::string_view detail);

// "slices[2].sources[0].layer_range" → "/slices/2/sources/0/layer_range" (RFC 6901 escapes); ""
// when the text is not a path.
std::string json_pointer(std::string_view path);

}  // namespace crucible::server::http
