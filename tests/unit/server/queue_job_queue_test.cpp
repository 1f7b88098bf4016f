#include <vector>

#include "tests/support/store_fixture.hpp"

namespace crucible::server {
namespace {

using test::StoreTest;
using JobQueueTest = StoreTest;

const queue::Effects kNoEffects = [](store::Database&, store::JobMove&) -> Status { return {}; };

TEST_F(JobQueueTest, TheOldestIsClaimedOfItsKind) {
  const JobId merge = add_job();
  add_job();
  const JobId evaluation = add_job("", JobKind::kEvaluation);
  auto lease = claimed();
  EXPECT_EQ(lease.id(), merge);
  EXPECT_EQ(lease.attempt(), 1);
  EXPECT_EQ(claimed(JobKind::kEvaluation).id(), evaluation);
  auto none = queue_->claim(JobKind::kEvaluation);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST_F(JobQueueTest, EqualWorkIsNotDoneAtTheSameTime) {
  add_job("same");
  const JobId second = add_job("same");
  auto first = running();
  auto none = queue_->claim(JobKind::kMerge);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  ASSERT_TRUE(queue_->publish(first, "{}"));
  ASSERT_TRUE(queue_->succeed(first, kNoEffects));
  EXPECT_EQ(claimed().id(), second);
}

TEST_F(JobQueueTest, AStaleAttemptIsRefusedEverywhere) {
  const JobId id = add_job();
  auto old = running();
  ASSERT_TRUE(queue_->requeue(old, "lost"));
  auto current = running();
  EXPECT_EQ(current.attempt(), 2);
  EXPECT_EQ(queue_->note_progress(old, {"merge", 1, 2, "bytes"}).error().code,
            ErrorCode::kConflict);
  EXPECT_EQ(queue_->publish(old, "{}").error().code, ErrorCode::kConflict);
  EXPECT_EQ(queue_->fail(old, {ErrorCode::kIo, "x", {}}, false).error().code, ErrorCode::kConflict);
  EXPECT_EQ(queue_->cancel(old).error().code, ErrorCode::kConflict);
  EXPECT_EQ(queue_->requeue(old, "again").error().code, ErrorCode::kConflict);
  old.state = JobState::kPublishing;
  bool effects_ran = false;
  auto late = queue_->succeed(old, [&](store::Database& database, store::JobMove&) -> Status {
    effects_ran = true;
    return store::keep_merge_result(database, "late", 1);  // must be rolled back with the move
  });
  EXPECT_FALSE(late);
  EXPECT_EQ(state_of(id), JobState::kRunning);
  ASSERT_TRUE(queue_->publish(current, "{}"));
  ASSERT_TRUE(queue_->succeed(current, kNoEffects));
}

TEST_F(JobQueueTest, EffectsAndSuccessAreOneTransaction) {
  const JobId id = add_job();
  auto lease = running();
  ASSERT_TRUE(queue_->publish(lease, "{}"));
  auto failed = queue_->succeed(lease, [](store::Database& database, store::JobMove&) -> Status {
    store::NewJob child;
    child.work_key = "child";
    auto added = store::insert_job(database, child, 1);
    if (!added) return fail(added.error());
    return fail(ErrorCode::kIo, "after the insert");
  });
  EXPECT_FALSE(failed);
  EXPECT_EQ(state_of(id), JobState::kPublishing);
  auto jobs =
      store_->read([](store::Database& database) { return store::list_jobs(database, {}); });
  ASSERT_TRUE(jobs);
  EXPECT_EQ(jobs->size(), 1U);
}

TEST_F(JobQueueTest, TransientFailuresWaitThenDie) {
  const JobId id = add_job();
  const std::vector<TimeMs> delays = {1'000, 4'000, 16'000, 64'000};  // half of 2 s * 4^n
  for (const TimeMs delay : delays) {
    auto lease = running();
    auto state = queue_->fail(lease, {ErrorCode::kIo, "disk", {}}, false);
    ASSERT_TRUE(state);
    ASSERT_EQ(*state, JobState::kRetryWait);
    EXPECT_EQ(stored(id).job.not_before, clock_.now() + delay);
    clock_.advance(delay - 1);
    ASSERT_TRUE(queue_->promote_due());
    EXPECT_EQ(state_of(id), JobState::kRetryWait);
    clock_.advance(1);
    ASSERT_TRUE(queue_->promote_due());
    EXPECT_EQ(state_of(id), JobState::kQueued);
  }
  auto last = queue_->fail(running(), {ErrorCode::kIo, "disk", {}}, false);
  EXPECT_EQ(last.value(), JobState::kDead);
  EXPECT_EQ(stored(id).job.error->message, "disk");
}

TEST_F(JobQueueTest, InputFaultsFailAtOnceWithTheirFaults) {
  const JobId id = add_job();
  const Error error{ErrorCode::kInvalidArgument, "bad", {{"models[0]", "wrong", "right"}}};
  EXPECT_EQ(queue_->fail(running(), error, false).value(), JobState::kFailed);
  const auto job = stored(id).job;
  ASSERT_TRUE(job.error);
  EXPECT_EQ(job.error->code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(job.error->faults, error.faults);
  EXPECT_TRUE(job.finished_at);
}

TEST_F(JobQueueTest, ASecondKillIsPoison) {
  const JobId id = add_job();
  const Error error{ErrorCode::kInternal, "killed", {}};
  EXPECT_EQ(queue_->fail(running(), error, true).value(), JobState::kRetryWait);
  clock_.advance(3'600'000);
  ASSERT_TRUE(queue_->promote_due());
  EXPECT_EQ(queue_->fail(running(), error, true).value(), JobState::kDead);
  EXPECT_EQ(stored(id).signals, 2);
}

TEST_F(JobQueueTest, AFullDiskAndAStopCostNoAttempt) {
  const JobId id = add_job();
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(queue_->fail(running(), {ErrorCode::kNoSpace, "full", {}}, false).value(),
              JobState::kRetryWait);
    clock_.advance(60'000);
    ASSERT_TRUE(queue_->promote_due());
    ASSERT_TRUE(queue_->requeue(running(), "stop"));
  }
  EXPECT_EQ(stored(id).failures, 0);
  EXPECT_EQ(stored(id).job.attempt, 20);
}

TEST_F(JobQueueTest, CancelDependsOnTheState) {
  const JobId waiting = add_job();
  EXPECT_EQ(queue_->request_cancel(waiting)->state, JobState::kCancelled);
  EXPECT_EQ(queue_->request_cancel(waiting).error().code, ErrorCode::kConflict);

  const JobId busy = add_job();
  auto lease = running();
  auto asked = queue_->request_cancel(busy);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->state, JobState::kRunning);
  EXPECT_TRUE(asked->cancel_requested);
  EXPECT_EQ(queue_->cancel_requests().value(), std::vector<JobId>{busy});
  // A result that comes after the wish is thrown away.
  EXPECT_EQ(queue_->publish(lease, "{}").error().code, ErrorCode::kCancelled);
  ASSERT_TRUE(queue_->cancel(lease));
  EXPECT_EQ(state_of(busy), JobState::kCancelled);
  EXPECT_TRUE(queue_->cancel_requests()->empty());

  const JobId late = add_job();
  auto publishing = running();
  ASSERT_TRUE(queue_->publish(publishing, "{}"));
  EXPECT_EQ(queue_->request_cancel(late).error().code, ErrorCode::kConflict);
}

TEST_F(JobQueueTest, InFlightJobsAreFoundAfterARestart) {
  add_job();
  add_job();
  add_job();
  add_job();
  auto publishing = running();
  ASSERT_TRUE(queue_->publish(publishing, R"({"a": 1})"));
  auto lease = running();
  auto leased = claimed();
  auto found = queue_->in_flight();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 3U);
  auto attempts = store_->read(
      [&](store::Database& database) { return store::attempts_of(database, publishing.id()); });
  ASSERT_TRUE(attempts);
  ASSERT_EQ(attempts->size(), 1U);
  EXPECT_EQ(attempts->front().result, R"({"a": 1})");
  EXPECT_EQ(attempts->front().process, (store::ProcessIdentity{123, "boot", 456}));
}

TEST(RetryPolicyTest, DelaysAreJitteredAndCapped) {
  const queue::RetryPolicy policy;
  EXPECT_EQ(policy.delay(1, 0.0), 0);
  EXPECT_EQ(policy.delay(1, 0.5), 1'000);
  EXPECT_EQ(policy.delay(3, 0.5), 16'000);
  EXPECT_EQ(policy.delay(50, 0.5), 1'800'000);
}

}  // namespace
}  // namespace crucible::server
