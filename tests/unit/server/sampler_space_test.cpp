#include "server/sampler/space.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "server/sampler/random.hpp"

namespace crucible::server::sampler {
namespace {

using Kind = Dimension::Kind;
using testing::ElementsAre;

Dimension float_dimension(std::string name, double low, double high, bool log = false) {
  return {std::move(name), Kind::kFloat, low, high, log, 0};
}

SearchSpace mixed_space() {
  return *SearchSpace::create({float_dimension("weight", -1, 3),
                               float_dimension("rate", 1e-5, 1, true),
                               {"layers", Kind::kInt, -3, 7, false, 0},
                               {"rank", Kind::kInt, 1, 64, true, 0},
                               {"method", Kind::kChoice, 0, 0, false, 3}});
}

std::vector<std::string> fault_paths(std::vector<Dimension> dimensions,
                                     std::vector<SumConstraint> constraints = {}) {
  auto space = SearchSpace::create(std::move(dimensions), std::move(constraints));
  std::vector<std::string> paths;
  if (space) return paths;
  for (const Fault& fault : space.error().faults) paths.push_back(fault.path);
  return paths;
}

TEST(SamplerSpaceTest, FacesOfTheCubeAreTheBounds) {
  const SearchSpace space = mixed_space();
  EXPECT_THAT(space.decode(std::vector<double>(5, 0)), ElementsAre(-1, 1e-5, -3, 1, 0));
  EXPECT_THAT(space.decode(std::vector<double>(5, 1)), ElementsAre(3, 1, 7, 64, 2));
  EXPECT_EQ(space.decode(std::vector<double>(5, -9)), space.decode(std::vector<double>(5, 0)));
  EXPECT_EQ(space.decode(std::vector<double>(5, 9)), space.decode(std::vector<double>(5, 1)));
}

TEST(SamplerSpaceTest, ScalesAreEvenAndLogarithmic) {
  const SearchSpace space = mixed_space();
  const Point point = space.decode(std::vector<double>(5, 0.5));
  EXPECT_DOUBLE_EQ(point[0], 1);
  EXPECT_NEAR(point[1], std::sqrt(1e-5), 1e-12);
  EXPECT_EQ(point[2], 2);
  EXPECT_EQ(point[3], std::round(std::sqrt(0.5 * 64.5)));
  EXPECT_EQ(point[4], 1);
}

TEST(SamplerSpaceTest, EncodeIsTheInverse) {
  const SearchSpace space = mixed_space();
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    std::vector<double> unit(5);
    for (double& u : unit) u = random.uniform();
    const Point point = space.decode(unit);
    EXPECT_TRUE(space.contains(point));
    const Point again = space.decode(space.encode(point));
    EXPECT_NEAR(again[0], point[0], 1e-14);
    EXPECT_NEAR(again[1] / point[1], 1, 1e-13);
    for (std::size_t d = 2; d < 5; ++d) EXPECT_EQ(again[d], point[d]);
  }
}

TEST(SamplerSpaceTest, EveryIntegerSurvivesEncoding) {
  for (const bool log : {false, true}) {
    const SearchSpace space = *SearchSpace::create({{"n", Kind::kInt, 1, 5000, log, 0}});
    for (double n = 1; n <= 5000; ++n) {
      const std::vector<double> unit = space.encode(std::vector<double>{n});
      ASSERT_EQ(space.decode(unit)[0], n);
      const SearchSpace::Cell cell = space.cell(0, unit[0]);
      ASSERT_TRUE(cell.left < unit[0] && unit[0] < cell.right);
    }
  }
}

TEST(SamplerSpaceTest, CellsTileTheInterval) {
  for (const bool log : {false, true}) {
    const SearchSpace space = *SearchSpace::create({{"n", Kind::kInt, 2, 9, log, 0}});
    double edge = 0;
    for (double n = 2; n <= 9; ++n) {
      const SearchSpace::Cell cell = space.cell(0, space.encode(std::vector<double>{n})[0]);
      EXPECT_NEAR(cell.left, edge, 1e-15);
      edge = cell.right;
    }
    EXPECT_NEAR(edge, 1, 1e-15);
  }
}

TEST(SamplerSpaceTest, WeightsSumToOne) {
  const SearchSpace space =
      *SearchSpace::create({float_dimension("a", 0, 1), float_dimension("b", 0, 1),
                            float_dimension("other", 0, 1), float_dimension("c", 0, 1)},
                           {{{"a", "b", "c"}, 1}});
  Point point = space.decode(std::vector<double>{0.2, 0.4, 0.9, 0.2});
  EXPECT_DOUBLE_EQ(point[0], 0.25);
  EXPECT_DOUBLE_EQ(point[1], 0.5);
  EXPECT_EQ(point[2], 0.9);
  EXPECT_DOUBLE_EQ(point[3], 0.25);
  point = space.decode(std::vector<double>{0, 0, 0.9, 0});
  EXPECT_DOUBLE_EQ(point[0], 1.0 / 3);
}

TEST(SamplerSpaceTest, ConstrainedValuesKeepTheirBounds) {
  const SearchSpace space = *SearchSpace::create(
      {float_dimension("a", 0.1, 0.4), float_dimension("b", 0, 1), float_dimension("c", -0.5, 0.5)},
      {{{"a", "b", "c"}, 0.75}});
  Random random(7);
  for (int i = 0; i < 2000; ++i) {
    std::vector<double> unit(3);
    for (double& u : unit) u = random.flip(0.2) ? std::round(random.uniform()) : random.uniform();
    const Point point = space.decode(unit);
    EXPECT_TRUE(space.contains(point));
    EXPECT_NEAR(point[0] + point[1] + point[2], 0.75, 1e-12);
  }
}

TEST(SamplerSpaceTest, ShareFillsUpToTheCaps) {
  EXPECT_THAT(share(1, {1, 1, 2}, {0.1, 1, 1}), ElementsAre(0.1, 0.3, 0.6));
  EXPECT_THAT(share(3, {1, 0, 0}, {1, 1, 1}), ElementsAre(1, 1, 1));
  EXPECT_THAT(share(0, {1, 2}, {1, 1}), ElementsAre(0, 0));
  EXPECT_THAT(share(1, {0, 0}, {1, 3}), ElementsAre(0.25, 0.75));
}

TEST(SamplerSpaceTest, FaultsPointAtTheirPlace) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THAT(fault_paths({}), ElementsAre("dimensions"));
  EXPECT_THAT(fault_paths({float_dimension("", 0, 1)}), ElementsAre("dimensions[0].name"));
  EXPECT_THAT(fault_paths({float_dimension("a", 0, 1), float_dimension("a", 0, 1)}),
              ElementsAre("dimensions[1].name"));
  EXPECT_THAT(fault_paths({float_dimension("a", 2, 1)}), ElementsAre("dimensions[0].low"));
  EXPECT_THAT(fault_paths({float_dimension("a", 0, infinity)}), ElementsAre("dimensions[0].low"));
  EXPECT_THAT(fault_paths({float_dimension("a", -1e308, 1e308)}), ElementsAre("dimensions[0].low"));
  EXPECT_THAT(fault_paths({float_dimension("a", std::nan(""), 1)}),
              ElementsAre("dimensions[0].low"));
  EXPECT_THAT(fault_paths({float_dimension("a", 0, 1, true)}), ElementsAre("dimensions[0].low"));
  EXPECT_THAT(fault_paths({{"n", Kind::kInt, 0.5, 3, false, 0}}), ElementsAre("dimensions[0].low"));
  EXPECT_THAT(fault_paths({{"n", Kind::kInt, 0, 1e12, false, 0}}),
              ElementsAre("dimensions[0].low"));
  EXPECT_THAT(fault_paths({{"c", Kind::kChoice, 0, 0, false, 0}}),
              ElementsAre("dimensions[0].choices"));
  EXPECT_THAT(fault_paths({float_dimension("a", 2, 2)}), ElementsAre());
}

