#include "merger/method/method.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "merger/method/magnitude.hpp"
#include "merger/recipe/method_info.hpp"
#include "tests/unit/merger/method/vector_tiles.hpp"

// The kernels against plain element-by-element references, written from the formulas.
namespace crucible::method {
namespace {

using test::Inputs;
using test::Values;
using test::VectorTiles;

Values random_values(std::size_t count, unsigned seed, float spread = 1.0F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, spread);
  Values values(count);
  for (float& value : values) value = normal(random);
  return values;
}

TensorTask task_of(tensor::DType dtype, std::size_t models) {
  TensorTask task;
  task.dtype = dtype;
  task.base = models - 1;
  task.models.resize(models);
  for (std::size_t i = 0; i < models; ++i) {
    task.models[i].set("weight", 0.25 + 0.5 * static_cast<double>(i));
    task.models[i].set("density", 0.4);
    task.models[i].set("gamma", 0.1);
    task.models[i].set("epsilon", 0.15);
  }
  task.shared.set("epsilon", 0.3);
  task.shared.set("r", 0.1);
  task.shared.set("alpha", 0.2);
  task.shared.set("select_topk", 0.3);
  task.shared.set("normalize", true);
  task.shared.set("rescale", false);
  task.shared.set("lambda", 1.0);
  task.shared.set("t", 0.3);
  return task;
}

Values run(const MergeMethod& method, const TensorTask& task, const Inputs& inputs,
           std::size_t tile = kBlockElements, bool reversed = false, unsigned seed = 0) {
  VectorTiles tiles(inputs, tile, reversed);
  Mt19937 random(seed);
  auto apply = method.prepare(task, tiles, random);
  EXPECT_TRUE(apply);
  Values out(inputs.front().size());
  EXPECT_TRUE(tiles.scan(
      [&](unsigned, const Tile<float>& part) { (*apply)(part, out.data() + part.first); }));
  return out;
}

float rounded(tensor::DType dtype, float value) { return tensor::round_to(dtype, value); }

Inputs inputs_of(tensor::DType dtype, std::size_t models, std::size_t count) {
  Inputs inputs;
  for (std::size_t i = 0; i < models; ++i) {
    inputs.push_back(random_values(count, static_cast<unsigned>(i + 1)));
    for (float& value : inputs.back()) value = rounded(dtype, value);
  }
  return inputs;
}

constexpr tensor::DType kFloatTypes[] = {tensor::DType::kF32, tensor::DType::kBF16,
                                         tensor::DType::kF16};

TEST(Registry, HasEveryMethodOfTheTable) {
  for (const auto& info : recipe::methods()) EXPECT_NE(find(info.name), nullptr) << info.name;
  EXPECT_EQ(names().size(), recipe::methods().size());
  EXPECT_EQ(find("nothing"), nullptr);
}

TEST(Mt19937, IsTheStandardGenerator) {
  std::mt19937 reference(42);
  Mt19937 random(42);
  for (const std::size_t size : {1U, 623U, 1U, 2000U, 5U}) {
    std::vector<std::uint32_t> draws(size);
    random.draw(draws);
    for (const std::uint32_t draw : draws) ASSERT_EQ(draw, reference());
  }
  reference.discard(10'001);
  random.skip(10'001);
  std::vector<std::uint32_t> one(1);
  random.draw(one);
  EXPECT_EQ(one[0], reference());
}

TEST(Linear, FollowsTheFormula) {
  for (const tensor::DType dtype : kFloatTypes) {
    const Inputs inputs = inputs_of(dtype, 3, 1001);
    const TensorTask task = task_of(dtype, 3);
    const Values got = run(linear(), task, inputs);
    for (std::size_t i = 0; i < got.size(); ++i) {
      float sum = 0;
      float weights = 0;
      for (std::size_t m = 0; m < 3; ++m) {
        const auto weight = static_cast<float>(0.25 + 0.5 * static_cast<double>(m));
        sum = std::fma(weight, inputs[m][i], sum);
        weights += weight;
      }
      ASSERT_EQ(got[i], rounded(dtype, sum / weights));
    }
  }
}

TEST(Linear, IdenticalModelsGiveThemselves) {
  Inputs inputs = inputs_of(tensor::DType::kF32, 1, 5000);
  inputs.push_back(inputs.front());
  TensorTask task = task_of(tensor::DType::kF32, 2);
  for (auto& model : task.models) model.set("weight", 0.5);
  EXPECT_EQ(run(linear(), task, inputs), inputs.front());
}

TEST(Slerp, KeepsEndsAndAngle) {
  const Inputs inputs = inputs_of(tensor::DType::kF32, 2, 70000);
  TensorTask task = task_of(tensor::DType::kF32, 2);
  task.base = 1;
  task.shared.set("t", 0.0);
  EXPECT_EQ(run(slerp(), task, inputs), inputs[1]);
  task.shared.set("t", 1.0);
  EXPECT_EQ(run(slerp(), task, inputs), inputs[0]);
  task.shared.set("t", 0.3);
  const Values got = run(slerp(), task, inputs);
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    ab += static_cast<double>(inputs[1][i]) * inputs[0][i];
    aa += static_cast<double>(inputs[1][i]) * inputs[1][i];
    bb += static_cast<double>(inputs[0][i]) * inputs[0][i];
  }
  const double theta = std::acos(ab / std::sqrt(aa * bb));
  const double a = std::sin(0.7 * theta) / std::sin(theta);
  const double b = std::sin(0.3 * theta) / std::sin(theta);
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], a * inputs[1][i] + b * inputs[0][i], 2e-6);
}

