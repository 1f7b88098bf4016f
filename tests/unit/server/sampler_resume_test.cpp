// A sweep killed at any moment and resumed from the stored state asks exactly the same points.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <string>

#include "server/sampler/sampler.hpp"

namespace crucible::server::sampler {
namespace {

using Kind = Dimension::Kind;
using nlohmann::json;

// Plays a sweep with up to four trials at once whose outcomes come back in any order, some failed
// and some stopped early. What it does next depends only on `decisions`.
class Sweep {
 public:
  explicit Sweep(std::uint64_t seed) : decisions_(seed) {}

  // One step, an ask or a tell; false when the sampler is exhausted and nothing runs.
  bool step(Sampler& sampler) {
    const bool full = running_.size() >= 4;
    if (!full && (running_.empty() || decisions_.flip(0.6))) {
      const Ask answer = sampler.ask();
      if (answer.status == AskStatus::kPoint) {
        asked_.push_back(answer.point);
        running_.push_back(answer.trial);
        return true;
      }
      if (running_.empty()) {
        EXPECT_EQ(answer.status, AskStatus::kExhausted) << "waits for nothing";
        return false;
      }
    }
    const std::size_t place = decisions_.below(running_.size());
    const std::size_t trial = running_[place];
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(place));
    const auto told = sampler.tell(trial, outcome(sampler, asked_[trial]));
    EXPECT_TRUE(told) << describe(told.error());
    return true;
  }

  const std::vector<Point>& asked() const { return asked_; }

 private:
  Outcome outcome(const Sampler& sampler, const Point& point) {
    if (decisions_.flip(0.1)) return {{}, false, {}};
    Outcome outcome;
    outcome.complete = !decisions_.flip(0.1);
    for (std::size_t m = 0; m < objective_count(sampler.specification().method); ++m) {
      double value = 0;
      for (std::size_t i = 0; i < point.size(); ++i) {
        value -= std::pow(point[i] - 0.1 * static_cast<double>(m + i), 2);
      }
      outcome.objectives.push_back(value + 0.01 * decisions_.normal());
    }
    return outcome;
  }

