// What each method does on its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "server/sampler/cma.hpp"
#include "server/sampler/gaussian_process.hpp"
#include "server/sampler/pareto.hpp"
#include "server/sampler/parzen.hpp"
#include "server/sampler/sampler.hpp"

namespace crucible::server::sampler {
namespace {

using Kind = Dimension::Kind;
using testing::DoubleNear;
using testing::ElementsAre;

SearchSpace floats(std::size_t count, double low = 0, double high = 1) {
  std::vector<Dimension> dimensions;
  for (std::size_t i = 0; i < count; ++i) {
    dimensions.push_back({"x" + std::to_string(i), Kind::kFloat, low, high, false, 0});
  }
  return *SearchSpace::create(std::move(dimensions));
}

std::unique_ptr<Sampler> make(SearchSpace space, Method method, std::uint64_t seed = 1,
                              std::size_t budget = 0) {
  auto sampler = Sampler::create({std::move(space), std::move(method), seed, budget});
  EXPECT_TRUE(sampler) << describe(sampler.error());
  return *std::move(sampler);
}

// Asks and tells one at a time until the sampler is exhausted; how many trials there were.
template <typename Objective>
std::size_t run(Sampler& sampler, const Objective& objective) {
  for (;;) {
    const Ask answer = sampler.ask();
    if (answer.status != AskStatus::kPoint) return sampler.trials().size();
    EXPECT_TRUE(sampler.tell(answer.trial, {{objective(answer.point)}}));
  }
}

std::vector<Point> ask_all(Sampler& sampler) {
  std::vector<Point> points;
  for (Ask a = sampler.ask(); a.status == AskStatus::kPoint; a = sampler.ask()) {
    points.push_back(a.point);
  }
  return points;
}

TEST(SamplerGridTest, EveryCombinationOnce) {
  const SearchSpace space = *SearchSpace::create({{"a", Kind::kFloat, -1, 1, false, 0},
                                                  {"n", Kind::kInt, 3, 5, false, 0},
                                                  {"c", Kind::kChoice, 0, 0, false, 2}});
  auto sampler = make(space, GridSettings{{3, 2, 0}});
  const std::vector<Point> points = ask_all(*sampler);
  ASSERT_EQ(points.size(), 12U);
  EXPECT_EQ(std::set<Point>(points.begin(), points.end()).size(), 12U);
  EXPECT_THAT(points[0], ElementsAre(-1, 3, 0));
  EXPECT_THAT(points[1], ElementsAre(-1, 3, 1));
  EXPECT_THAT(points[2], ElementsAre(-1, 5, 0));
  EXPECT_THAT(points[11], ElementsAre(1, 5, 1));
  EXPECT_EQ(sampler->ask().status, AskStatus::kExhausted);
}

TEST(SamplerGridTest, LogarithmicIntegersAndMoreStepsThanValues) {
  auto rank = make(*SearchSpace::create({{"r", Kind::kInt, 1, 64, true, 0}}), GridSettings{{4}});
  EXPECT_THAT(ask_all(*rank), ElementsAre(Point{1}, Point{3}, Point{13}, Point{64}));
  auto few = make(*SearchSpace::create({{"n", Kind::kInt, 1, 3, false, 0}}), GridSettings{{9}});
  EXPECT_THAT(ask_all(*few), ElementsAre(Point{1}, Point{2}, Point{3}));
}

TEST(SamplerGridTest, ConstraintsLeaveNoDuplicates) {
  const SearchSpace space = *SearchSpace::create(
      {{"a", Kind::kFloat, 0, 1, false, 0}, {"b", Kind::kFloat, 0, 1, false, 0}},
      {{{"a", "b"}, 1}});
  auto sampler = make(space, GridSettings{{3, 3}});
  // Of (0,0) .. (1,1): the ratios 1:1, 0:1, 1:2, 1:0 and 2:1.
  EXPECT_EQ(ask_all(*sampler).size(), 5U);
}

TEST(SamplerSettingsTest, FaultsNameTheSetting) {
  const auto fault = [](SearchSpace space, Method method) {
    auto sampler = Sampler::create({std::move(space), std::move(method), 0, 0});
    if (sampler || sampler.error().faults.empty()) return std::string("none");
    return sampler.error().faults[0].path;
  };
  EXPECT_EQ(fault(floats(2), GridSettings{{3}}), "method.counts");
  EXPECT_EQ(fault(floats(2), GridSettings{{3, 0}}), "method.counts[1]");
  EXPECT_EQ(fault(floats(2), GridSettings{{1001, 1000}}), "method.counts");
  EXPECT_EQ(fault(floats(2), AdaptiveSettings{}), "method.name");
  EXPECT_EQ(fault(floats(1), AdaptiveSettings{2}), "method.coarse");
  EXPECT_EQ(fault(floats(1), CmaEsSettings{0, 0, {}}), "method.sigma");
  EXPECT_EQ(fault(floats(1), CmaEsSettings{0.1, 2, {}}), "method.population");
  EXPECT_EQ(fault(floats(1), CmaEsSettings{0.1, 0, Point{2}}), "method.start");
  EXPECT_EQ(fault(floats(1), TpeSettings{0}), "method.startup");
  EXPECT_EQ(fault(floats(1), Nsga2Settings{1}), "method.population");
  EXPECT_EQ(fault(floats(1), Nsga2Settings{10, 0}), "method.objectives");
  EXPECT_EQ(fault(SearchSpace(), RandomSettings{}), "space");
}

TEST(SamplerSettingsTest, JsonKeepsEverySetting) {
  const std::vector<Method> methods = {GridSettings{{4}},
                                       RandomSettings{},
                                       SobolSettings{SobolSettings::Scramble::kNone},
                                       AdaptiveSettings{7, 0.1, 0.3, 11},
                                       CmaEsSettings{0.1, 9, Point{0.30000000000000004}},
                                       TpeSettings{3, 5},
                                       Nsga2Settings{8, 3, 0.7, 11, 0.6, 13}};
  for (const Method& method : methods) {
    const Specification s{floats(1), method, 0xffffffffffffffffULL, 12};
    auto again = specification_from_json(nlohmann::json::parse(to_json(s).dump()));
    ASSERT_TRUE(again) << describe(again.error());
    EXPECT_EQ(to_json(*again), to_json(s));
    EXPECT_EQ(again->method.index(), method.index());
    EXPECT_EQ(again->seed, s.seed);
  }
}

TEST(SamplerSettingsTest, UnknownSettingsAreRefused) {
  nlohmann::json json = to_json({floats(1), TpeSettings{}, 0, 0});
  json["method"]["startups"] = 3;
  auto refused = specification_from_json(json);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("startups"));
}

// Weights of pycma's RecombinationWeights(8) finalised for dimension 5, and its other parameters.
TEST(SamplerCmaTest, ParametersAreTheTutorials) {
  const CmaParameters p(5, 8);
  EXPECT_EQ(p.parents, 4U);
  EXPECT_NEAR(p.mu_eff, 2.60017882611318, 1e-12);
  EXPECT_NEAR(p.weights[0], 0.5299301844787792, 1e-12);
  EXPECT_NEAR(p.weights[7], -0.811149352026059, 1e-12);
  EXPECT_NEAR(p.chi_n, std::sqrt(2.0) * std::tgamma(3.0) / std::tgamma(2.5), 1e-3);
}

TEST(SamplerCmaTest, BoundsAreReachedAndNeverPassed) {
  EXPECT_EQ(into_unit_interval(0.3), 0.3);
  EXPECT_EQ(into_unit_interval(-0.05), 0);
  EXPECT_EQ(into_unit_interval(1.05), 1);
  for (double x = -7; x < 7; x += 0.0137) {
    const double unit = into_unit_interval(x);
    EXPECT_TRUE(unit >= 0 && unit <= 1);
    EXPECT_NEAR(into_unit_interval(from_unit_interval(unit)), unit, 1e-12);
    EXPECT_NEAR(into_unit_interval(x + 2.2), unit, 1e-9);
  }
}

TEST(SamplerCmaTest, WaitsForItsGeneration) {
  auto sampler = make(floats(5), CmaEsSettings{});
  EXPECT_EQ(ask_all(*sampler).size(), 8U);
  EXPECT_EQ(sampler->ask().status, AskStatus::kWait);
  for (std::size_t i = 8; i-- > 1;) EXPECT_TRUE(sampler->tell(i, {{double(i)}}));
  EXPECT_EQ(sampler->ask().status, AskStatus::kWait);
  EXPECT_TRUE(sampler->tell(0, {{}, false, {}}));
  EXPECT_EQ(sampler->ask().status, AskStatus::kPoint);
}

TEST(SamplerCmaTest, FindsAnOptimumOnTheBound) {
  auto sampler = make(floats(4, -2, 2), CmaEsSettings{}, 3, 800);
  run(*sampler, [](const Point& x) { return x[0] - std::pow(x[1] - 1, 2) - x[2] - x[3] * x[3]; });
  EXPECT_THAT(*sampler->recommendation(), ElementsAre(DoubleNear(2, 1e-4), DoubleNear(1, 1e-3),
                                                      DoubleNear(-2, 1e-4), DoubleNear(0, 1e-3)));
}

TEST(SamplerCmaTest, ConvergesAndSaysSo) {
  auto sampler = make(floats(3), CmaEsSettings{});
  const std::size_t trials = run(*sampler, [](const Point& x) {
    return -std::pow(x[0] - 0.3, 2) - std::pow(x[1] - 0.6, 2) - std::pow(x[2] - 0.5, 2);
  });
  EXPECT_LT(trials, 2000U);
  EXPECT_EQ(sampler->ask().status, AskStatus::kExhausted);
}

TEST(SamplerCmaTest, IntegersAreFoundAndFlatFunctionsSurvived) {
  const SearchSpace space = *SearchSpace::create(
      {{"n", Kind::kInt, 0, 40, false, 0}, {"x", Kind::kFloat, 0, 1, false, 0}});
  auto sampler = make(space, CmaEsSettings{}, 2, 400);
  run(*sampler, [](const Point& x) { return -std::pow(x[0] - 33, 2) - std::pow(x[1] - 0.2, 2); });
  EXPECT_EQ(sampler->point(0).size(), 2U);
  EXPECT_EQ((*sampler->recommendation())[0], 33);
  auto flat = make(floats(2), CmaEsSettings{}, 2, 3000);
  EXPECT_EQ(run(*flat, [](const Point&) { return 1.0; }), 3000U);
}

TEST(SamplerCmaTest, FailuresDoNotMoveTheMean) {
  auto sampler = make(floats(2), CmaEsSettings{});
  for (int generation = 0; generation < 3; ++generation) {
    const std::size_t first = sampler->trials().size();
    const std::size_t count = ask_all(*sampler).size();
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(sampler->tell(first + i, {{}, false, {}}));
    }
  }
  EXPECT_EQ(sampler->state()["method"]["mean"], nlohmann::json({0.5, 0.5}));
  EXPECT_EQ(sampler->recommendation(), std::nullopt);
}

