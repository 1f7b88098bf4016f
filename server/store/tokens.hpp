#pragma once

#include <vector>

#include "server/access/token.hpp"
#include "server/service/records.hpp"
#include "server/store/sqlite.hpp"

// Rows of tokens. They are never deleted: a name stays taken.
namespace crucible::server::store {

// kConflict when the name was used before.
Status insert_token(Database& database, const access::Token& token);
Result<std::vector<access::Token>> list_tokens(Database& database);  // oldest first
// By id or name. kNotFound; again is fine and keeps the first time.
Result<access::Token> revoke_token(Database& database, std::string_view id_or_name, TimeMs at);

}  // namespace crucible::server::store