TEST(Slerp, NearlyColinearInterpolatesLinearly) {
  Inputs inputs = inputs_of(tensor::DType::kF32, 1, 100);
  inputs.push_back(inputs.front());
  for (float& value : inputs.back()) value *= 2;
  TensorTask task = task_of(tensor::DType::kF32, 2);
  task.base = 0;
  const Values got = run(slerp(), task, inputs);
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_FLOAT_EQ(got[i], 1.3F * inputs[0][i]);
}

TEST(Slerp, ZeroTensorsGiveNoNaN) {
  const Inputs inputs(2, Values(10, 0.0F));
  for (const float value : run(slerp(), task_of(tensor::DType::kF32, 2), inputs))
    EXPECT_EQ(value, 0.0F);
}

TEST(Passthrough, CopiesOrScales) {
  for (const tensor::DType dtype : kFloatTypes) {
    const Inputs inputs = inputs_of(dtype, 1, 777);
    TensorTask task = task_of(dtype, 1);
    EXPECT_EQ(run(passthrough(), task, inputs), inputs[0]);
    task.models[0].set("scale", 0.3);
    const Values got = run(passthrough(), task, inputs);
    for (std::size_t i = 0; i < got.size(); ++i)
      ASSERT_EQ(got[i], rounded(dtype, 0.3F * inputs[0][i]));
  }
}

// One element of the task-vector family, after pruning.
float combine_reference(tensor::DType dtype, const Values& deltas, const Values& weights,
                        float base, bool elect, bool normalize, float lambda) {
  Values weighted;
  float sum = 0;
  for (std::size_t m = 0; m < deltas.size(); ++m) {
    weighted.push_back(rounded(dtype, deltas[m] * weights[m]));
    sum += weighted.back();
  }
  sum = rounded(dtype, sum);
  float mixed = 0;
  float divisor = 0;
  for (std::size_t m = 0; m < weighted.size(); ++m) {
    const bool agrees = sum >= 0 ? weighted[m] > 0 : weighted[m] < 0;
    if (elect && !agrees) continue;
    mixed += weighted[m];
    divisor += weights[m];
  }
  mixed = rounded(dtype, mixed);
  divisor = rounded(dtype, divisor);
  if (normalize) mixed = rounded(dtype, mixed / (divisor == 0 ? 1 : divisor));
  if (lambda != 1) mixed = rounded(dtype, mixed * lambda);
  return rounded(dtype, base + mixed);
}

