#pragma once

#include <span>
#include <string_view>

#include "server/store/sqlite.hpp"

// Brings a database to the schema this program was built for. The steps are migrations/NNNN_*.sql,
// compiled in; PRAGMA user_version counts the applied ones, schema_steps keeps the digest of each.
namespace crucible::server::store {

inline constexpr std::int64_t kApplicationId = 0x43525543;  // "CRUC", in PRAGMA application_id

struct Migration {
  std::string_view name;  // "0001_initial"
  std::string_view sql;
};

std::span<const Migration> compiled_migrations();

// Forward only, one transaction a step. kConflict: the file belongs to another program, was written
// by a newer version, or one of its steps differs from the one compiled in.
Status migrate(Database& database, std::span<const Migration> migrations);

}  // namespace crucible::server::store
