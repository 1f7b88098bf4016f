#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "merger/method/magnitude.hpp"
#include "merger/method/magnitude_sum.hpp"
#include "merger/method/method.hpp"
#include "vector_tiles.hpp"

// Methods on differences against plain references, written from the formulas.
namespace crucible::method {
namespace {

using tensor::DType;
using test::Inputs;
using test::Values;
using test::VectorTiles;

constexpr DType kFloatTypes[] = {DType::kF32, DType::kBF16, DType::kF16};

float rounded(DType dtype, float value) { return tensor::round_to(dtype, value); }

// The last is the base. Differences are multiples of 1/64, so that many have equal magnitude.
Inputs inputs_of(std::size_t models, std::size_t count, float step = 1.0F / 64) {
  Inputs inputs(models + 1, Values(count));
  std::mt19937 random(static_cast<unsigned>(models * 1000 + count));
  std::normal_distribution<float> normal(0.0F, 0.3F);
  for (Values& input : inputs) {
    for (float& value : input) value = std::round(normal(random) / step) * step;
  }
  return inputs;
}

TensorTask task_of(DType dtype, const Inputs& inputs) {
  TensorTask task;
  task.dtype = dtype;
  task.shape = {inputs.front().size()};
  task.base = inputs.size() - 1;
  task.models.resize(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    task.models[i].set("weight", 1.0);
    task.models[i].set("density", 0.4);
    task.models[i].set("gamma", 0.1);
    task.models[i].set("epsilon", 0.15);
  }
  for (const char* name : {"normalize", "rescale"}) task.shared.set(name, false);
  task.shared.set("lambda", 1.0);
  task.shared.set("epsilon", 0.3);
  task.shared.set("r", 0.1);
  task.shared.set("alpha", 0.2);
  task.shared.set("select_topk", 0.3);
  return task;
}

Values run(const MergeMethod& method, const TensorTask& task, const Inputs& inputs,
           bool reversed = false, unsigned seed = 0) {
  VectorTiles tiles(inputs, kBlockElements, reversed);
  Mt19937 random(seed);
  auto apply = method.prepare(task, tiles, random);
  EXPECT_TRUE(apply);
  Values out(inputs.front().size());
  EXPECT_TRUE(tiles.scan(
      [&](unsigned, const Tile<float>& part) { (*apply)(part, out.data() + part.first); }));
  return out;
}

using Order = std::vector<std::size_t>;

// Indices by magnitude; equal ones as std::sort leaves them, or by index.
Order order_of(const Values& values, bool descending, bool as_mergekit) {
  Order order(values.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto less = [&](std::size_t a, std::size_t b) {
    const float left = std::abs(values[a]);
    const float right = std::abs(values[b]);
    return descending ? left > right : left < right;
  };
  if (as_mergekit) {
    std::sort(order.begin(), order.end(), less);
  } else {
    std::ranges::stable_sort(order, less);
  }
  return order;
}

Values difference(const Inputs& inputs, std::size_t m) {
  Values delta(inputs.front().size());
  for (std::size_t i = 0; i < delta.size(); ++i) delta[i] = inputs[m][i] - inputs.back()[i];
  return delta;
}

// One model of weight 1: the output is the base and what survives.
void expect_survivors(const Values& got, const Inputs& inputs, const std::vector<bool>& kept) {
  const Values delta = difference(inputs, 0);
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_EQ(got[i], inputs.back()[i] + (kept[i] ? delta[i] : 0.0F)) << i;
}

TEST(Pruning, KeepsTheRanksThatTheMethodNames) {
  const std::size_t count = 2 * kBlockElements + 331;
  const Inputs inputs = inputs_of(1, count);
  const Values delta = difference(inputs, 0);
  for (const Compatibility compatibility : {Compatibility::kNone, Compatibility::kMergekit}) {
    TensorTask task = task_of(DType::kBF16, inputs);
    task.compatibility = compatibility;
    const bool as_mergekit = compatibility == Compatibility::kMergekit;
    const auto kept_target = static_cast<std::size_t>(0.4 * static_cast<double>(count));
    const auto top = static_cast<std::size_t>(0.1 * static_cast<double>(count));

    std::vector<bool> kept(count);
    const Order descending = order_of(delta, true, as_mergekit);
    for (std::size_t i = 0; i < kept_target; ++i) kept[descending[i]] = true;
    expect_survivors(run(ties(), task, inputs), inputs, kept);

    std::vector<bool> middle(count);
    const Order ascending = order_of(delta, false, as_mergekit);
    for (std::size_t i = count - kept_target - top; i < count - top; ++i)
      middle[ascending[i]] = true;
    expect_survivors(run(breadcrumbs(), task, inputs, true), inputs, middle);
    expect_survivors(run(breadcrumbs_ties(), task, inputs), inputs, middle);
  }
}

TEST(Pruning, RangesWithoutExtremes) {
  const auto expect = [](double density, double gamma, std::uint64_t begin, std::uint64_t end) {
    const RankRange range = without_extremes(density, gamma, 100);
    EXPECT_EQ(range.begin, begin) << density << " " << gamma;
    EXPECT_EQ(range.end, end) << density << " " << gamma;
  };
  expect(0.5, 0.01, 49, 99);
  expect(0.995, 0.01, 0, 99);  // the outliers stay as far as the density asks for them
  expect(0.29, 0, 72, 100);
  expect(1, 0.5, 0, 100);
  expect(0, 0.1, 90, 90);
  expect(-3, 0.1, 90, 90);
  expect(0.5, 2, 0, 50);
}

// p of the formula, rounded after every operation.
std::vector<bool> della_reference(const Inputs& inputs, const TensorTask& task, std::size_t length,
                                  std::size_t stride, unsigned seed) {
  const DType in = task.dtype == DType::kBF16 ? DType::kBF16 : DType::kF32;
  const Values delta = difference(inputs, 0);
  const bool as_mergekit = task.compatibility == Compatibility::kMergekit;
  const auto rank_number = [&](std::size_t rank) {
    return rounded(in, rounded(in, static_cast<float>(rank)) + 1);
  };
  const float span = rounded(in, rank_number(length - 1) - rank_number(0));
  Values p(delta.size());
  for (std::size_t unit = 0; unit < delta.size(); unit += length * stride) {
    for (std::size_t column = 0; column < stride; ++column) {
      Values row(length);
      for (std::size_t i = 0; i < length; ++i) row[i] = delta[unit + column + i * stride];
      const Order order = order_of(row, false, as_mergekit);
      for (std::size_t rank = 0; rank < length; ++rank) {
        const float r = rounded(in, rounded(in, rank_number(rank) - rank_number(0)) / span);
        const float twice = rounded(in, r * 2);
        p[unit + column + order[rank] * stride] =
            rounded(in, rounded(in, twice * 0.15F) + rounded(in, static_cast<float>(0.4 - 0.15)));
      }
    }
  }
  std::mt19937 random(seed);
  std::vector<bool> kept;
  for (const float probability : p)
    kept.push_back(static_cast<float>(random() & 0xFFFFFFU) * 0x1p-24F < probability);
  return kept;
}

TEST(Della, DrawsByRankWithinRows) {
  struct Case {
    tensor::Shape shape;
    std::size_t length, stride;
  };
  const Case cases[] = {{{97, 1013}, 1013, 1},   // rows cross the tiles
                        {{3, 70001}, 70001, 1},  // rows longer than a tile
                        {{40003}, 40003, 1},
                        {{3, 101, 37}, 101, 37}};
  for (const Case& one : cases) {
    const Inputs inputs = inputs_of(1, tensor::element_count(one.shape).value());
    for (const DType dtype : kFloatTypes) {
      for (const auto compatibility : {Compatibility::kNone, Compatibility::kMergekit}) {
        TensorTask task = task_of(dtype, inputs);
        task.shape = one.shape;
        task.compatibility = compatibility;
        const auto kept = della_reference(inputs, task, one.length, one.stride, 17);
        expect_survivors(run(della_linear(), task, inputs, true, 17), inputs, kept);
      }
    }
  }
}

TEST(Della, RefusesProbabilitiesOutOfBounds) {
  const Inputs inputs = inputs_of(1, 10);
  TensorTask task = task_of(DType::kF32, inputs);
  EXPECT_TRUE(della().check(task));
  task.models[0].set("density", 0.15);
  EXPECT_FALSE(della().check(task));
  task.models[0].set("density", 0.0);
  EXPECT_TRUE(della().check(task));
  EXPECT_EQ(run(della(), task, inputs), inputs.back());
  task.models[0].set("density", 1.0);
  EXPECT_TRUE(della().check(task));
  EXPECT_EQ(run(della_linear(), task, inputs), inputs.front());
}

TEST(Della, RowsOfOneElementHaveTheDensityOrAreRefusedAsMergekitDoes) {
  const Inputs inputs = inputs_of(1, 20000, 0.0001F);
  TensorTask task = task_of(DType::kF32, inputs);
  task.shape = {20000, 1};
  ASSERT_TRUE(della().check(task));
  const Values got = run(della_linear(), task, inputs);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < got.size(); ++i) kept += got[i] != inputs.back()[i] ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(kept) / 20000, 0.4, 0.02);
  task.compatibility = Compatibility::kMergekit;
  EXPECT_FALSE(della().check(task));
}

// Element by element, in the arithmetic of the type.
struct SceReference {
  DType dtype;
  std::vector<Values> deltas;