TEST(SamplerAdaptiveTest, CoarseFirstThenNearTheTop) {
  auto sampler = make(floats(1, 0, 2), AdaptiveSettings{});
  const auto hump = [](const Point& x) { return -std::pow(x[0] - 1.37, 2); };
  const std::size_t trials = run(*sampler, hump);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_DOUBLE_EQ(sampler->point(i)[0], 0.5 * static_cast<double>(i));
  }
  EXPECT_LE(trials, 12U);
  EXPECT_NEAR((*sampler->recommendation())[0], 1.37, 2.0 / 64);
}

TEST(SamplerAdaptiveTest, NoiseIsAveragedOut) {
  int close = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    auto sampler = make(floats(1), AdaptiveSettings{});
    Random noise(seed);
    const std::size_t trials = run(
        *sampler, [&](const Point& x) { return -std::pow(x[0] - 0.6, 2) + 0.02 * noise.normal(); });
    EXPECT_LE(trials, 25U);
    if (std::abs((*sampler->recommendation())[0] - 0.6) < 0.15) ++close;
  }
  EXPECT_GE(close, 36);
}

TEST(SamplerAdaptiveTest, StandardErrorsAreTheNoise) {
  const std::vector<double> x = {0, 0.25, 0.5, 0.75, 1};
  const std::vector<double> y = {0, 1, 0.2, 1.1, 0.1};
  const GaussianProcess exact(x, y, std::vector<double>(5, 0));
  const GaussianProcess vague(x, y, std::vector<double>(5, 5));
  EXPECT_NEAR(exact.estimate(0.25).mean, 1, 1e-4);
  EXPECT_LT(exact.estimate(0.25).deviation, 1e-3);
  EXPECT_NEAR(vague.noise(), 5, 1e-9);
  EXPECT_NEAR(vague.estimate(0.25).mean, 0.48, 0.2);
}

