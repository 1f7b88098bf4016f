#include <random>

#include "evaluator/race/race.hpp"
#include "gtest/gtest.h"

namespace crucible::race {
namespace {

using nlohmann::json;

struct Step {
  std::vector<Work> work;
  RaceState state = RaceState::kOpen;
  std::optional<std::size_t> leader;
  std::vector<Standing> standings;
  double cost = 0;
  bool operator==(const Step&) const = default;
};

Step look(const Race& race) {
  Step step{race.all_work(), race.state(), race.leader(), {}, race.cost()};
  for (std::size_t c = 0; c < race.contenders(); ++c) {
    step.standings.push_back(race.place(c).standing);
  }
  return step;
}

Race reopened(const Race& race) {
  return Race::from_json(json::parse(race.to_json().dump())).value();
}

Race make_race(bool binary) {
  std::vector<RaceItem> order;
  for (std::size_t i = 0; i < 240; ++i) {
    order.push_back({i % 3, binary ? 1.0 : 1.0 / (1.0 + static_cast<double>(i % 3)),
                     0.1 * static_cast<double>(1 + i % 7)});
  }
  RaceConfig config;
  config.max_cost = 500;
  config.stop_within_noise = false;
  config.max_evaluations = 1200;
  return Race::start(order, config).value();
}

// The k-th call, the same for every race.
void act(Race& race, std::size_t k, bool binary) {
  std::mt19937_64 random(k);
  std::uniform_real_distribution<double> uniform;
  if (race.contenders() < 8 && (k < 5 || k % 6 == 0)) {
    const std::size_t number = race.contenders();
    race.join({"c" + std::to_string(number), number == 1, 1.0 / 3, 0.7}).value();
    return;
  }
  const std::vector<Work> all = race.all_work();
  if (all.empty()) return;
  const Work work = all[random() % all.size()];
  const std::size_t count = 1 + random() % (work.last - work.first);
  std::vector<double> scores;
  for (std::size_t i = 0; i < count; ++i) {
    const double chance =
        work.contender == 2 ? 0.1 : 0.5 + 0.03 * static_cast<double>(work.contender);
    scores.push_back(binary ? uniform(random) < chance : chance * uniform(random));
  }
  ASSERT_TRUE(race.tell(work.contender, scores).has_value());
}

TEST(RaceResume, AnyInterruptionChangesNothing) {
  for (const bool binary : {true, false}) {
    Race whole = make_race(binary);
    Race broken = make_race(binary);
    for (std::size_t k = 0; k < 300; ++k) {
      act(whole, k, binary);
      act(broken, k, binary);
      broken = reopened(broken);  // after every single call
      ASSERT_EQ(look(whole), look(broken)) << k;
      ASSERT_EQ(whole.to_json(), broken.to_json()) << k;
      ASSERT_EQ(whole.to_json().dump(), broken.to_json().dump()) << k;
    }
    EXPECT_GT(whole.evaluations(), 500U);
  }
}

TEST(RaceResume, RefusesWhatIsNoRace) {
  Race race = make_race(true);
  for (std::size_t k = 0; k < 20; ++k) act(race, k, true);
  const json good = race.to_json();
  ASSERT_TRUE(Race::from_json(good).has_value());
  const auto refused = [&](const char* pointer, const json& value) {
    json bad = good;
    bad[json::json_pointer(pointer)] = value;
    const Result<Race> read = Race::from_json(bad);
    return !read && read.error().code == ErrorCode::kCorrupt;
  };
  EXPECT_TRUE(refused("/format", "crucible race 0"));
  EXPECT_TRUE(refused("/config/alpha", 2));
  EXPECT_TRUE(refused("/config/rungs", {3, 2}));
  EXPECT_TRUE(refused("/config/planned", 0));
  EXPECT_TRUE(refused("/config/planned", "many"));
  EXPECT_TRUE(refused("/items/strata/0", 1'000'000'000'000));
  EXPECT_TRUE(refused("/items/weights", json::array()));
  EXPECT_TRUE(refused("/items/weights/3", -1));
  EXPECT_TRUE(refused("/items/costs/3", nullptr));
  EXPECT_TRUE(refused("/events/0", json::object()));
  EXPECT_TRUE(refused("/events/5/tell", 77));
  EXPECT_TRUE(refused("/events/5/scores", "01x"));
  EXPECT_TRUE(refused("/events/5/scores", std::string(300, '1')));
  EXPECT_FALSE(Race::from_json(json()).has_value());
  EXPECT_FALSE(Race::from_json(json::array()).has_value());
}

}  // namespace
}  // namespace crucible::race
