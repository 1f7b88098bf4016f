#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "merger/base/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

// A thin owner of SQLite connections and statements. sqlite3.h stays in the source file. Every
// failure is a Result: SQLITE_FULL is kNoSpace, a broken constraint kConflict, a damaged file
// kCorrupt, a lock that outlasts the busy timeout kUnavailable, else kIo.
namespace crucible::server::store {

// One bound parameter. Unsigned 64-bit numbers keep their bits. Converts from what can be bound.
class Value {
 public:
  explicit(false) Value(std::nullptr_t) : value_(nullptr) {}
  template <std::integral T>
  explicit(false) Value(T number) : value_(static_cast<std::int64_t>(number)) {}
  explicit(false) Value(double number) : value_(number) {}
  explicit(false) Value(std::string_view text) : value_(std::string(text)) {}
  explicit(false) Value(std::string text) : value_(std::move(text)) {}
  explicit(false) Value(const char* text) : value_(std::string(text)) {}
  template <typename T>
  explicit(false) Value(const std::optional<T>& maybe) : Value(nullptr) {
    if (maybe) *this = Value(*maybe);
  }

  const auto& variant() const { return value_; }

 private:
  std::variant<std::nullptr_t, std::int64_t, double, std::string> value_;
};

// The current row of a running query; valid inside the callback only. Columns count from 0.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  std::int64_t integer(int column) const;
  std::uint64_t unsigned_integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  bool is_null(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;
  std::optional<double> optional_real(int column) const;
  std::optional<std::string> optional_text(int column) const;

 private:
  sqlite3_stmt* statement_;
};

enum class OpenMode { kWriter, kReader };

// One connection; one thread at a time. A writer is set up with WAL, synchronous=FULL, foreign keys
// and an untrusted schema; a reader is read-only and query_only.
class Database {
 public:
  static Result<Database> open(const std::filesystem::path& file, OpenMode mode);
  ~Database();
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;

  // Runs one statement that yields no rows that matter. The prepared form is kept.
  Status execute(std::string_view sql, std::initializer_list<Value> values = {});
  // Several statements, no parameters, not kept: migrations.
  Status execute_script(std::string_view sql);
  Status for_each(std::string_view sql, std::span<const Value> values,
                  const std::function<void(const Row&)>& visit);

  template <typename Map>
  auto query(std::string_view sql, std::span<const Value> values, Map map)
      -> Result<std::vector<decltype(map(std::declval<const Row&>()))>> {
    std::vector<decltype(map(std::declval<const Row&>()))> found;
    auto status = for_each(sql, values, [&](const Row& row) { found.push_back(map(row)); });
    if (!status) return fail(std::move(status).error());
    return found;
  }
  template <typename Map>
  auto query(std::string_view sql, std::initializer_list<Value> values, Map map) {
    return query(sql, std::span<const Value>(values.begin(), values.size()), std::move(map));
  }
  // The first row, if any.
  template <typename Map>
  auto query_one(std::string_view sql, std::initializer_list<Value> values, Map map)
      -> Result<std::optional<decltype(map(std::declval<const Row&>()))>> {
    auto rows = query(sql, values, std::move(map));
    if (!rows) return fail(std::move(rows).error());
    if (rows->empty()) return std::nullopt;
    return std::move(rows->front());
  }

  // A copy of the whole database as it is now, in a new file; other connections go on.
  Status copy_to(const std::filesystem::path& file);

  std::int64_t changes() const;         // rows of the latest INSERT, UPDATE or DELETE
  std::int64_t last_insert_id() const;  // of the latest INSERT
  bool in_transaction() const;
  // The connection's failure of a durable write (not a lack of space): nothing written after it can
  // be trusted.
  bool write_failed() const { return write_failed_; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using StatementPointer = std::unique_ptr<sqlite3_stmt, Finalize>;

  explicit Database(sqlite3* handle) : handle_(handle) {}
  Result<sqlite3_stmt*> prepare(std::string_view sql);
  Status configure(OpenMode mode);
  tl::unexpected<Error> failure(std::string_view what);

  std::unique_ptr<sqlite3, Close> handle_;
  std::unordered_map<std::string, StatementPointer>
      statements_;  // by text, destroyed before handle_
  bool write_failed_ = false;
};

// BEGIN IMMEDIATE … COMMIT; rolled back when destroyed before commit().
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  ~Transaction();
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  Status commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace crucible::server::store
