#include "server/store/store.hpp"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "server/store/migrator.hpp"

namespace crucible::server::store {
namespace {

Status check(Database& database) {
  auto verdict =
      database.query_one("PRAGMA quick_check(1)", {}, [](const Row& row) { return row.text(0); });
  if (!verdict) return fail(std::move(verdict).error());
  if (verdict->value_or("ok") != "ok") {
    return fail(ErrorCode::kCorrupt,
                fmt::format("the database is damaged ({}); restore a backup", **verdict));
  }
  auto orphan = database.query_one("PRAGMA foreign_key_check", {},
                                   [](const Row& row) { return row.text(0); });
  if (!orphan) return fail(std::move(orphan).error());
  if (*orphan) {
    return fail(
        ErrorCode::kCorrupt,
        fmt::format("table {} refers to rows that do not exist; restore a backup", **orphan));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ReaderPool>> ReaderPool::open(const std::filesystem::path& file,
                                                     std::size_t connections) {
  auto pool = std::make_unique<ReaderPool>();
  for (std::size_t i = 0; i < connections; ++i) {
    auto database = Database::open(file, OpenMode::kReader);
    if (!database) return fail(std::move(database).error());
    pool->idle_.push_back(std::make_unique<Database>(std::move(*database)));
  }
  return pool;
}

std::unique_ptr<Database> ReaderPool::take() {
  std::unique_lock lock(mutex_);
  free_.wait(lock, [this] { return !idle_.empty(); });
  auto database = std::move(idle_.back());
  idle_.pop_back();
  return database;
}

void ReaderPool::give_back(std::unique_ptr<Database> database) {
  {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(database));
  }
  free_.notify_one();
}

Status ReaderPool::run(const std::function<Status(Database&)>& work) {
  auto database = take();
  Status outcome = database->execute("BEGIN");
  if (outcome) {
    try {
      outcome = work(*database);
    } catch (const std::exception& exception) {
      outcome = fail(ErrorCode::kInternal, std::string("in a store query: ") + exception.what());
    }
    (void)database->execute("ROLLBACK");  // nothing was written
  }
  give_back(std::move(database));
  return outcome;
}

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& file, std::size_t readers) {
  auto database = Database::open(file, OpenMode::kWriter);
  if (!database) return fail(std::move(database).error());
  if (auto status = check(*database); !status) return fail(std::move(status).error());
  if (auto status = migrate(*database, compiled_migrations()); !status) {
    return fail(std::move(status).error().with_context(file.string()));
  }
  std::unique_ptr<Store> store(new Store());
  store->writer_ = std::make_unique<Writer>(std::move(*database));
  auto pool = ReaderPool::open(file, readers);
  if (!pool) return fail(std::move(pool).error());
  store->readers_ = std::move(*pool);
  return store;
}

}  // namespace crucible::server::store
