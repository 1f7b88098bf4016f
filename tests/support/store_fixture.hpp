#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "server/queue/job_queue.hpp"
#include "server/store/models.hpp"
#include "server/store/store.hpp"
#include "tests/support/scratch_folder.hpp"

// A store in a scratch folder, a clock and a die that tests set.
namespace crucible::server::test {

class FakeClock : public Clock {
 public:
  TimeMs now() const override { return now_; }
  void advance(TimeMs by) { now_ += by; }

 private:
  TimeMs now_ = 1'700'000'000'000;
};

class FixedRandom : public Random {
 public:
  double uniform() override { return value; }
  double value = 0.5;
};

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    auto opened = store::Store::open(folder_.path() / "crucible.db");
    EXPECT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
    queue_ = std::make_unique<queue::JobQueue>(*store_, clock_, random_, policy_);
  }

  // A queued merge with its own work key unless one is given.
  JobId add_job(std::string work_key = "", JobKind kind = JobKind::kMerge) {
    store::NewJob job;
    job.kind = kind;
    job.name = "job";
    job.work_key = work_key.empty() ? "key-" + std::to_string(++keys_) : std::move(work_key);
    auto id = store_->write(
        [&](store::Database& database) { return store::insert_job(database, job, clock_.now()); });
    EXPECT_TRUE(id) << id.error().message;
    return id.value_or(0);
  }

  store::StoredJob stored(JobId id) {
    auto job =
        store_->read([&](store::Database& database) { return store::get_job(database, id); });
    EXPECT_TRUE(job) << job.error().message;
    return std::move(*job);
  }
  JobState state_of(JobId id) { return stored(id).job.state; }

  queue::Lease claimed(JobKind kind = JobKind::kMerge) {
    auto lease = queue_->claim(kind);
    EXPECT_TRUE(lease && *lease);
    return std::move(**lease);
  }
  queue::Lease running() {
    auto lease = claimed();
    EXPECT_TRUE(queue_->start(lease, {123, "boot", 456}));
    return lease;
  }

  crucible::test::ScratchFolder folder_;
  FakeClock clock_;
  FixedRandom random_;
  queue::RetryPolicy policy_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<queue::JobQueue> queue_;

 private:
  int keys_ = 0;
};

}  // namespace crucible::server::test