  Random decisions_;
  std::vector<Point> asked_;
  std::vector<std::size_t> running_;
};

struct Case {
  const char* name;
  Method method;
  bool one_dimension = false;
};

Specification specification(const Case& c, std::uint64_t seed) {
  Specification s;
  if (c.one_dimension) {
    s.space = *SearchSpace::create({{"t", Kind::kFloat, 0, 1, false, 0}});
  } else {
    s.space = *SearchSpace::create({{"a", Kind::kFloat, 0, 1, false, 0},
                                    {"b", Kind::kFloat, 0, 1, false, 0},
                                    {"rate", Kind::kFloat, 1e-4, 1, true, 0},
                                    {"n", Kind::kInt, 0, 5, false, 0},
                                    {"c", Kind::kChoice, 0, 0, false, 3}},
                                   {{{"a", "b"}, 1}});
  }
  s.method = c.method;
  s.seed = seed;
  return s;
}

std::vector<Case> cases() {
  return {{"grid", GridSettings{{3, 3, 3, 0, 0}}},
          {"random", RandomSettings{}},
          {"sobol", SobolSettings{}},
          {"sobol_shifted", SobolSettings{SobolSettings::Scramble::kDigitalShift}},
          {"adaptive", AdaptiveSettings{5, 1.0 / 64, 1e-6, 40}, true},
          {"cma_es", CmaEsSettings{}},
          {"tpe", TpeSettings{}},
          {"nsga2", Nsga2Settings{12}}};
}

class SamplerResumeTest : public testing::TestWithParam<Case> {};

std::unique_ptr<Sampler> stored_and_restored(const Sampler& sampler) {
  const std::string stored = sampler.state().dump();
  auto restored = Sampler::restore(json::parse(stored));
  EXPECT_TRUE(restored) << describe(restored.error());
  if (!restored) return nullptr;
  EXPECT_EQ((*restored)->state().dump(), stored);
  return *std::move(restored);
}

TEST_P(SamplerResumeTest, AtAHundredMoments) {
  Random moments(17);
  for (std::uint64_t run = 0; run < 100; ++run) {
    auto sampler = *Sampler::create(specification(GetParam(), run));
    Sweep sweep(run);
    const std::size_t moment = moments.below(GetParam().one_dimension ? 60 : 200);
    for (std::size_t i = 0; i < moment && sweep.step(*sampler); ++i) continue;

    const auto restored = stored_and_restored(*sampler);
    ASSERT_NE(restored, nullptr);
    Sweep resumed = sweep;
    for (int i = 0; i < 60; ++i) {
      ASSERT_EQ(sweep.step(*sampler), resumed.step(*restored));
    }
    ASSERT_EQ(sweep.asked(), resumed.asked()) << "stored after " << moment << " steps";
    ASSERT_EQ(sampler->state(), restored->state());
  }
}

TEST_P(SamplerResumeTest, KilledAfterEveryStep) {
  auto undisturbed = *Sampler::create(specification(GetParam(), 5));
  auto killed = *Sampler::create(specification(GetParam(), 5));
  Sweep first(5);
  Sweep second(5);
  for (int i = 0; i < 150; ++i) {
    ASSERT_EQ(first.step(*undisturbed), second.step(*killed));
    killed = stored_and_restored(*killed);
    ASSERT_NE(killed, nullptr);
  }
  EXPECT_EQ(first.asked(), second.asked());
}

TEST_P(SamplerResumeTest, TheOrderOfTellsDoesNotMatter) {
  auto forward = *Sampler::create(specification(GetParam(), 8));
  auto backward = *Sampler::create(specification(GetParam(), 8));
  const std::size_t objectives = objective_count(GetParam().method);
  for (int round = 0; round < 12; ++round) {
    std::vector<std::size_t> trials;
    for (int i = 0; i < 9; ++i) {
      const Ask a = forward->ask();
      const Ask b = backward->ask();
      ASSERT_EQ(a.status, b.status);
      ASSERT_EQ(a.point, b.point);
      if (a.status == AskStatus::kPoint) trials.push_back(a.trial);
    }
    const auto outcome = [&](std::size_t trial) {
      const double value = std::sin(static_cast<double>(trial) * 1.7);
      return Outcome{std::vector<double>(objectives, value), true, {}};
    };
    for (std::size_t i = 0; i < trials.size(); ++i) {
      ASSERT_TRUE(forward->tell(trials[i], outcome(trials[i])));
      const std::size_t last = trials[trials.size() - 1 - i];
      ASSERT_TRUE(backward->tell(last, outcome(last)));
    }
  }
  EXPECT_EQ(forward->state(), backward->state());
}

TEST_P(SamplerResumeTest, PointsBelongToTheSpaceAndTheBudgetIsHard) {
  Specification s = specification(GetParam(), 3);
  s.budget = 37;
  auto sampler = *Sampler::create(s);
  Sweep sweep(3);
  while (sweep.step(*sampler)) continue;
  EXPECT_LE(sweep.asked().size(), 37U);
  if (!GetParam().one_dimension) {
    EXPECT_EQ(sweep.asked().size(), 37U);
  }
  for (const Point& point : sweep.asked()) {
    EXPECT_TRUE(s.space.contains(point));
    if (point.size() > 1) {
      EXPECT_NEAR(point[0] + point[1], 1, 1e-12);
    }
  }
  EXPECT_EQ(sampler->ask().status, AskStatus::kExhausted);
}

TEST_P(SamplerResumeTest, BadTellsChangeNothing) {
  auto sampler = *Sampler::create(specification(GetParam(), 3));
  const std::vector<double> good(objective_count(GetParam().method), 0.5);
  const Ask first = sampler->ask();
  const json before = sampler->state();
  EXPECT_EQ(sampler->tell(7, {good}).error().code, ErrorCode::kNotFound);
  std::vector<double> nan = good;
  nan[0] = std::nan("");
  EXPECT_EQ(sampler->tell(first.trial, {nan}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(sampler->tell(first.trial, {{}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(sampler->tell(first.trial, {{1, 2, 3}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(sampler->tell(first.trial, {good, true, {-1}}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(sampler->state(), before);
  EXPECT_TRUE(sampler->tell(first.trial, {good}));
  EXPECT_EQ(sampler->tell(first.trial, {good}).error().code, ErrorCode::kConflict);
}

// Replaces every member of a state, one at a time and at every depth, by values that do not belong.
void for_each_corruption(const json& whole, json& part, const std::function<void()>& visit) {
  const json saved = part;
  for (const json& wrong : {json(), json("x"), json(-1), json(1e18), json::array(), json::object(),
                            json::array({1, 2}), json(true)}) {
    part = wrong;
    visit();
  }
  part = saved;
  if (!part.is_structured()) return;
  std::size_t visited = 0;
  for (json& child : part) {
    if (++visited > 6) break;
    for_each_corruption(whole, child, visit);
  }
}

TEST_P(SamplerResumeTest, CorruptStatesDoNotCrash) {
  auto sampler = *Sampler::create(specification(GetParam(), 3));
  Sweep sweep(3);
  for (int i = 0; i < 45; ++i) sweep.step(*sampler);
  json state = sampler->state();
  int refused = 0;
  for_each_corruption(state, state, [&] {
    auto restored = Sampler::restore(state);
    if (!restored) {
      ++refused;
      EXPECT_EQ(restored.error().code, ErrorCode::kCorrupt);
      return;
    }
    for (int i = 0; i < 3; ++i) (*restored)->ask();
  });
  EXPECT_GT(refused, 100);
  for (const auto& [key, value] : state.items()) {
    json without = state;
    without.erase(key);
    EXPECT_FALSE(Sampler::restore(without)) << key;
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, SamplerResumeTest, testing::ValuesIn(cases()),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace crucible::server::sampler
