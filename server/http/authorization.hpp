#pragma once

#include <optional>

#include "server/access/token_book.hpp"
#include "server/http/router.hpp"

// Who a request comes from, decided between its header and its body.
namespace crucible::server::http {

// The least role for a match; paths that no route has are hidden from strangers below /api.
Role role_needed(const Request& request, const Router::Match& match);

// Fills in request.principal, or gives the 401, 403 or 429 answer. Without a book nobody is asked.
// Does not block.
std::optional<Response> authorize(access::TokenBook* book, std::string_view remote,
                                  const Router::Match& match, Request& request);

}  // namespace crucible::server::http