  float r(float value) const { return rounded(dtype, value); }
  float variance(std::size_t i) const {
    double mean = 0;
    for (const Values& delta : deltas) mean += static_cast<double>(delta[i]);
    mean /= static_cast<double>(deltas.size());
    double sum = 0;
    for (const Values& delta : deltas) sum += std::pow(static_cast<double>(delta[i]) - mean, 2);
    return r(static_cast<float>(sum / static_cast<double>(deltas.size())));
  }
  void select(double share) {
    Values variances;
    std::size_t varying = 0;
    for (std::size_t i = 0; i < deltas[0].size(); ++i) {
      variances.push_back(variance(i));
      varying += variances.back() != 0 ? 1 : 0;
    }
    const auto count =
        static_cast<std::size_t>(static_cast<float>(varying) * static_cast<float>(share));
    const Order order = order_of(variances, true, false);
    for (std::size_t k = count; k < order.size(); ++k) {
      for (Values& delta : deltas) delta[order[k]] = 0;
    }
  }
  Values weights() const {
    Values all;
    float sum = 0;
    for (const Values& delta : deltas) {
      double squares = 0;
      for (const float value : delta) squares += static_cast<double>(r(value * value));
      all.push_back(r(static_cast<float>(squares / static_cast<double>(delta.size()))));
      sum += all.back();
    }
    for (float& weight : all) weight = r(weight / r(sum));
    return all;
  }
  float merged(std::size_t i, const Values& weights) const {
    float vote = 0;
    for (const Values& delta : deltas) vote += delta[i];
    float sum = 0;
    float divisor = 0;
    for (std::size_t m = 0; m < deltas.size(); ++m) {
      const float value = deltas[m][i];
      if (r(vote) >= 0 ? value <= 0 : value >= 0) continue;
      sum += r(value * weights[m]);
      divisor += weights[m];
    }
    return r(r(sum) / std::max(r(divisor), r(1e-6F)));
  }
};

TEST(Sce, FollowsTheFormula) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const Inputs inputs = inputs_of(3, kBlockElements + 5000);
    const TensorTask task = task_of(dtype, inputs);
    SceReference reference{dtype, {}};
    for (std::size_t m = 0; m < 3; ++m) reference.deltas.push_back(difference(inputs, m));
    reference.select(0.3);
    const Values weights = reference.weights();
    const Values got = run(sce(), task, inputs, true);
    std::size_t selected = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const float want = rounded(dtype, inputs.back()[i] + reference.merged(i, weights));
      // The mean squares are sums in another order here.
      ASSERT_NEAR(got[i], want, dtype == DType::kF32 ? 1e-5 : 0.0) << i;
      selected += got[i] != inputs.back()[i] ? 1 : 0;
    }
    EXPECT_GT(selected, got.size() / 5);
  }
}

