#include "server/store/sqlite.hpp"

#include <sqlite3.h>

#include <fmt/format.h>

#include <utility>

namespace crucible::server::store {
namespace {

constexpr int kBusyTimeoutMs = 5000;

ErrorCode code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_FULL:
      return ErrorCode::kNoSpace;
    case SQLITE_CONSTRAINT:
      return ErrorCode::kConflict;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::kUnavailable;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return ErrorCode::kPermission;
    case SQLITE_MISUSE:
    case SQLITE_ERROR:
    case SQLITE_RANGE:
      return ErrorCode::kInternal;
    default:
      return ErrorCode::kIo;
  }
}

int bind(sqlite3_stmt* statement, int index, const Value& value) {
  struct Binder {
    sqlite3_stmt* statement;
    int index;
    int operator()(std::nullptr_t) const { return sqlite3_bind_null(statement, index); }
    int operator()(std::int64_t number) const {
      return sqlite3_bind_int64(statement, index, number);
    }
    int operator()(double number) const { return sqlite3_bind_double(statement, index, number); }
    int operator()(const std::string& text) const {
      return sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_TRANSIENT,
                                 SQLITE_UTF8);
    }
  };
  return std::visit(Binder{statement, index}, value.variant());
}

}  // namespace

std::int64_t Row::integer(int column) const { return sqlite3_column_int64(statement_, column); }
std::uint64_t Row::unsigned_integer(int column) const {
  return static_cast<std::uint64_t>(integer(column));
}
double Row::real(int column) const { return sqlite3_column_double(statement_, column); }
std::string Row::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}
bool Row::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
std::optional<std::int64_t> Row::optional_integer(int column) const {
  return is_null(column) ? std::nullopt : std::optional(integer(column));
}
std::optional<double> Row::optional_real(int column) const {
  return is_null(column) ? std::nullopt : std::optional(real(column));
}
std::optional<std::string> Row::optional_text(int column) const {
  return is_null(column) ? std::nullopt : std::optional(text(column));
}

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
void Database::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Database::~Database() = default;
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&& other) noexcept {
  statements_ = std::move(other.statements_);  // finalises ours before our handle closes
  handle_ = std::move(other.handle_);
  write_failed_ = other.write_failed_;
  return *this;
}

Result<Database> Database::open(const std::filesystem::path& file, OpenMode mode) {
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (mode == OpenMode::kWriter ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                               : SQLITE_OPEN_READONLY);
  sqlite3* handle = nullptr;
  const int result = sqlite3_open_v2(file.c_str(), &handle, flags, nullptr);
  Database database(handle);
  if (result != SQLITE_OK) {
    return fail(code_of(result), fmt::format("opening {}: {}", file.string(),
                                             handle ? sqlite3_errmsg(handle) : "out of memory"));
  }
  if (auto status = database.configure(mode); !status) {
    return fail(std::move(status).error().with_context(fmt::format("opening {}", file.string())));
  }
  return database;
}

Status Database::configure(OpenMode mode) {
  sqlite3_busy_timeout(handle_.get(), kBusyTimeoutMs);
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  if (auto status = execute_script("PRAGMA foreign_keys=ON; PRAGMA cell_size_check=ON;"); !status) {
    return status;
  }
  if (mode == OpenMode::kReader) return execute_script("PRAGMA query_only=ON;");
  // Where the file cannot be opened for writing, for whatever passing reason, SQLite is content
  // with reading it.
  if (sqlite3_db_readonly(handle_.get(), "main") != 0) {
    return fail(ErrorCode::kIo, "it can only be read");
  }
  auto journal =
      query_one("PRAGMA journal_mode=WAL", {}, [](const Row& row) { return row.text(0); });
  if (!journal) return fail(std::move(journal).error());
  if (*journal != "wal") {
    return fail(ErrorCode::kUnsupported,
                "the file system does not carry SQLite's write-ahead log; put the state directory "
                "on a local disk");
  }
  return execute_script("PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864;");
}

tl::unexpected<Error> Database::failure(std::string_view what) {
  const int result = sqlite3_extended_errcode(handle_.get());
  if ((result & 0xff) == SQLITE_IOERR) write_failed_ = true;
  return fail(code_of(result),
              fmt::format("database: {}: {}", what, sqlite3_errmsg(handle_.get())));
}

Result<sqlite3_stmt*> Database::prepare(std::string_view sql) {
  const std::string text(sql);
  if (const auto found = statements_.find(text); found != statements_.end()) {
    return found->second.get();
  }
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_.get(), text.data(), static_cast<int>(text.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return failure(sql);
  }
  statements_.emplace(text, StatementPointer(statement));
  return statement;
}

Status Database::execute(std::string_view sql, std::initializer_list<Value> values) {
  return for_each(sql, std::span<const Value>(values.begin(), values.size()), [](const Row&) {});
}

Status Database::for_each(std::string_view sql, std::span<const Value> values,
                          const std::function<void(const Row&)>& visit) {
  auto prepared = prepare(sql);
  if (!prepared) return fail(std::move(prepared).error());
  sqlite3_stmt* statement = *prepared;
  struct Reset {
    sqlite3_stmt* statement;
    ~Reset() {
      sqlite3_reset(statement);
      sqlite3_clear_bindings(statement);
    }
  } const reset{statement};
  if (static_cast<std::size_t>(sqlite3_bind_parameter_count(statement)) != values.size()) {
    return fail(ErrorCode::kInternal, fmt::format("wrong number of parameters for: {}", sql));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (bind(statement, static_cast<int>(i) + 1, values[i]) != SQLITE_OK) return failure(sql);
  }
  while (true) {
    const int result = sqlite3_step(statement);
    if (result == SQLITE_DONE) return {};
    if (result != SQLITE_ROW) return failure(sql);
    visit(Row(statement));
  }
}

Status Database::execute_script(std::string_view sql) {
  const std::string text(sql);
  if (sqlite3_exec(handle_.get(), text.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return failure(text.substr(0, 60));
  }
  return {};
}

Status Database::copy_to(const std::filesystem::path& file) {
  sqlite3* raw = nullptr;
  const int opened =
      sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  const std::unique_ptr<sqlite3, Close> target(raw);
  if (opened != SQLITE_OK) {
    return fail(code_of(opened), fmt::format("making {}", file.string()));
  }
  sqlite3_backup* backup = sqlite3_backup_init(raw, "main", handle_.get(), "main");
  if (backup == nullptr) {
    return fail(ErrorCode::kIo, fmt::format("copying the database: {}", sqlite3_errmsg(raw)));
  }
  const int stepped = sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  if (stepped == SQLITE_DONE && finished == SQLITE_OK) return {};
  const int result = stepped == SQLITE_DONE ? finished : stepped;
  return fail(code_of(result), fmt::format("copying the database: {}", sqlite3_errstr(result)));
}

std::int64_t Database::changes() const { return sqlite3_changes64(handle_.get()); }
std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(handle_.get()); }
bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

Result<Transaction> Transaction::begin(Database& database) {
  if (auto status = database.execute("BEGIN IMMEDIATE"); !status) {
    return fail(std::move(status).error());
  }
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  // SQLite may have rolled back by itself (a full disk); then there is nothing left to undo.
  if (database_ != nullptr && database_->in_transaction()) (void)database_->execute("ROLLBACK");
}

Status Transaction::commit() {
  if (auto status = database_->execute("COMMIT"); !status) return status;
  database_ = nullptr;
  return {};
}

}  // namespace crucible::server::store
