#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "merger/base/io.hpp"
#include "server/store/migrator.hpp"
#include "server/store/sqlite.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::server::store {
namespace {

using crucible::test::ScratchFolder;

class DatabaseTest : public ::testing::Test {
 protected:
  Database open(OpenMode mode = OpenMode::kWriter) {
    auto database = Database::open(file_, mode);
    EXPECT_TRUE(database) << database.error().message;
    return std::move(*database);
  }

  ScratchFolder folder_;
  std::filesystem::path file_ = folder_.path() / "test.db";
};

TEST_F(DatabaseTest, ValuesComeBackAsTheyWentIn) {
  auto database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t (i INTEGER, r REAL, s TEXT, n TEXT) STRICT"));
  const std::string text("a\0b", 3);
  const auto large = std::numeric_limits<std::uint64_t>::max();
  ASSERT_TRUE(database.execute("INSERT INTO t VALUES (?, ?, ?, ?)",
                               {large, 0.1, text, std::optional<std::string>()}));
  auto row = database.query_one("SELECT i, r, s, n FROM t", {}, [&](const Row& found) {
    EXPECT_EQ(found.unsigned_integer(0), large);
    EXPECT_EQ(found.real(1), 0.1);
    EXPECT_EQ(found.text(2), text);
    EXPECT_EQ(found.optional_text(3), std::nullopt);
    return true;
  });
  ASSERT_TRUE(row && *row);
}

TEST_F(DatabaseTest, ErrorsHaveTheirCodes) {
  auto database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t (i INTEGER PRIMARY KEY CHECK (i < 10)) STRICT"));
  ASSERT_TRUE(database.execute("INSERT INTO t VALUES (1)"));
  EXPECT_EQ(database.execute("INSERT INTO t VALUES (1)").error().code, ErrorCode::kConflict);
  EXPECT_EQ(database.execute("INSERT INTO t VALUES (11)").error().code, ErrorCode::kConflict);
  EXPECT_EQ(database.execute("INSERT INTO t VALUES (?)").error().code, ErrorCode::kInternal);
  EXPECT_EQ(database.execute("SELEKT").error().code, ErrorCode::kInternal);
}

TEST_F(DatabaseTest, ReadersCannotWrite) {
  auto writer = open();
  ASSERT_TRUE(writer.execute("CREATE TABLE t (i INTEGER) STRICT"));
  auto reader = open(OpenMode::kReader);
  EXPECT_EQ(reader.execute("INSERT INTO t VALUES (1)").error().code, ErrorCode::kPermission);
}

TEST_F(DatabaseTest, ATransactionNotCommittedIsUndone) {
  auto database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t (i INTEGER) STRICT"));
  {
    auto transaction = Transaction::begin(database);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(database.execute("INSERT INTO t VALUES (1)"));
  }
  EXPECT_FALSE(database.in_transaction());
  auto rows = database.query("SELECT i FROM t", {}, [](const Row& row) { return row.integer(0); });
  ASSERT_TRUE(rows);
  EXPECT_TRUE(rows->empty());
}

TEST_F(DatabaseTest, ADamagedFileIsCorrupt) {
  ASSERT_TRUE(io::write_new_file(file_, std::string(8192, 'x')));
  auto database = Database::open(file_, OpenMode::kWriter);
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, ErrorCode::kCorrupt);
}

constexpr std::array<Migration, 2> kSteps = {{
    {"0001_first", "CREATE TABLE a (i INTEGER) STRICT;"},
    {"0002_second", "CREATE TABLE b (i INTEGER) STRICT; INSERT INTO b VALUES (7);"},
}};

std::int64_t version(Database& database) {
  auto found =
      database.query_one("PRAGMA user_version", {}, [](const Row& row) { return row.integer(0); });
  return found ? found->value_or(-1) : -1;
}

TEST_F(DatabaseTest, MigrationsRunOnceAndInOrder) {
  auto database = open();
  ASSERT_TRUE(migrate(database, std::span(kSteps).first(1)));
  EXPECT_EQ(version(database), 1);
  ASSERT_TRUE(migrate(database, kSteps));
  ASSERT_TRUE(migrate(database, kSteps));
  EXPECT_EQ(version(database), 2);
  auto rows = database.query("SELECT i FROM b", {}, [](const Row& row) { return row.integer(0); });
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->size(), 1U);
}

TEST_F(DatabaseTest, AFailedStepLeavesNothing) {
  constexpr std::array<Migration, 2> broken = {
      {kSteps[0],
       {"0002_broken", "CREATE TABLE b (i INTEGER) STRICT; CREATE TABLE b (i INTEGER);"}}};
  auto database = open();
  ASSERT_FALSE(migrate(database, broken));
  EXPECT_EQ(version(database), 1);
  ASSERT_TRUE(migrate(database, kSteps));  // b does not exist yet
}

TEST_F(DatabaseTest, ANewerAForeignAndAChangedSchemaAreRefused) {
  {
    auto database = open();
    ASSERT_TRUE(migrate(database, kSteps));
    EXPECT_EQ(migrate(database, std::span(kSteps).first(1)).error().code, ErrorCode::kConflict);
    constexpr std::array<Migration, 2> changed = {{{"0001_first", "SELECT 1;"}, kSteps[1]}};
    EXPECT_EQ(migrate(database, changed).error().code, ErrorCode::kConflict);
  }
  file_ = folder_.path() / "foreign.db";
  auto foreign = open();
  ASSERT_TRUE(foreign.execute("CREATE TABLE theirs (i INTEGER)"));
  EXPECT_EQ(migrate(foreign, kSteps).error().code, ErrorCode::kConflict);
}

}  // namespace
}  // namespace crucible::server::store