TEST(Sce, NothingVariesWithOneModel) {
  const Inputs inputs = inputs_of(1, 1000);
  TensorTask task = task_of(DType::kF32, inputs);
  EXPECT_EQ(run(sce(), task, inputs), inputs.back());
  task.shared.set("select_topk", 1.0);
  const Values got = run(sce(), task, inputs);
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], inputs.front()[i], 1e-6);
}

TEST(Ram, AveragesWhatIsSharedAndKeepsWhatIsUnique) {
  for (const DType dtype : kFloatTypes) {
    const Inputs inputs = inputs_of(3, 20000);
    const Values got = run(ram(), task_of(dtype, inputs), inputs);
    const Values plus = run(ramplus_tl(), task_of(dtype, inputs), inputs);
    const float epsilon = rounded(dtype, 0.3F);
    std::vector<int> counts(got.size());
    std::array<std::array<double, 2>, 3> totals{};  // unique, shared
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t m = 0; m < 3; ++m) {
        const Values delta = difference(inputs, m);
        for (std::size_t i = 0; i < delta.size(); ++i) {
          if (std::abs(delta[i]) <= epsilon) continue;
          if (pass == 0) ++counts[i];
          if (pass == 1) totals[m][counts[i] > 1 ? 1 : 0] += 1;
        }
      }
    }
    for (std::size_t i = 0; i < got.size(); ++i) {
      float sum = 0;
      float plus_sum = 0;
      for (std::size_t m = 0; m < 3; ++m) {
        const float delta = inputs[m][i] - inputs.back()[i];
        if (std::abs(delta) <= epsilon) continue;
        const auto rho = static_cast<float>(totals[m][1]) / static_cast<float>(totals[m][0]);
        const float factor = 1.0F + 0.1F * std::min(rho, 0.2F);
        const float shared = rounded(dtype, delta / static_cast<float>(counts[i]));
        sum += shared;
        plus_sum += counts[i] == 1 ? delta * factor : shared;
      }
      ASSERT_EQ(got[i], rounded(dtype, inputs.back()[i] + rounded(dtype, sum)));
      ASSERT_EQ(plus[i], inputs.back()[i] + plus_sum);
    }
  }
}

