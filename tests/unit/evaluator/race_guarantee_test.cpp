#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "evaluator/race/race.hpp"
#include "gtest/gtest.h"

// Simulated races with a known best: is it eliminated no more often than promised?
namespace crucible::race {
namespace {

struct Table {
  std::vector<RaceItem> items;  // in race order
  std::vector<std::vector<double>> scores;
};

// Relatives: an item's difficulty is common to all; each candidate has a skill in each suite.
// Suites of 80 and 240 items that count alike.
Table draw_relatives(std::mt19937_64& random, std::size_t candidates, double spread) {
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  Table table;
  std::size_t small = 0;
  for (std::size_t i = 0; i < 320; ++i) {
    const bool of_small = small < 80 && i % 2 == 0;
    small += of_small;
    table.items.push_back({of_small ? 0U : 1U, of_small ? 1.0 / 80 : 1.0 / 240, 1});
  }
  std::vector<double> easiness;
  for (std::size_t i = 0; i < 320; ++i) easiness.push_back(2 * normal(random));
  for (std::size_t c = 0; c < candidates; ++c) {
    const double skills[] = {spread * normal(random), spread * normal(random)};
    std::vector<double> row;
    for (std::size_t i = 0; i < 320; ++i) {
      const double odds = easiness[i] + skills[table.items[i].stratum];
      row.push_back(uniform(random) < 1 / (1 + std::exp(-odds)) ? 1 : 0);
    }
    table.scores.push_back(std::move(row));
  }
  return table;
}

// Another order of the items inside each suite.
void shuffle(Table& table, std::mt19937_64& random) {
  for (const std::size_t stratum : {0U, 1U}) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < table.items.size(); ++i) {
      if (table.items[i].stratum == stratum) places.push_back(i);
    }
    std::vector<std::size_t> shuffled = places;
    std::ranges::shuffle(shuffled, random);
    for (std::vector<double>& row : table.scores) {
      const std::vector<double> before = row;
      for (std::size_t k = 0; k < places.size(); ++k) row[places[k]] = before[shuffled[k]];
    }
  }
}

std::size_t best_of(const Table& table) {
  const std::vector<double> weights = stratum_weights(table.items);
  std::size_t best = 0;
  double highest = -1;
  for (std::size_t c = 0; c < table.scores.size(); ++c) {
    const double mean = estimate_mean(table.items, weights, table.scores[c]);
    if (mean > highest + 1e-12) {
      highest = mean;
      best = c;
    }
  }
  return best;
}

Race run(const Table& table, const RaceConfig& config) {
  Race race = Race::start(table.items, config).value();
  for (std::size_t c = 0; c < table.scores.size(); ++c) race.join({std::to_string(c)}).value();
  while (const auto work = race.next_work()) {
    const auto row = std::span(table.scores[work->contender]);
    EXPECT_TRUE(
        race.tell(work->contender, row.subspan(work->first, work->last - work->first)).has_value());
  }
  return race;
}

// Looks at every sixteenth item: an interval that holds for one look only would fail here.
RaceConfig eager(double alpha, std::size_t candidates) {
  RaceConfig config;
  config.alpha = alpha;
  config.planned = candidates;
  for (std::size_t rung = 16; rung < 320; rung += 16) config.rungs.push_back(rung);
  config.stop_within_noise = false;
  return config;
}

TEST(RaceGuarantee, TheBestIsRarelyEliminated) {
  for (const double alpha : {0.05, 0.5}) {
    std::mt19937_64 random(11);
    std::size_t lost = 0;
    std::size_t eliminated = 0;
    constexpr std::size_t kRaces = 1000;
    for (std::size_t round = 0; round < kRaces; ++round) {
      const Table table = draw_relatives(random, 6, 0.5);
      const Race race = run(table, eager(alpha, 6));
      lost += race.place(best_of(table)).standing == Standing::kEliminated;
      eliminated += 6 - race.remaining().size();
    }
    EXPECT_LE(static_cast<double>(lost), alpha * kRaces) << alpha;
    EXPECT_GT(eliminated, 2 * kRaces) << "a race that eliminates nobody proves nothing";
  }
}

// One table, two candidates that differ as much as possible and are equal over all but for one
// item: the hardest case for the better one.
TEST(RaceGuarantee, HoldsForARivalThatIsAlmostAsGood) {
  std::mt19937_64 random(12);
  Table table = draw_relatives(random, 2, 0);
  for (std::size_t i = 0; i < 320; ++i) {
    table.scores[0][i] = static_cast<double>(i / 2 % 2);
    table.scores[1][i] = 1 - table.scores[0][i];
  }
  const std::size_t best = best_of(table);
  for (std::size_t i = 0; best_of(table) == best; ++i) table.scores[1 - best][i] = 1;
  const std::size_t better = best_of(table);
  std::size_t lost = 0;
  for (int round = 0; round < 2000; ++round) {
    shuffle(table, random);
    lost += run(table, eager(0.2, 2)).place(better).standing == Standing::kEliminated;
  }
  EXPECT_LE(lost, 400U);
  EXPECT_GT(lost, 5U) << "bets so small that nothing is ever concluded";
}

TEST(RaceGuarantee, EqualsAreNotDropped) {
  std::mt19937_64 random(13);
  std::size_t eliminated = 0;
  for (int round = 0; round < 200; ++round) {
    RaceConfig config;
    config.max_evaluations = 10 * 80;
    config.narrow = false;
    const Race race = run(draw_relatives(random, 10, 0), config);
    for (std::size_t c = 0; c < 10; ++c) {
      eliminated += race.place(c).standing == Standing::kEliminated;
    }
  }
  EXPECT_LE(eliminated, 200U / 10);  // of 2000
}

TEST(RaceGuarantee, CopiesOfOneCandidateAllStay) {
  std::mt19937_64 random(14);
  Table table = draw_relatives(random, 1, 0);
  for (int c = 0; c < 4; ++c) table.scores.push_back(table.scores.front());
  EXPECT_EQ(run(table, eager(0.9, 5)).remaining().size(), 5U);
}

// More joined than were planned: the first are not favoured beyond alpha.
TEST(RaceGuarantee, HoldsForMoreThanWerePlanned) {
  std::mt19937_64 random(15);
  std::size_t lost = 0;
  for (int round = 0; round < 300; ++round) {
    const Table table = draw_relatives(random, 12, 0.4);
    lost += run(table, eager(0.1, 4)).place(best_of(table)).standing == Standing::kEliminated;
  }
  EXPECT_LE(lost, 30U);
}

}  // namespace
}  // namespace crucible::race