TEST(SamplerAdaptiveTest, FailuresAndSingleValuesEnd) {
  auto failing = make(floats(1), AdaptiveSettings{});
  std::set<Point> asked;
  for (;;) {
    const Ask a = failing->ask();
    if (a.status != AskStatus::kPoint) break;
    EXPECT_TRUE(asked.insert(a.point).second);
    ASSERT_TRUE(failing->tell(a.trial, {{}, false, {}}));
  }
  EXPECT_EQ(asked.size(), 25U);
  auto single = make(*SearchSpace::create({{"n", Kind::kInt, 4, 4, false, 0}}), AdaptiveSettings{});
  EXPECT_EQ(run(*single, [](const Point&) { return 1.0; }), 1U);
  auto layers =
      make(*SearchSpace::create({{"n", Kind::kInt, 0, 31, false, 0}}), AdaptiveSettings{});
  run(*layers, [](const Point& x) { return -std::pow(x[0] - 22, 2); });
  EXPECT_EQ((*layers->recommendation())[0], 22);
}

TEST(SamplerAdaptiveTest, ParallelTrialsDiffer) {
  auto sampler = make(floats(1), AdaptiveSettings{});
  for (std::size_t i = 0; i < 5; ++i) {
    const Ask a = sampler->ask();
    ASSERT_TRUE(sampler->tell(a.trial, {{-std::pow(a.point[0] - 0.4, 2)}}));
  }
  const Ask a = sampler->ask();
  const Ask b = sampler->ask();
  ASSERT_EQ(a.status, AskStatus::kPoint);
  ASSERT_EQ(b.status, AskStatus::kPoint);
  EXPECT_NE(a.point, b.point);
}

