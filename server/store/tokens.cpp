#include "server/store/tokens.hpp"

#include <fmt/format.h>

namespace crucible::server::store {
namespace {

constexpr std::string_view kColumns = "id, name, role, digest, created_at, expires_at, revoked_at";

access::Token token_from(const Row& row) {
  access::Token token;
  token.id = row.text(0);
  token.name = row.text(1);
  token.role = access::role_from(row.text(2)).value_or(access::Role::kRead);
  token.digest = row.text(3);
  token.created_at = row.integer(4);
  token.expires_at = row.optional_integer(5);
  token.revoked_at = row.optional_integer(6);
  return token;
}

Result<std::optional<access::Token>> find_token(Database& database, std::string_view id_or_name) {
  return database.query_one(
      fmt::format("SELECT {} FROM tokens WHERE id = ? OR name = ? ORDER BY id <> ? LIMIT 1",
                  kColumns),
      {id_or_name, id_or_name, id_or_name}, token_from);
}

}  // namespace

Status insert_token(Database& database, const access::Token& token) {
  auto taken = find_token(database, token.name);
  if (!taken) return fail(std::move(taken).error());
  if (*taken) {
    Error error{ErrorCode::kConflict, "there is, or was, a token of that name", {}};
    error.faults.push_back({"name", "is taken", "choose another name; names are never reused"});
    return fail(std::move(error));
  }
  return database.execute(
      "INSERT INTO tokens (id, name, role, digest, created_at, expires_at) "
      "VALUES (?, ?, ?, ?, ?, ?)",
      {token.id, token.name, access::to_string(token.role), token.digest, token.created_at,
       token.expires_at});
}

Result<std::vector<access::Token>> list_tokens(Database& database) {
  return database.query(fmt::format("SELECT {} FROM tokens ORDER BY created_at, id", kColumns), {},
                        token_from);
}

Result<access::Token> revoke_token(Database& database, std::string_view id_or_name, TimeMs at) {
  auto found = find_token(database, id_or_name);
  if (!found) return fail(std::move(found).error());
  if (!*found) {
    return fail(ErrorCode::kNotFound, fmt::format("there is no token \"{}\"", id_or_name));
  }
  access::Token& token = **found;
  if (token.revoked_at) return std::move(token);
  auto status = database.execute("UPDATE tokens SET revoked_at = ? WHERE id = ?", {at, token.id});
  if (!status) return fail(std::move(status).error());
  token.revoked_at = at;
  return std::move(token);
}

}  // namespace crucible::server::store
