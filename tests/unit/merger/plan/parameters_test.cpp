#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "merger/plan/merge_plan.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_checkpoint.hpp"

// Values of parameters that only the plan can judge.
namespace crucible::plan {
namespace {

using ::testing::HasSubstr;

class PlanParameters : public ::testing::Test {
 protected:
  void SetUp() override {
    test::TinyCheckpoint tiny;
    for (const char* name : {"base", "a"}) {
      tiny.write(scratch_.path() / name);
      ++tiny.seed;
    }
  }
  Result<MergePlan> plan(const std::string& method, const std::string& parameters) const {
    const auto recipe = recipe::read_recipe("merge_method: " + method +
                                            "\nbase_model: base\nmodels:\n  - model: a\n"
                                            "    parameters: {weight: 0.5, " +
                                            parameters + "}\n");
    EXPECT_TRUE(recipe) << describe(recipe.error());
    return build_plan(*recipe, resolve_beneath({scratch_.path()}), {});
  }

 private:
  test::ScratchFolder scratch_;
};

TEST_F(PlanParameters, SharesBeyondTheirRangeAreWarnedOf) {
  for (const char* method : {"ties", "dare_linear", "breadcrumbs", "della"}) {
    const auto usual = plan(method, "density: 0.5");
    ASSERT_TRUE(usual) << describe(usual.error());
    const auto unusual = plan(method, "density: 1.5");
    ASSERT_TRUE(unusual) << describe(unusual.error());
    ASSERT_EQ(unusual->warnings.size(), usual->warnings.size() + 1) << method;
  }
  const auto negative = plan("breadcrumbs", "gamma: -0.5");
  ASSERT_TRUE(negative);
  ASSERT_FALSE(negative->warnings.empty());
  EXPECT_EQ(negative->warnings.front().path, "models[0].parameters.gamma");
  EXPECT_THAT(negative->warnings.front().message, HasSubstr("-0.5"));
}

TEST_F(PlanParameters, ProbabilitiesOutOfBoundsAreAFault) {
  const auto refused = plan("della", "density: 0.1");
  ASSERT_FALSE(refused);
  EXPECT_THAT(describe(refused.error()), HasSubstr("epsilon"));
  EXPECT_TRUE(plan("della", "density: 0.1, epsilon: 0.05"));
}

}  // namespace
}  // namespace crucible::plan
