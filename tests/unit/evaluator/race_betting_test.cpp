#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "evaluator/race/betting.hpp"
#include "gtest/gtest.h"

namespace crucible::race {
namespace {

// Items of two strata; the strata's places in the order are fixed.
struct Population {
  std::vector<std::size_t> places;           // strata, by place
  std::vector<std::vector<double>> weights;  // by stratum
  std::vector<std::vector<double>> a;
  std::vector<std::vector<double>> b;

  double difference() const {
    double sum = 0;
    double total = 0;
    for (std::size_t s = 0; s < a.size(); ++s) {
      for (std::size_t i = 0; i < a[s].size(); ++i) {
        sum += weights[s][i] * (a[s][i] - b[s][i]);
        total += weights[s][i];
      }
    }
    return sum / total;
  }
};

// Capital after the first `seen` places, its mean over all orders of the items in their strata.
double mean_capital(const Population& people, const std::vector<std::size_t>& looks,
                    std::size_t seen, double bound) {
  std::vector<std::vector<std::size_t>> orders;
  for (const auto& stratum : people.a) {
    orders.emplace_back(stratum.size());
    std::iota(orders.back().begin(), orders.back().end(), 0U);
  }
  double sum = 0;
  double count = 0;
  do {
    do {
      std::vector<RaceItem> items;
      std::vector<double> a;
      std::vector<double> b;
      std::vector<std::size_t> next(orders.size(), 0);
      for (const std::size_t s : people.places) {
        const std::size_t i = orders[s][next[s]++];
        items.push_back({s, people.weights[s][i], 1});
        a.push_back(people.a[s][i]);
        b.push_back(people.b[s][i]);
      }
      Blocks blocks(items);
      for (const std::size_t look : looks) blocks.extend_to(look);
      sum +=
          std::exp(blocks.log_capital(std::span(a).first(seen), std::span(b).first(seen), bound));
      ++count;
    } while (std::ranges::next_permutation(orders[1]).found);
  } while (std::ranges::next_permutation(orders[0]).found);
  return sum / count;
}

// What everything rests on, without simulation: nobody expects to win under the hypothesis,
// whatever the strata's own means, weights and sizes are, one stratum missing a block included.
TEST(Betting, ExpectedCapitalIsAtMostOneUnderTheHypothesis) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> uniform;
  double largest = 0;
  for (int round = 0; round < 60; ++round) {
    Population people;
    people.places = round % 2 == 0 ? std::vector<std::size_t>{0, 1, 0, 1, 0, 1, 0}
                                   : std::vector<std::size_t>{0, 0, 0, 1, 0, 1, 1};
    for (const std::size_t size : {4U, 3U}) {
      std::vector<double> weights(size);
      std::vector<double> a(size);
      std::vector<double> b(size);
      for (std::size_t i = 0; i < size; ++i) {
        weights[i] = round % 3 == 0 ? 1 : 0.2 + uniform(random);
        a[i] = round % 4 == 0 ? uniform(random) : std::round(uniform(random));
        b[i] = round % 4 == 0 ? uniform(random) : std::round(uniform(random));
      }
      people.weights.push_back(weights);
      people.a.push_back(a);
      people.b.push_back(b);
    }
    for (const std::size_t seen : {3U, 5U, 7U}) {
      const double mean = mean_capital(people, {3, 5, 7}, seen, people.difference());
      EXPECT_LE(mean, 1 + 1e-9) << "round " << round << " after " << seen;
      largest = std::max(largest, mean);
    }
  }
  EXPECT_GT(largest, 0.999);  // and it is not made small by giving everything away
}

std::vector<RaceItem> plain(std::size_t items) {
  std::vector<RaceItem> made;
  for (std::size_t i = 0; i < items; ++i) made.push_back({i % 2, 1, 1});
  return made;
}

TEST(Betting, GetsRichOnARealDifference) {
  const std::vector<RaceItem> items = plain(1000);
  Blocks blocks(items);
  blocks.extend_to(64);
  std::mt19937_64 random(1);
  std::bernoulli_distribution strong(0.9);
  std::bernoulli_distribution weak(0.5);
  std::vector<double> a;
  std::vector<double> b;
  for (int i = 0; i < 64; ++i) {
    a.push_back(strong(random));
    b.push_back(weak(random));
  }
  EXPECT_GT(blocks.log_capital(a, b, 0), std::log(20));
  EXPECT_LT(blocks.log_capital(b, a, 0), 0);
  EXPECT_LT(blocks.log_capital(a, b, 0.6), 0);
}

TEST(Betting, KnowsWhenTheRestCannotChangeIt) {
  const std::vector<RaceItem> items = plain(40);
  Blocks blocks(items);
  blocks.extend_to(32);
  blocks.extend_to(40);
  const std::vector<double> ones(32, 1.0);
  const std::vector<double> zeros(32, 0.0);
  EXPECT_TRUE(std::isinf(blocks.log_capital(ones, zeros, 0)));
  EXPECT_FALSE(std::isinf(blocks.log_capital(zeros, ones, 0)));
}

TEST(Betting, AtTheEndTheDifferenceIsKnown) {
  const std::vector<RaceItem> items = plain(100);
  Blocks blocks(items);
  blocks.extend_to(100);
  std::vector<double> a(100, 0.0);
  const std::vector<double> b(100, 0.0);
  EXPECT_NEAR(blocks.log_capital(a, b, 0), 0, 1e-12);  // equals: no bet was won
  a[99] = 1;
  EXPECT_TRUE(std::isinf(blocks.log_capital(a, b, 0)));
  EXPECT_FALSE(std::isinf(blocks.log_capital(a, b, 0.01)));
}

TEST(Betting, EarlierItemsWinNothingForOneThatCameLater) {
  const std::vector<RaceItem> items = plain(1000);
  Blocks blocks(items);
  blocks.extend_to(64);
  blocks.extend_to(96);
  const std::vector<double> ones(96, 1.0);
  const std::vector<double> zeros(96, 0.0);
  const auto first = [](const std::vector<double>& all) { return std::span(all).first(64); };
  EXPECT_GT(blocks.log_capital(first(ones), first(zeros), 0), 10);
  EXPECT_EQ(blocks.log_capital(first(ones), first(zeros), 0, 64), 0);
  EXPECT_GT(blocks.log_capital(ones, zeros, 0, 64), 5);
}

TEST(Betting, BlocksStayWhenMoreAreAdded) {
  const std::vector<RaceItem> items = plain(300);
  Blocks once(items);
  once.extend_to(64);
  Blocks twice = once;
  twice.extend_to(150);
  twice.extend_to(300);
  std::mt19937_64 random(2);
  std::bernoulli_distribution coin;
  std::vector<double> a;
  std::vector<double> b;
  for (int i = 0; i < 64; ++i) {
    a.push_back(coin(random));
    b.push_back(coin(random));
  }
  EXPECT_EQ(once.log_capital(a, b, 0), twice.log_capital(a, b, 0));
}

}  // namespace
}  // namespace crucible::race
