#include "server/sweep/sweep.hpp"

#include <cmath>

#include "tests/support/store_fixture.hpp"

namespace crucible::server::sweep {
namespace {

constexpr const char* kTemplate = R"(merge_method: linear
models:
  - model: a
    parameters: {weight: 1}
  - model: b
    parameters: {weight: ${w}}
dtype: float32
)";

TEST(PlanTrialsTest, OneRecipeAValueInOrder) {
  auto trials = plan_trials(kTemplate, "w", {0.5, 0.25}, "s");
  ASSERT_TRUE(trials) << describe(trials.error());
  ASSERT_EQ(trials->size(), 2U);
  EXPECT_EQ((*trials)[0].value, 0.25);
  EXPECT_EQ((*trials)[0].name, "s-0.25");
  EXPECT_NE((*trials)[1].recipe_text.find("weight: 0.5"), std::string::npos);
}

TEST(PlanTrialsTest, BadValuesAreFaults) {
  const auto fault_path = [](const std::vector<double>& values) {
    auto trials = plan_trials(kTemplate, "w", values, "s");
    return trials ? std::string("none") : trials.error().faults.at(0).path;
  };
  EXPECT_EQ(fault_path({}), "values");
  EXPECT_EQ(fault_path({1, 2, 1}), "values[2]");
  EXPECT_EQ(fault_path({1, std::nan("")}), "values[1]");
  std::vector<double> many(kMostTrials + 1);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<double>(i);
  EXPECT_EQ(fault_path(many), "values");
  many.pop_back();
  EXPECT_EQ(fault_path(many), "none");
}

class SweepViewTest : public server::test::StoreTest {
 protected:
  SweepViewTest() {
    first_ = add_job();
    second_ = add_job();
    id_ = store_
              ->write([&](store::Database& database) -> Result<SweepId> {
                auto id = store::insert_sweep(database, {"s", "w", kTemplate, {"a"}, 0}, 1);
                if (!id) return id;
                for (const auto& [position, job] : {std::pair{0, first_}, std::pair{1, second_}}) {
                  auto trial = store::insert_trial(
                      database, *id, static_cast<std::size_t>(position), position, job);
                  if (!trial) return fail(trial.error());
                }
                return id;
              })
              .value();
  }

  Sweep now() {
    auto seen = store_->read([&](store::Database& database) -> Result<Sweep> {
      auto stored_sweep = store::get_sweep(database, id_);
      if (!stored_sweep) return fail(stored_sweep.error());
      const leaderboard::ScoreTable none({}, {});
      return view(database, std::move(*stored_sweep), &none);
    });
    EXPECT_TRUE(seen) << seen.error().message;
    return seen.value_or(Sweep{});
  }

  void succeed() {
    auto lease = running();
    ASSERT_TRUE(queue_->publish(lease, "{}"));
    ASSERT_TRUE(
        queue_->succeed(lease, [](store::Database&, store::JobMove&) -> Status { return {}; }));
  }

  JobId first_ = 0;
  JobId second_ = 0;
  SweepId id_ = 0;
};

TEST_F(SweepViewTest, TheStateFollowsFromTheJobs) {
  EXPECT_EQ(now().state, "running");
  succeed();
  EXPECT_EQ(now().state, "running");
  EXPECT_EQ(now().trials[0].state, JobState::kSucceeded);
  succeed();
  EXPECT_EQ(now().state, "succeeded");
  EXPECT_FALSE(now().best_trial);
}

TEST_F(SweepViewTest, OneFailedTrialFailsIt) {
  succeed();
  ASSERT_TRUE(queue_->fail(running(), {ErrorCode::kInvalidArgument, "x", {}}, false));
  EXPECT_EQ(now().state, "failed");
}

TEST_F(SweepViewTest, ACancelledSweepWaitsForItsJobs) {
  succeed();
  ASSERT_TRUE(store_->write(
      [&](store::Database& database) { return store::mark_sweep_cancelled(database, id_, 5); }));
  EXPECT_EQ(now().state, "running");
  ASSERT_TRUE(queue_->request_cancel(second_));
  EXPECT_EQ(now().state, "cancelled");
}

TEST(IdempotencyTest, AKeyBelongsToOneRequest) {
  crucible::test::ScratchFolder folder;
  auto store = store::Store::open(folder.path() / "x.db");
  ASSERT_TRUE(store);
  const auto recall = [&](const char* key, const char* digest) {
    return (*store)->read([&](store::Database& database) {
      return store::recall_idempotency(database, key, digest);
    });
  };
  EXPECT_FALSE(*recall("k", "d"));
  ASSERT_TRUE((*store)->write([](store::Database& database) {
    return store::keep_idempotency(database, {"k", "d", "job", {4, 5}}, 1);
  }));
  EXPECT_EQ(**recall("k", "d"), (std::vector<std::int64_t>{4, 5}));
  EXPECT_EQ(recall("k", "e").error().code, ErrorCode::kConflict);
  EXPECT_FALSE(*recall("", "e"));
}

}  // namespace
}  // namespace crucible::server::sweep
