#include <atomic>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/support/store_fixture.hpp"

namespace crucible::server {
namespace {

using test::StoreTest;

using WriterTest = StoreTest;

std::int64_t count(store::Store& store, const char* sql) {
  auto found = store.read([&](store::Database& database) {
    return database.query_one(sql, {}, [](const store::Row& row) { return row.integer(0); });
  });
  return found ? found->value_or(-1) : -1;
}

TEST_F(WriterTest, RequestsThatWaitTogetherShareACommit) {
  constexpr int kThreads = 16;
  constexpr int kEach = 20;
  const auto before = store_->commits();
  std::latch gate(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      gate.arrive_and_wait();
      for (int i = 0; i < kEach; ++i) add_job(std::to_string(t) + "." + std::to_string(i));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count(*store_, "SELECT count(*) FROM jobs"), kThreads * kEach);
  EXPECT_LT(store_->commits() - before, static_cast<std::uint64_t>(kThreads * kEach));
}

TEST_F(WriterTest, AFailingRequestIsUndoneAloneAndReported) {
  std::latch gate(3);
  std::vector<Status> outcomes(3);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      gate.arrive_and_wait();
      outcomes[t] = store_->write([&](store::Database& database) -> Status {
        store::NewJob job;
        job.work_key = std::to_string(t);
        auto id = store::insert_job(database, job, 1);
        if (!id) return fail(id.error());
        if (t == 1) return fail(ErrorCode::kDeadline, "no");
        if (t == 2) throw std::runtime_error("thrown");
        return {};
      });
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(outcomes[0]);
  EXPECT_EQ(outcomes[1].error().code, ErrorCode::kDeadline);
  EXPECT_EQ(outcomes[2].error().code, ErrorCode::kInternal);
  EXPECT_EQ(count(*store_, "SELECT count(*) FROM jobs"), 1);
  EXPECT_EQ(count(*store_, "SELECT count(*) FROM job_events"), 1);
}

TEST_F(WriterTest, TheEventSequenceIsTheLastDurableEvent) {
  EXPECT_EQ(store_->event_sequence(), 0U);
  add_job();
  add_job();
  EXPECT_EQ(store_->event_sequence(), 2U);
  const auto file = folder_.path() / "crucible.db";
  queue_.reset();
  store_.reset();
  auto again = store::Store::open(file);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->event_sequence(), 2U);
}

TEST_F(WriterTest, TheEventLogIsAppendOnly) {
  add_job();
  for (const char* sql : {"DELETE FROM job_events", "UPDATE job_events SET message = 'x'"}) {
    auto status = store_->write([&](store::Database& database) { return database.execute(sql); });
    EXPECT_FALSE(status) << sql;
  }
}

TEST_F(WriterTest, UnknownStatesAreRefusedByTheSchema) {
  const JobId id = add_job();
  auto status = store_->write([&](store::Database& database) {
    return database.execute("UPDATE jobs SET state = 'lost' WHERE id = ?", {id});
  });
  EXPECT_EQ(status.error().code, ErrorCode::kConflict);
}

// The statements that run with every claim, wake-up and page must not read whole tables.
TEST_F(WriterTest, HotQueriesUseTheirIndices) {
  for (const std::string sql :
       {"SELECT id FROM jobs WHERE state = 'queued' AND kind = 'merge' AND NOT EXISTS (SELECT 1 "
        "FROM "
        "jobs AS busy WHERE busy.work_key = jobs.work_key AND busy.state IN ('leased', 'running', "
        "'publishing')) ORDER BY id LIMIT 1",
        "SELECT id FROM jobs WHERE not_before <= 5 ORDER BY not_before",
        "SELECT min(not_before) FROM jobs WHERE not_before IS NOT NULL",
        "SELECT id FROM jobs WHERE state IN ('leased', 'running') AND cancel_requested = 1",
        "SELECT id FROM jobs WHERE parent_id = 1 ORDER BY id",
        "SELECT id FROM job_events WHERE job_id = 1 AND id > 2 ORDER BY id LIMIT 3",
        "SELECT id FROM job_events WHERE id > 2 ORDER BY id LIMIT 3",
        "SELECT id FROM jobs WHERE sweep_id = 1 ORDER BY id DESC LIMIT 5",
        "SELECT id FROM evaluations WHERE work_key = 'x'", "SELECT max(id) FROM job_events"}) {
    auto plan = store_->read([&](store::Database& database) {
      return database.query("EXPLAIN QUERY PLAN " + sql, {},
                            [](const store::Row& row) { return row.text(3); });
    });
    ASSERT_TRUE(plan) << plan.error().message;
    for (const std::string& step : *plan) {
      EXPECT_EQ(step.find("SCAN"), std::string::npos) << sql << "\n" << step;
      EXPECT_EQ(step.find("TEMP B-TREE"), std::string::npos) << sql << "\n" << step;
    }
  }
}

}  // namespace
}  // namespace crucible::server
