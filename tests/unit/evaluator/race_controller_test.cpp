#include <functional>
#include <random>

#include "evaluator/race/race.hpp"
#include "gtest/gtest.h"

namespace crucible::race {
namespace {

using Scores = std::vector<std::vector<double>>;  // by contender, by item

std::vector<RaceItem> two_suites(std::size_t items) {
  std::vector<RaceItem> made;
  for (std::size_t i = 0; i < items; ++i) made.push_back({i % 2, 1, 1});
  return made;
}

Scores coins(const std::vector<double>& chances, std::size_t items, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Scores scores;
  for (const double chance : chances) {
    std::bernoulli_distribution coin(chance);
    std::vector<double> row;
    for (std::size_t i = 0; i < items; ++i) row.push_back(coin(random) ? 1 : 0);
    scores.push_back(std::move(row));
  }
  return scores;
}

void join_all(Race& race, std::size_t count, std::size_t references = 0) {
  for (std::size_t c = race.contenders(); c < count; ++c) {
    ASSERT_TRUE(race.join({"c" + std::to_string(c), c < references}).has_value());
  }
}

Status answer(Race& race, const Work& work, const Scores& scores) {
  return race.tell(work.contender,
                   std::span(scores[work.contender]).subspan(work.first, work.last - work.first));
}

void run(Race& race, const Scores& scores) {
  while (const auto work = race.next_work()) ASSERT_TRUE(answer(race, *work, scores).has_value());
}

// Without the stop that is there to save evaluations.
RaceConfig persistent() {
  RaceConfig config;
  config.stop_within_noise = false;
  return config;
}

RaceConfig limited(std::size_t evaluations) {
  RaceConfig config = persistent();
  config.max_evaluations = evaluations;
  return config;
}

Race started(std::size_t items, const RaceConfig& config = {}) {
  return Race::start(two_suites(items), config).value();
}

TEST(Race, AllAnswerTheSameItemsRungByRung) {
  const Scores scores = coins({0.9, 0.85, 0.88}, 200, 1);
  Race race = started(200, persistent());
  join_all(race, 3);
  EXPECT_EQ(race.all_work(), (std::vector<Work>{{0, 0, 32}, {1, 0, 32}, {2, 0, 32}}));
  for (const Work& work : race.all_work()) ASSERT_TRUE(answer(race, work, scores).has_value());
  EXPECT_EQ(race.all_work(), (std::vector<Work>{{0, 32, 64}, {1, 32, 64}, {2, 32, 64}}));
  run(race, scores);
  EXPECT_EQ(race.state(), RaceState::kAllItems);
}

TEST(Race, DropsTheWeakAndFindsTheBest) {
  const Scores scores = coins({0.3, 0.95, 0.4, 0.5, 0.2}, 600, 2);
  Race race = started(600, persistent());
  join_all(race, 5);
  run(race, scores);
  EXPECT_EQ(race.state(), RaceState::kOneLeft);
  EXPECT_EQ(race.leader(), 1U);
  EXPECT_EQ(race.remaining(), std::vector<std::size_t>{1});
  EXPECT_EQ(race.place(0).standing, Standing::kEliminated);
  EXPECT_EQ(race.place(0).eliminated_by, 1U);
  EXPECT_LT(race.evaluations(), 5U * 150U);
}

TEST(Race, ReferencesAreNeverEliminated) {
  const Scores scores = coins({0.1, 0.9, 0.85, 0.1}, 300, 3);
  Race race = started(300);
  join_all(race, 4, 1);
  run(race, scores);
  EXPECT_EQ(race.place(0).standing, Standing::kRacing);
  EXPECT_EQ(race.place(0).seen, race.place(*race.leader()).seen);
  EXPECT_EQ(race.place(3).standing, Standing::kEliminated);
}

TEST(Race, AReferenceCanLeadAndEliminate) {
  const Scores scores = coins({0.95, 0.3, 0.2}, 300, 4);
  Race race = started(300);
  join_all(race, 3, 1);
  run(race, scores);
  EXPECT_EQ(race.leader(), 0U);
  EXPECT_EQ(race.leader(false), std::nullopt);
  EXPECT_EQ(race.place(1).eliminated_by, 0U);
}

TEST(Race, PartsOfWorkMayBeTold) {
  const Scores scores = coins({0.5, 0.6}, 100, 5);
  Race race = started(100);
  join_all(race, 2);
  ASSERT_TRUE(race.tell(0, std::span(scores[0]).first(10)).has_value());
  EXPECT_EQ(race.next_work(), (Work{0, 10, 32}));
  EXPECT_FALSE(race.tell(0, std::span(scores[0]).subspan(10, 23)).has_value());  // one too many
  ASSERT_TRUE(race.tell(0, std::span(scores[0]).subspan(10, 22)).has_value());
  EXPECT_EQ(race.next_work(), (Work{1, 0, 32}));
}

TEST(Race, RefusesWhatDoesNotFit) {
  EXPECT_FALSE(Race::start({}, {}).has_value());
  EXPECT_FALSE(Race::start({{0, 0, 1}}, {}).has_value());
  EXPECT_FALSE(Race::start({{0, 1, -1}}, {}).has_value());
  EXPECT_FALSE(Race::start({{9, 1, 1}}, {}).has_value());
  const auto refused = [](const auto& spoil) {
    RaceConfig config;
    spoil(config);
    return !Race::start(two_suites(9), config).has_value();
  };
  EXPECT_FALSE(refused([](RaceConfig&) {}));
  EXPECT_TRUE(refused([](RaceConfig& config) { config.alpha = 0; }));
  EXPECT_TRUE(refused([](RaceConfig& config) { config.alpha = 1; }));
  EXPECT_TRUE(refused([](RaceConfig& config) { config.planned = 0; }));
  EXPECT_TRUE(refused([](RaceConfig& config) { config.rungs = {4, 4}; }));
  EXPECT_TRUE(refused([](RaceConfig& config) { config.rungs = {0, 4}; }));
  EXPECT_TRUE(refused([](RaceConfig& config) { config.max_cost = -1; }));
  EXPECT_TRUE(refused([](RaceConfig& config) { config.indifference = -1; }));
  Race race = started(50);
  join_all(race, 1);
  EXPECT_EQ(race.join({"c0"}).error().code, ErrorCode::kConflict);
  EXPECT_FALSE(race.join({"costly", false, -1}).has_value());
  EXPECT_EQ(race.tell(7, std::vector{1.0}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(race.tell(0, {}).error().code, ErrorCode::kConflict);
  for (const double bad : {-0.1, 1.1, std::nan("")}) {
    EXPECT_EQ(race.tell(0, std::vector{bad}).error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(race.evaluations(), 0U);
}

TEST(Race, EndsEarlyWhenTheDifferenceDoesNotMatter) {
  const Scores scores = coins({0.8, 0.3}, 2000, 6);
  Scores relatives = {scores[0], scores[0], scores[1]};
  for (std::size_t i = 0; i < 2000; i += 100) relatives[1][i] = 1 - relatives[1][i];
  RaceConfig config = persistent();
  config.indifference = 0.1;
  Race race = started(2000, config);
  join_all(race, 3);
  run(race, relatives);
  EXPECT_EQ(race.state(), RaceState::kIndifferent);
  EXPECT_EQ(race.remaining(), (std::vector<std::size_t>{0, 1}));
  EXPECT_LT(race.place(0).seen, 1100U);
}

TEST(Race, EndsWhenAllItemsWouldNotTellThemApart) {
  const Scores scores = coins({0.8, 0.8}, 2000, 7);
  Race race = started(2000);
  join_all(race, 2);
  run(race, scores);
  EXPECT_EQ(race.state(), RaceState::kWithinNoise);
  EXPECT_EQ(race.remaining().size(), 2U);
  EXPECT_LT(race.place(0).seen, 2000U);
}

// Costs and scores of all kinds: what was handed out never exceeds the budget, at no step.
TEST(Race, NeverExceedsItsBudget) {
  std::mt19937_64 random(8);
  std::uniform_real_distribution<double> uniform;
  for (int round = 0; round < 200; ++round) {
    const std::size_t items = 20 + random() % 300;
    std::vector<RaceItem> order = two_suites(items);
    for (RaceItem& item : order) item.cost = 3 * uniform(random);
    RaceConfig config;
    config.narrow = round % 2 == 0;
    if (round % 3 != 0) config.max_evaluations = random() % (4 * items);
    if (round % 3 != 1) config.max_cost = 6 * uniform(random) * static_cast<double>(items);
    const Scores scores = coins({0.5, 0.9, 0.8, 0.7, 0.85, 0.8}, items, random());
    Race race = Race::start(order, config).value();
    for (std::size_t c = 0; c < 6; ++c) {
      race.join({std::to_string(c), c == 0, 2 * uniform(random), 5 * uniform(random)}).value();
    }
    double spent = 0;
    while (!race.all_work().empty()) {
      const std::vector<Work> all = race.all_work();
      std::size_t promised = race.evaluations();
      for (const Work& work : all) promised += work.last - work.first;
      ASSERT_LE(promised, config.max_evaluations.value_or(promised));
      const Work work = all[random() % all.size()];
      const Contender contender = race.place(work.contender).contender;
      if (work.first == 0) spent += contender.cost_to_start;
      for (std::size_t k = work.first; k < work.last; ++k) {
        spent += contender.cost_factor * order[k].cost;
      }
      ASSERT_TRUE(answer(race, work, scores).has_value());
      ASSERT_NEAR(race.cost(), spent, 1e-9);
      ASSERT_LE(race.cost(), config.max_cost.value_or(race.cost()));
    }
    EXPECT_NE(race.state(), RaceState::kOpen);
  }
}

TEST(Race, SpendsWhatTheBudgetAllows) {
  const Scores scores = coins({0.8, 0.8, 0.8, 0.8}, 1000, 9);
  Race race = started(1000, limited(1000));
  join_all(race, 4);
  run(race, scores);
  EXPECT_EQ(race.state(), RaceState::kBudgetSpent);
  EXPECT_GT(race.evaluations(), 1000U - 4U);
}

TEST(Race, SetsAsideWhomTheBudgetCannotStart) {
  Race race = started(100, limited(70));
  join_all(race, 3);
  EXPECT_EQ(race.place(1).standing, Standing::kRacing);
  EXPECT_EQ(race.place(2).standing, Standing::kSetAside);
  Race penniless = started(100, limited(0));
  join_all(penniless, 2);
  EXPECT_EQ(penniless.state(), RaceState::kBudgetSpent);
  EXPECT_EQ(penniless.leader(), std::nullopt);
}

TEST(Race, NarrowsToThoseWhoMayBeBestWhileTheBudgetIsShort) {
  const Scores scores = coins({0.9, 0.9, 0.6, 0.6, 0.6, 0.6}, 4000, 10);
  RaceConfig config = limited(3000);
  Race narrowing = started(4000, config);
  config.narrow = false;
  Race together = started(4000, config);
  for (Race* race : {&narrowing, &together}) {
    join_all(*race, 6);
    run(*race, scores);
  }
  EXPECT_GT(narrowing.place(0).seen, together.place(0).seen);
  EXPECT_EQ(together.place(5).standing == Standing::kSetAside, false);
  for (std::size_t c = 2; c < 6; ++c) EXPECT_NE(narrowing.place(c).standing, Standing::kRacing);
}

TEST(Race, OneThatJoinsLateAnswersTheSameItems) {
  const Scores scores = coins({0.8, 0.8, 0.85, 0.1}, 1000, 11);
  Race race = started(1000);
  join_all(race, 2);
  while (race.place(1).seen < 128) ASSERT_TRUE(answer(race, *race.next_work(), scores).has_value());
  join_all(race, 4);
  std::vector<Work> late;
  while (const auto work = race.next_work()) {
    if (work->contender >= 2 && work->last <= 128) late.push_back(*work);
    ASSERT_TRUE(answer(race, *work, scores).has_value());
  }
  ASSERT_GE(late.size(), 2U);
  EXPECT_EQ(late.front(), (Work{2, 0, 32}));
  EXPECT_EQ(race.place(2).seen, race.place(*race.leader()).seen);
  EXPECT_EQ(race.place(3).standing, Standing::kEliminated);
  EXPECT_LE(race.place(3).seen, 64U);  // dropped while catching up
}

TEST(Race, ALateJoinerWinsNothingOnItemsThatMayHaveChosenIt) {
  Scores scores(3, std::vector<double>(1000, 1.0));
  for (std::size_t i = 0; i < 64; ++i) scores[0][i] = scores[1][i] = 0;
  const auto seen_with = [&](bool late) {
    Race race = started(1000, persistent());
    join_all(race, late ? 2 : 3);
    for (auto work = race.next_work(); work && race.place(1).seen < 64; work = race.next_work()) {
      EXPECT_TRUE(answer(race, *work, scores).has_value());
    }
    join_all(race, 3);
    run(race, scores);
    return race.place(1).seen;
  };
  EXPECT_LE(seen_with(false), 64U);
  EXPECT_GT(seen_with(true), 128U);
}

TEST(Race, AFinishedRaceGoesOnWhenOneJoins) {
  const Scores scores = coins({0.2, 0.7, 0.95}, 500, 12);
  Race race = started(500);
  join_all(race, 2);
  run(race, scores);
  EXPECT_EQ(race.state(), RaceState::kOneLeft);
  join_all(race, 3);
  EXPECT_EQ(race.state(), RaceState::kOpen);
  run(race, scores);
  EXPECT_EQ(race.leader(), 2U);
}

}  // namespace
}  // namespace crucible::race