// From optuna 5.0.0's _ParzenEstimator on the same observations.
TEST(SamplerTpeTest, DensityIsOptunas) {
  const SearchSpace space = *SearchSpace::create({{"x", Kind::kFloat, -5, 5, false, 0},
                                                  {"n", Kind::kInt, 0, 9, false, 0},
                                                  {"r", Kind::kFloat, 1e-4, 1, true, 0},
                                                  {"k", Kind::kInt, 1, 64, true, 0},
                                                  {"c", Kind::kChoice, 0, 0, false, 3}});
  const std::vector<Point> observed = {
      {-2, 3, 0.01, 4, 0}, {1, 7, 0.3, 9, 2}, {1.5, 7, 0.02, 2, 2}};
  std::vector<std::vector<double>> units;
  for (const Point& point : observed) units.push_back(space.encode(point));
  const ParzenEstimator estimator(space, units);
  const auto difference = [&](const Point& a, const Point& b) {
    return estimator.log_density(space.encode(a)) - estimator.log_density(space.encode(b));
  };
  EXPECT_NEAR(difference({0, 5, 0.05, 3, 1}, {-2, 3, 0.01, 4, 0}), -0.8062010370437278, 1e-9);
  EXPECT_NEAR(difference({4.9, 0, 1, 64, 2}, {1.2, 7, 0.2, 8, 2}), -5.461087313172667, 1e-9);
}