TEST(Ram, PlusGivesFloat32) {
  EXPECT_EQ(ramplus_tl().result_dtype(DType::kBF16), DType::kF32);
  EXPECT_EQ(ramplus_tl().result_dtype(DType::kF64), DType::kF64);
  EXPECT_EQ(ram().result_dtype(DType::kBF16), DType::kBF16);
}

TEST(Pruning, BaseAloneIsCopied) {
  const Inputs inputs = inputs_of(0, 100);
  const TensorTask task = task_of(DType::kF32, inputs);
  for (const MergeMethod* method :
       {&ties(), &della(), &breadcrumbs(), &sce(), &ram(), &ramplus_tl()}) {
    EXPECT_EQ(run(*method, task, inputs), inputs[0]);
  }
}

TEST(Pruning, RoomForWholeTensorsIsDeclared) {
  const Inputs inputs = inputs_of(2, 1000);
  TensorTask task = task_of(DType::kBF16, inputs);
  for (const MergeMethod* method : {&ties(), &breadcrumbs(), &sce()}) {
    task.compatibility = Compatibility::kNone;
    EXPECT_EQ(method->tensor_bytes(task, 1000, 2), 0U);
    task.compatibility = Compatibility::kMergekit;
    EXPECT_GE(method->tensor_bytes(task, 1000, 2), 8000U);
  }
  EXPECT_GE(della().tensor_bytes(task, 1000, 2), 250U);
}

// Groups of 16 bfloat16 or float16 values are folded to 8 before the float32 cascade.
TEST(MagnitudeSum, FoldsGroupsOfSixteen) {
  const auto sum_of = [](const Values& values) {
    MagnitudeSum<BF16> sum(values.size());
    Values scratch;
    for (std::size_t first = 0; first < values.size(); first += kBlockElements) {
      const std::size_t size = std::min(kBlockElements, values.size() - first);
      sum.add_block<float>(first, std::span(values).subspan(first, size), scratch);
    }
    return sum.total();
  };
  // 2^24 + 1 rounds to 2^24: it matters that the small ones meet each other first.
  Values values(32, 0.0F);
  values[0] = 0x1p24F;
  values[8] = -1;
  values[17] = 1;
  values[25] = 1;
  EXPECT_EQ(sum_of(values), tensor::round_bf16(0x1p24F + 2));
  EXPECT_EQ(sum_of(Values(100'000, 1.0F)), tensor::round_bf16(100'000.0F));
  EXPECT_EQ(sum_of({1, -2, 3}), 6.0F);
  EXPECT_EQ(sum_of({}), 0.0F);
}

}  // namespace
}  // namespace crucible::method
