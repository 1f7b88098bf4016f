#include <map>
#include <set>

#include "server/store/job_states.hpp"
#include "tests/support/store_fixture.hpp"

namespace crucible::server {
namespace {

using test::StoreTest;
using enum JobState;

constexpr JobState kAll[] = {kQueued,    kLeased, kRunning, kPublishing, kSucceeded,
                             kRetryWait, kFailed, kDead,    kCancelled};

// Written out by hand, apart from the table under test.
const std::map<JobState, std::set<JobState>> kLegal = {
    {kQueued, {kLeased, kSucceeded, kCancelled}},
    {kLeased, {kRunning, kSucceeded, kQueued, kRetryWait, kFailed, kDead, kCancelled}},
    {kRunning, {kPublishing, kQueued, kRetryWait, kFailed, kDead, kCancelled}},
    {kPublishing, {kSucceeded, kQueued, kRetryWait, kFailed, kDead}},
    {kSucceeded, {}},
    {kRetryWait, {kQueued, kCancelled}},
    {kFailed, {kQueued}},
    {kDead, {kQueued}},
    {kCancelled, {kQueued}},
};

class StateMachineTest : public StoreTest {
 protected:
  // Puts a job into a state past the state machine.
  JobId job_in(JobState state) {
    const JobId id = add_job();
    auto status = store_->write([&](store::Database& database) {
      const std::optional<TimeMs> finished =
          is_final(state) ? std::optional<TimeMs>(1) : std::nullopt;
      const std::optional<TimeMs> not_before =
          state == kRetryWait ? std::optional<TimeMs>(1) : std::nullopt;
      return database.execute(
          "UPDATE jobs SET state = ?, finished_at = ?, not_before = ?, attempt = 3 WHERE id = ?",
          {to_string(state), finished, not_before, id});
    });
    EXPECT_TRUE(status) << status.error().message;
    return id;
  }

  Result<bool> move(JobId id, JobState from, JobState to, std::int64_t attempt) {
    store::JobMove wanted;
    wanted.id = id;
    wanted.from = from;
    wanted.to = to;
    wanted.attempt = attempt;
    wanted.at = 5;
    if (to == kRetryWait) wanted.not_before = 9;
    return store_->write(
        [&](store::Database& database) { return store::move_job(database, wanted); });
  }
};

TEST_F(StateMachineTest, ExactlyTheLegalMovesHappen) {
  for (const JobState from : kAll) {
    for (const JobState to : kAll) {
      const bool legal = kLegal.at(from).contains(to);
      EXPECT_EQ(is_legal(from, to), legal) << to_string(from) << " → " << to_string(to);
      // reset_job is the way out of a final state; move_job would leave finished_at behind.
      if (is_final(from)) continue;
      const JobId id = job_in(from);
      auto moved = move(id, from, to, 3);
      if (legal) {
        EXPECT_TRUE(moved && *moved) << to_string(from) << " → " << to_string(to);
        EXPECT_EQ(state_of(id), to);
      } else {
        EXPECT_FALSE(moved) << to_string(from) << " → " << to_string(to);
        EXPECT_EQ(state_of(id), from);
      }
    }
  }
}

TEST_F(StateMachineTest, AMoveNeedsTheStateAndTheAttempt) {
  const JobId id = job_in(kRunning);
  auto stale = move(id, kRunning, kPublishing, 2);
  ASSERT_TRUE(stale);
  EXPECT_FALSE(*stale);
  auto wrong_state = move(id, kLeased, kRunning, 3);
  ASSERT_TRUE(wrong_state);
  EXPECT_FALSE(*wrong_state);
  EXPECT_EQ(state_of(id), kRunning);
}

TEST_F(StateMachineTest, EveryMoveHasItsEvent) {
  const JobId id = add_job();
  ASSERT_TRUE(move(id, kQueued, kLeased, 0).value());
  ASSERT_TRUE(move(id, kLeased, kQueued, 0).value());
  ASSERT_FALSE(move(id, kLeased, kQueued, 0).value());
  auto events = store_->read(
      [&](store::Database& database) { return store::list_events(database, id, 0, 100); });
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 3U);
  EXPECT_EQ((*events)[1].state, kLeased);
  EXPECT_EQ((*events)[2].state, kQueued);
}

TEST_F(StateMachineTest, StartingOverForgetsFailures) {
  for (const JobState from : {kFailed, kDead, kCancelled}) {
    const JobId id = job_in(from);
    auto reset = queue_->retry(id);
    ASSERT_TRUE(reset) << reset.error().message;
    const auto job = stored(id);
    EXPECT_EQ(job.job.state, kQueued);
    EXPECT_EQ(job.job.attempt, 3);
    EXPECT_EQ(job.failures, 0);
    EXPECT_FALSE(job.job.finished_at);
  }
  EXPECT_EQ(queue_->retry(job_in(kSucceeded)).error().code, ErrorCode::kConflict);
  EXPECT_EQ(queue_->retry(job_in(kRunning)).error().code, ErrorCode::kConflict);
  EXPECT_EQ(queue_->retry(999).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace crucible::server