TEST(SamplerSpaceTest, ConstraintFaultsPointAtTheirPlace) {
  const std::vector<Dimension> dimensions = {
      float_dimension("a", 0, 1), float_dimension("b", 0, 1), {"n", Kind::kInt, 0, 3, false, 0}};
  EXPECT_THAT(fault_paths(dimensions, {{{"a", "x"}, 1}}), ElementsAre("constraints[0].names[1]"));
  EXPECT_THAT(fault_paths(dimensions, {{{"a", "n"}, 1}}), ElementsAre("constraints[0].names[1]"));
  EXPECT_THAT(fault_paths(dimensions, {{{"a"}, 1}, {{"b", "a"}, 1}}),
              ElementsAre("constraints[1].names[1]"));
  EXPECT_THAT(fault_paths(dimensions, {{{"a", "b"}, 2.5}}), ElementsAre("constraints[0].total"));
  EXPECT_THAT(fault_paths(dimensions, {{{"a", "b"}, std::nan("")}}),
              ElementsAre("constraints[0].total"));
  EXPECT_THAT(fault_paths(dimensions, {{{"a", "b"}, 2}}), ElementsAre());
}

TEST(SamplerSpaceTest, JsonIsTheSameSpace) {
  const SearchSpace space = *SearchSpace::create({float_dimension("a", 0.1, 0.7),
                                                  float_dimension("b", 1e-300, 1, true),
                                                  {"n", Kind::kInt, -5, 9, false, 0},
                                                  {"c", Kind::kChoice, 0, 1, false, 4}},
                                                 {{{"a", "b"}, 0.30000000000000004}});
  const auto again = SearchSpace::from_json(nlohmann::json::parse(space.to_json().dump()));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, space);
}

TEST(SamplerSpaceTest, BadJsonIsRefused) {
  for (const char* text :
       {"{}", "[]", "7", R"({"dimensions": 1})", R"({"dimensions": [1]})",
        R"({"dimensions": [{"name": "a", "kind": "complex"}]})",
        R"({"dimensions": [{"name": "a", "kind": "choice", "choices": -1}]})",
        R"({"dimensions": [{"name": "a", "kind": "choice", "choices": 2.5}]})",
        R"({"dimensions": [{"name": "a", "kind": "float", "low": "0", "high": 1}]})"}) {
    auto space = SearchSpace::from_json(nlohmann::json::parse(text));
    ASSERT_FALSE(space) << text;
    EXPECT_EQ(space.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace crucible::server::sampler
