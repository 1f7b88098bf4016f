#include "server/store/migrator.hpp"

#include <fmt/format.h>

#include "merger/base/digest.hpp"

namespace crucible::server::store {
namespace {

Result<std::int64_t> pragma(Database& database, std::string_view sql) {
  auto value = database.query_one(sql, {}, [](const Row& row) { return row.integer(0); });
  if (!value) return fail(std::move(value).error());
  return value->value_or(0);
}

Status check_owner(Database& database) {
  auto id = pragma(database, "PRAGMA application_id");
  if (!id) return fail(std::move(id).error());
  if (*id == kApplicationId) return {};
  auto tables = pragma(database, "SELECT count(*) FROM sqlite_schema");
  if (!tables) return fail(std::move(tables).error());
  if (*id != 0 || *tables != 0) {
    return fail(ErrorCode::kConflict,
                "the database belongs to another program; choose another state directory");
  }
  return database.execute_script(
      fmt::format("BEGIN IMMEDIATE; PRAGMA application_id={};"
                  "CREATE TABLE schema_steps (version INTEGER PRIMARY KEY, name TEXT NOT NULL,"
                  " digest TEXT NOT NULL) STRICT; COMMIT;",
                  kApplicationId));
}

Status check_applied(Database& database, std::span<const Migration> migrations) {
  struct Step {
    std::int64_t version;
    std::string digest;
  };
  auto steps = database.query("SELECT version, digest FROM schema_steps ORDER BY version", {},
                              [](const Row& row) { return Step{row.integer(0), row.text(1)}; });
  if (!steps) return fail(std::move(steps).error());
  for (const Step& step : *steps) {
    const auto index = static_cast<std::size_t>(step.version) - 1;
    if (index >= migrations.size()) {
      return fail(ErrorCode::kConflict,
                  fmt::format("the database has schema {}, this program knows {}; run the newer "
                              "program",
                              step.version, migrations.size()));
    }
    if (sha256(migrations[index].sql).hex() != step.digest) {
      return fail(ErrorCode::kConflict,
                  fmt::format("schema step {} of the database is not the one this program was "
                              "built with",
                              migrations[index].name));
    }
  }
  return {};
}

// A step may make a table anew that others refer to.
Status check_references(Database& database) {
  auto broken =
      database.query("PRAGMA foreign_key_check", {}, [](const Row& row) { return row.text(0); });
  if (!broken) return fail(std::move(broken).error());
  if (broken->empty()) return {};
  return fail(ErrorCode::kCorrupt,
              "rows of " + broken->front() + " refer to rows that are not there");
}

Status apply(Database& database, const Migration& migration, std::size_t version) {
  auto transaction = Transaction::begin(database);
  if (!transaction) return fail(std::move(transaction).error());
  if (auto status = database.execute_script(migration.sql); !status) return status;
  if (auto status =
          database.execute("INSERT INTO schema_steps (version, name, digest) VALUES (?, ?, ?)",
                           {version, migration.name, sha256(migration.sql).hex()});
      !status) {
    return status;
  }
  if (auto status = database.execute_script(fmt::format("PRAGMA user_version={};", version));
      !status) {
    return status;
  }
  if (auto status = check_references(database); !status) return status;
  return transaction->commit();
}

}  // namespace

Status migrate(Database& database, std::span<const Migration> migrations) {
  if (auto status = check_owner(database); !status) return status;
  if (auto status = check_applied(database, migrations); !status) return status;
  auto version = pragma(database, "PRAGMA user_version");
  if (!version) return fail(std::move(version).error());
  if (static_cast<std::size_t>(*version) >= migrations.size()) return {};
  // Without effect inside a transaction, so it is switched here.
  if (auto status = database.execute_script("PRAGMA foreign_keys=OFF;"); !status) return status;
  for (auto next = static_cast<std::size_t>(*version); next < migrations.size(); ++next) {
    if (auto status = apply(database, migrations[next], next + 1); !status) {
      return fail(std::move(status).error().with_context(
          fmt::format("schema step {}", migrations[next].name)));
    }
  }
  return database.execute_script("PRAGMA foreign_keys=ON;");
}

}  // namespace crucible::server::store
