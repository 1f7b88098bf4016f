#include "merger/method/torch_math.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <utility>

namespace crucible::method {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

using Function = float (*)(float);

// Torch's results are written by tests/oracle/merge/make_torch_math.py.
struct Count {
  int points = 0;
  int c_library_misses = 0;
};

TEST(TorchMath, GivesTorchsBits) {
  const std::map<std::string, std::pair<Function, Function>> functions = {
      {"acos", {acos_as_torch, [](float x) { return std::acos(x); }}},
      {"sin", {sin_as_torch, [](float x) { return std::sin(x); }}},
      {"cos", {cos_as_torch, [](float x) { return std::cos(x); }}}};
  std::ifstream file(CRUCIBLE_SOURCE_DIR "/tests/oracle/merge/torch_math.txt");
  std::map<std::string, Count> counts;
  std::string name, from, to;
  while (file >> name >> from >> to) {
    const float x = std::strtof(from.c_str(), nullptr);
    const float y = std::strtof(to.c_str(), nullptr);
    const auto& [function, plain] = functions.at(name);
    ++counts[name].points;
    counts[name].c_library_misses += plain(x) != y ? 1 : 0;
    EXPECT_EQ(function(x), y) << name << ' ' << from;
  }
  for (const auto& [function, pair] : functions) {
    EXPECT_EQ(counts[function].points, 200) << function;
    EXPECT_GT(counts[function].c_library_misses, 20) << function << ": the points tell nothing";
  }
}

TEST(TorchMath, EndsAndOutside) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(acos_as_torch(1.0F), 0.0F);
  EXPECT_EQ(acos_as_torch(-1.0F), 0x1.921fb6p+1F);
  EXPECT_EQ(acos_as_torch(0.0F), 0x1.921fb6p+0F);
  EXPECT_TRUE(std::isnan(acos_as_torch(std::nextafter(1.0F, 2.0F))));
  EXPECT_TRUE(std::isnan(acos_as_torch(nan)));
  EXPECT_TRUE(std::signbit(sin_as_torch(-0.0F)));
  EXPECT_EQ(cos_as_torch(0.0F), 1.0F);
  EXPECT_TRUE(std::isnan(sin_as_torch(kInfinity)));
  EXPECT_TRUE(std::isnan(cos_as_torch(nan)));
  EXPECT_EQ(sin_as_torch(1e30F), std::sin(1e30F));
}

// Within an ulp of the true value where the pieces meet: at 0.5, near 1, at quarter turns.
TEST(TorchMath, CloseToTheTrueValue) {
  for (const float start : {-1.0F, -0.5F, 0.0F, 0.5F, 0.999F, 1.5707963F, 3.1415927F, 8191.0F}) {
    float x = std::nextafter(start, -kInfinity);
    for (int step = 0; step < 1000; ++step, x = std::nextafter(x, kInfinity)) {
      const auto check = [x](float found, double truth) {
        const auto ulp =
            static_cast<double>(std::nextafter(std::abs(static_cast<float>(truth)), kInfinity) -
                                std::abs(static_cast<float>(truth)));
        EXPECT_LE(std::abs(static_cast<double>(found) - truth), ulp) << x;
      };
      check(sin_as_torch(x), std::sin(static_cast<double>(x)));
      check(cos_as_torch(x), std::cos(static_cast<double>(x)));
      if (std::abs(x) <= 1) check(acos_as_torch(x), std::acos(static_cast<double>(x)));
    }
  }
}

}  // namespace
}  // namespace crucible::method