// Indices that survive: largest magnitude first, lower index first among equals.
std::vector<bool> magnitude_reference(const Values& delta, double density) {
  std::vector<std::size_t> order(delta.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(
      order, [&](std::size_t a, std::size_t b) { return std::abs(delta[a]) > std::abs(delta[b]); });
  std::vector<bool> kept(delta.size(), false);
  for (std::uint64_t i = 0; i < largest(density, delta.size()).end; ++i) kept[order[i]] = true;
  return kept;
}

void expect_ties(tensor::DType dtype, const Inputs& inputs, std::size_t tile, bool reversed) {
  const std::size_t models = inputs.size() - 1;
  TensorTask task = task_of(dtype, inputs.size());
  task.shared.set("lambda", 0.7);
  const Values got = run(ties(), task, inputs, tile, reversed);
  std::vector<Values> deltas(models);
  std::vector<std::vector<bool>> kept(models);
  Values weights;
  for (std::size_t m = 0; m < models; ++m) {
    for (std::size_t i = 0; i < got.size(); ++i) {
      deltas[m].push_back(rounded(dtype, inputs[m][i] - inputs.back()[i]));
    }
    kept[m] = magnitude_reference(deltas[m], 0.4);
    weights.push_back(rounded(dtype, static_cast<float>(0.25 + 0.5 * static_cast<double>(m))));
  }
  for (std::size_t i = 0; i < got.size(); ++i) {
    Values element;
    for (std::size_t m = 0; m < models; ++m) element.push_back(kept[m][i] ? deltas[m][i] : 0.0F);
    ASSERT_EQ(got[i],
              combine_reference(dtype, element, weights, inputs.back()[i], true, true, 0.7F))
        << i;
  }
}

TEST(Ties, FollowsTheReferenceInEveryType) {
  for (const tensor::DType dtype : kFloatTypes)
    expect_ties(dtype, inputs_of(dtype, 4, 20000), kBlockElements, false);
}

TEST(Ties, EqualMagnitudesKeepTheLowerIndexAcrossTiles) {
  // Few distinct values, so that the threshold is shared by many elements in every tile.
  Inputs inputs(3, Values(3 * kBlockElements + 17));
  std::mt19937 random(3);
  for (Values& input : inputs) {
    for (float& value : input) value = static_cast<float>(random() % 5) - 2.0F;
  }
  expect_ties(tensor::DType::kBF16, inputs, kBlockElements, false);
  expect_ties(tensor::DType::kF32, inputs, kBlockElements, true);
  expect_ties(tensor::DType::kF32, inputs, 4 * kBlockElements, false);
}

TEST(Ties, DensityBounds) {
  EXPECT_EQ(largest(0.29, 100).end, 28U);  // truncated double product, as the reference has it
  EXPECT_EQ(largest(0.001, 100).end, 1U);
  EXPECT_EQ(largest(0, 100).end, 0U);
  EXPECT_EQ(largest(-1, 100).end, 0U);
  EXPECT_EQ(largest(1, 100).end, 100U);
  EXPECT_EQ(largest(7, 100).end, 100U);
}

TEST(TaskArithmetic, FollowsTheReference) {
  for (const tensor::DType dtype : kFloatTypes) {
    const Inputs inputs = inputs_of(dtype, 4, 5000);
    TensorTask task = task_of(dtype, 4);
    task.shared.set("normalize", false);
    const Values got = run(task_arithmetic(), task, inputs);
    for (std::size_t i = 0; i < got.size(); ++i) {
      Values deltas;
      Values weights;
      for (std::size_t m = 0; m < 3; ++m) {
        deltas.push_back(rounded(dtype, inputs[m][i] - inputs[3][i]));
        weights.push_back(rounded(dtype, static_cast<float>(0.25 + 0.5 * static_cast<double>(m))));
      }
      ASSERT_EQ(got[i], combine_reference(dtype, deltas, weights, inputs[3][i], false, false, 1));
    }
  }
}

TEST(TaskArithmetic, BaseAloneIsCopied) {
  const Inputs inputs = inputs_of(tensor::DType::kF32, 1, 100);
  EXPECT_EQ(run(task_arithmetic(), task_of(tensor::DType::kF32, 1), inputs), inputs[0]);
}

TEST(Dare, DropsByTheStreamModelAfterModel) {
  const std::size_t count = kBlockElements + 1000;
  const Inputs inputs = inputs_of(tensor::DType::kF32, 3, count);
  TensorTask task = task_of(tensor::DType::kF32, 3);
  task.shared.set("normalize", false);
  const Values got = run(dare_linear(), task, inputs, kBlockElements, true, 9);
  std::mt19937 random(9);
  std::vector<std::vector<bool>> kept(2);
  for (auto& mask : kept) {
    for (std::size_t i = 0; i < count; ++i) {
      mask.push_back(static_cast<double>(random() & 0xFFFFFFU) / 16777216.0 <
                     static_cast<double>(0.4F));
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    Values deltas;
    for (std::size_t m = 0; m < 2; ++m)
      deltas.push_back(kept[m][i] ? inputs[m][i] - inputs[2][i] : 0.0F);
    ASSERT_EQ(got[i], combine_reference(tensor::DType::kF32, deltas, {0.25F, 0.75F}, inputs[2][i],
                                        false, false, 1));
  }
}

TEST(Dare, RescalingKeepsTheL1Norm) {
  const Inputs inputs = inputs_of(tensor::DType::kF32, 2, 3 * kBlockElements);
  TensorTask task = task_of(tensor::DType::kF32, 2);
  task.models[0].set("weight", 1.0);
  task.shared.set("normalize", false);
  task.shared.set("rescale", true);
  const Values got = run(dare_linear(), task, inputs, kBlockElements, false, 1);
  double before = 0, after = 0;
  std::size_t zeros = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    before += std::abs(static_cast<double>(inputs[0][i]) - inputs[1][i]);
    after += std::abs(static_cast<double>(got[i]) - inputs[1][i]);
    zeros += got[i] == inputs[1][i] ? 1 : 0;
  }
  EXPECT_NEAR(after / before, 1, 1e-5);
  EXPECT_NEAR(static_cast<double>(zeros) / static_cast<double>(got.size()), 0.6, 0.01);
}

TEST(Methods, TileSizeAndOrderDoNotMatter) {
  for (const std::string_view name : names()) {
    if (name == "passthrough") continue;
    const std::size_t models = find(name)->accepts(2, true) ? 2 : 3;
    const Inputs inputs = inputs_of(tensor::DType::kF32, models, 5 * kBlockElements + 123);
    TensorTask task = task_of(tensor::DType::kF32, models);
    task.shared.set("rescale", true);
    test::set_defaults(name, task);
    const MergeMethod& method = *find(name);
    const Values one = run(method, task, inputs, kBlockElements, false, 4);
    EXPECT_EQ(run(method, task, inputs, 4 * kBlockElements, true, 4), one) << name;
    EXPECT_EQ(run(method, task, inputs, 16 * kBlockElements, false, 4), one) << name;
  }
}

TEST(Methods, AcceptWhatTheyCanMerge) {
  EXPECT_FALSE(slerp().accepts(1, true));
  EXPECT_FALSE(slerp().accepts(3, true));
  EXPECT_FALSE(passthrough().accepts(2, true));
  EXPECT_FALSE(ties().accepts(2, false));
  EXPECT_TRUE(ties().accepts(1, true));
  EXPECT_TRUE(linear().accepts(5, false));
}

TEST(ParameterValues, ReadNumbersAndTexts) {
  ParameterValues values;
  values.set("a", std::string("1e-3"));
  values.set("b", true);
  EXPECT_EQ(values.number("a"), 1e-3);
  EXPECT_EQ(values.number("b"), 1.0);
  EXPECT_TRUE(values.boolean("a"));
  EXPECT_THROW(values.number("c"), std::out_of_range);
  EXPECT_FALSE(as_number(std::string("1x")));
}

}  // namespace
}  // namespace crucible::method