TEST(SamplerTpeTest, SamplesFollowTheDensity) {
  const SearchSpace space = *SearchSpace::create(
      {{"n", Kind::kInt, 0, 3, false, 0}, {"c", Kind::kChoice, 0, 0, false, 3}});
  const ParzenEstimator estimator(space, {space.encode(Point{1, 2}), space.encode(Point{3, 0})});
  std::vector<double> counts(12);
  Random random(4);
  constexpr int kDraws = 60'000;
  for (int i = 0; i < kDraws; ++i) {
    const Point p = space.decode(estimator.sample(random));
    ++counts[static_cast<std::size_t>(p[0] * 3 + p[1])];
  }
  double total = 0;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    const Point p = {static_cast<double>(k / 3), static_cast<double>(k % 3)};
    const double probability = std::exp(estimator.log_density(space.encode(p)));
    EXPECT_NEAR(counts[k] / kDraws, probability, 0.008);
    total += probability;
  }
  EXPECT_NEAR(total, 1, 1e-12);
}

TEST(SamplerTpeTest, LearnsTheChoiceAndTheRange) {
  const SearchSpace space = *SearchSpace::create(
      {{"x", Kind::kFloat, 0, 1, false, 0}, {"c", Kind::kChoice, 0, 0, false, 5}});
  auto sampler = make(space, TpeSettings{}, 6, 100);
  run(*sampler, [](const Point& p) { return (p[1] == 3 ? 1 : 0) - std::abs(p[0] - 0.25); });
  int right = 0;
  for (std::size_t i = 80; i < 100; ++i) right += sampler->point(i)[1] == 3 ? 1 : 0;
  EXPECT_GE(right, 10);  // of 20, by chance 4
  EXPECT_NEAR((*sampler->recommendation())[0], 0.25, 0.05);
}

TEST(SamplerNsga2Test, FrontOfTwoObjectives) {
  auto sampler = make(floats(3), Nsga2Settings{20}, 1, 1000);
  for (;;) {
    const Ask a = sampler->ask();
    if (a.status != AskStatus::kPoint) break;
    const double rest = std::pow(a.point[1] - 0.5, 2) + std::pow(a.point[2] - 0.5, 2);
    ASSERT_TRUE(sampler->tell(a.trial, {{a.point[0] - rest, -a.point[0] * a.point[0] - rest}}));
  }
  ASSERT_EQ(sampler->trials().size(), 1000U);
  const auto front = pareto_front(sampler->trials());
  EXPECT_GE(front.size(), 20U);
  double least = 1;
  double most = 0;
  for (const std::size_t i : front) {
    const Point p = sampler->point(i);
    EXPECT_NEAR(p[1], 0.5, 0.15);
    least = std::min(least, p[0]);
    most = std::max(most, p[0]);
  }
  EXPECT_LT(least, 0.02);
  EXPECT_GT(most, 0.98);
}

TEST(SamplerNsga2Test, SmallSpacesAreExhausted) {
  const SearchSpace space = *SearchSpace::create(
      {{"c", Kind::kChoice, 0, 0, false, 2}, {"n", Kind::kInt, 0, 1, false, 0}});
  auto sampler = make(space, Nsga2Settings{6, 1}, 1, 500);
  EXPECT_LE(run(*sampler, [](const Point& p) { return p[0] + p[1]; }), 4U);
  EXPECT_THAT(*sampler->recommendation(), ElementsAre(1, 1));
}

}  // namespace
}  // namespace crucible::server::sampler
