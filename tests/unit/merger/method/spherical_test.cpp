#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "merger/method/method.hpp"
#include "merger/method/order_statistics.hpp"
#include "merger/method/reductions.hpp"
#include "merger/method/softmax.hpp"
#include "tests/unit/merger/method/vector_tiles.hpp"

// The geometric methods against the formulas in double precision, and their reductions against
// plain sums. The last bits are compared with mergekit in tests/oracle/merge.
namespace crucible::method {
namespace {

using test::Inputs;
using test::Values;
using test::VectorTiles;
using Vector = std::vector<double>;

Inputs random_inputs(std::size_t models, std::size_t count) {
  Inputs inputs(models, Values(count));
  std::mt19937 random(static_cast<unsigned>(count + models));
  std::normal_distribution<float> normal(0.0F, 1.0F);
  for (Values& input : inputs) {
    for (float& value : input) value = normal(random);
  }
  return inputs;
}

// Every input a model with the weight 0.2, 0.5, 0.8, ...; the last one the base where `based`.
TensorTask task_of(std::string_view method, const Inputs& inputs, tensor::Shape shape, bool based) {
  TensorTask task;
  task.shape = std::move(shape);
  if (based) task.base = inputs.size() - 1;
  task.models.resize(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    task.models[i].set("weight", 0.2 + 0.3 * static_cast<double>(i));
  test::set_defaults(method, task);
  return task;
}

Values run(std::string_view method, const TensorTask& task, const Inputs& inputs,
           std::size_t tile = kBlockElements, bool reversed = false) {
  VectorTiles tiles(inputs, tile, reversed);
  Mt19937 random(7);
  auto apply = find(method)->prepare(task, tiles, random);
  EXPECT_TRUE(apply);
  if (!apply) return {};
  Values out(inputs.front().size());
  EXPECT_TRUE(tiles.scan(
      [&](unsigned, const Tile<float>& part) { (*apply)(part, out.data() + part.first); }));
  return out;
}

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}
double norm(const Vector& a) { return std::sqrt(dot(a, a)); }

// Elements begin, begin + stride, ... of an input, less those of the base.
Vector vector_of(const Inputs& inputs, std::size_t i, bool based, std::size_t begin,
                 std::size_t stride, std::size_t count) {
  Vector values;
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t at = begin + k * stride;
    values.push_back(static_cast<double>(inputs[i][at]) -
                     (based ? static_cast<double>(inputs.back()[at]) : 0.0));
  }
  return values;
}

void expect_slerp(const Inputs& inputs, const Values& got, bool based, std::size_t begin,
                  std::size_t stride, std::size_t count) {
  const double t = 0.5 / 0.7;
  const Vector a = vector_of(inputs, 0, based, begin, stride, count);
  const Vector b = vector_of(inputs, 1, based, begin, stride, count);
  const double theta = std::acos(dot(a, b) / (norm(a) * norm(b)));
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t at = begin + k * stride;
    const double want =
        (std::sin((1 - t) * theta) * a[k] + std::sin(t * theta) * b[k]) / std::sin(theta) +
        (based ? static_cast<double>(inputs.back()[at]) : 0.0);
    ASSERT_NEAR(static_cast<double>(got[at]), want, 2e-5) << at;
  }
}

constexpr std::size_t kRows = 700;
constexpr std::size_t kColumns = 97;
const tensor::Shape kShape{kRows, kColumns};

TEST(Nuslerp, FollowsTheFormulaOnTheWholeTensor) {
  for (const bool based : {false, true}) {
    const Inputs inputs = random_inputs(based ? 3 : 2, kRows * kColumns);
    const TensorTask task = task_of("nuslerp", inputs, kShape, based);
    expect_slerp(inputs, run("nuslerp", task, inputs), based, 0, 1, kRows * kColumns);
  }
}

TEST(Nuslerp, TakesRowsOrColumns) {
  for (const bool based : {false, true}) {
    const Inputs inputs = random_inputs(based ? 3 : 2, kRows * kColumns);
    TensorTask task = task_of("nuslerp", inputs, kShape, based);
    task.shared.set("nuslerp_flatten", false);
    const Values rows = run("nuslerp", task, inputs);
    for (std::size_t r = 0; r < kRows; ++r)
      expect_slerp(inputs, rows, based, r * kColumns, 1, kColumns);
    task.shared.set("nuslerp_row_wise", true);
    const Values columns = run("nuslerp", task, inputs);
    for (std::size_t c = 0; c < kColumns; ++c)
      expect_slerp(inputs, columns, based, c, kColumns, kRows);
  }
}

TEST(Nuslerp, ParallelVectorsAndNoWeight) {
  Inputs inputs = random_inputs(1, 100);
  inputs.push_back(inputs.front());
  TensorTask task = task_of("nuslerp", inputs, {100}, false);
  EXPECT_EQ(run("nuslerp", task, inputs).size(), 100U);
  task.models[0].set("weight", 0.5);
  task.models[1].set("weight", -0.5);  // t is 0.5
  const Values got = run("nuslerp", task, inputs);
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_FLOAT_EQ(got[i], inputs[0][i]);
  const Inputs zeros(2, Values(10, 0.0F));
  EXPECT_EQ(run("nuslerp", task, zeros), zeros[0]);
}

TEST(ModelStock, FollowsTheFormula) {
  const Inputs inputs = random_inputs(4, kRows * kColumns);
  TensorTask task = task_of("model_stock", inputs, kShape, true);
  for (const bool by_row : {false, true}) {
    task.shared.set("filter_wise", by_row);
    const Values got = run("model_stock", task, inputs);
    const std::size_t size = by_row ? kColumns : kRows * kColumns;
    for (std::size_t begin = 0; begin < got.size(); begin += size) {
      std::vector<Vector> d;
      for (std::size_t i = 0; i < 3; ++i) d.push_back(vector_of(inputs, i, true, begin, 1, size));
      double cosine = 0;
      for (const auto& [i, j] : {std::pair{0U, 1U}, {0U, 2U}, {1U, 2U}})
        cosine += dot(d[i], d[j]) / (norm(d[i]) * norm(d[j])) / 3;
      const double t = 3 * cosine / (1 + 2 * cosine);
      for (std::size_t k = 0; k < size; ++k) {
        const double want =
            static_cast<double>(inputs[3][begin + k]) + t * (d[0][k] + d[1][k] + d[2][k]) / 3;
        ASSERT_NEAR(static_cast<double>(got[begin + k]), want, 1e-5);
      }
    }
  }
}

TEST(ModelStock, OpposingModelsKeepTheBase) {
  Inputs inputs = random_inputs(1, 1000);
  inputs.push_back(inputs.front());
  for (float& value : inputs.back()) value = -value;
  inputs.emplace_back(1000, 0.0F);
  const Values got = run("model_stock", task_of("model_stock", inputs, {1000}, true), inputs);
  EXPECT_EQ(got, inputs.back());
}

TEST(Multislerp, FollowsTheFormula) {
  const Inputs inputs = random_inputs(4, 5000);
  const TensorTask task = task_of("multislerp", inputs, {5000}, true);
  const Values got = run("multislerp", task, inputs);
  const double weights[] = {0.2 / 1.5, 0.5 / 1.5, 0.8 / 1.5};
  Vector mean(5000), tangent(5000);
  std::vector<Vector> units;
  double length = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    units.push_back(vector_of(inputs, i, true, 0, 1, 5000));
    const double own = norm(units[i]);
    length += weights[i] * own;
    for (std::size_t k = 0; k < 5000; ++k) mean[k] += weights[i] * (units[i][k] /= own);
  }
  const double mean_norm = norm(mean);
  for (double& value : mean) value /= mean_norm;
  for (std::size_t i = 0; i < 3; ++i) {
    const double along = dot(units[i], mean);
    for (std::size_t k = 0; k < 5000; ++k)
      tangent[k] += weights[i] * (units[i][k] - along * mean[k]);
  }
  const double n = norm(tangent);
  for (std::size_t k = 0; k < 5000; ++k) {
    const double want = (mean[k] * std::cos(n) + tangent[k] * std::sin(n) / n) * length +
                        static_cast<double>(inputs[3][k]);
    ASSERT_NEAR(static_cast<double>(got[k]), want, 2e-5);
  }
}

TEST(Multislerp, OneModelIsItselfAndCancellingOnesAreRefused) {
  Inputs inputs = random_inputs(2, 100);
  EXPECT_EQ(run("multislerp", task_of("multislerp", inputs, {100}, true), inputs), inputs[0]);
  inputs = Inputs(3, Values(100, 1.0F));
  inputs[1].assign(100, -1.0F);
  TensorTask task = task_of("multislerp", inputs, {100}, false);
  task.shared.set("normalize_weights", false);
  task.models[0].set("weight", 0.5);
  task.models[1].set("weight", 1.0);
  task.models[2].set("weight", 0.5);
  VectorTiles tiles(inputs, kBlockElements);
  Mt19937 random(1);
  EXPECT_FALSE(find("multislerp")->prepare(task, tiles, random));
}

TEST(Karcher, IsWhereTheTangentsCancel) {
  const Inputs inputs = random_inputs(3, 5000);
  TensorTask task = task_of("karcher", inputs, {5000}, false);
  task.shared.set("max_iter", 30.0);
  const Values got = run("karcher", task, inputs);
  Vector mean(got.begin(), got.end());
  const double length = norm(mean);
  for (double& value : mean) value /= length;
  Vector tangent(5000);
  double lengths = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    Vector unit = vector_of(inputs, i, false, 0, 1, 5000);
    lengths += norm(unit) / 3;
    const double own = norm(unit);
    for (double& value : unit) value /= own;
    const double theta = std::acos(dot(unit, mean));
    for (std::size_t k = 0; k < 5000; ++k)
      tangent[k] += theta / std::sin(theta) * (unit[k] - std::cos(theta) * mean[k]);
  }
  EXPECT_NEAR(length, lengths, 1e-3);
  EXPECT_LT(norm(tangent), 1e-4);
}

TEST(Karcher, LeavesOutZeros) {
  Inputs inputs = random_inputs(2, 100);
  inputs.emplace_back(100, 0.0F);
  const Values got = run("karcher", task_of("karcher", inputs, {100}, false), inputs);
  EXPECT_TRUE(std::ranges::none_of(got, [](float value) { return std::isnan(value); }));
  const Inputs zeros(2, Values(100, 0.0F));
  EXPECT_EQ(run("karcher", task_of("karcher", zeros, {100}, false), zeros), zeros[0]);
}

TEST(Nearswap, MovesWhatIsNear) {
  const Inputs inputs{{1.0F, 1.0F, 1.0F, 5.0F}, {1.0F, 1.5F, 3.0F, 4.75F}};
  TensorTask task = task_of("nearswap", inputs, {4}, true);
  task.shared.set("t", 0.25);
  EXPECT_EQ(run("nearswap", task, inputs), (Values{1.0F, 1.25F, 2.75F, 5.0F}));
}

TEST(ArceeFusion, TakesTheImportantPart) {
  Inputs inputs = random_inputs(2, kRows * kColumns);
  const Values got = run("arcee_fusion", task_of("arcee_fusion", inputs, kShape, true), inputs);
  std::size_t taken = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const bool other = got[i] != inputs[1][i];
    ASSERT_NEAR(got[i], other ? inputs[0][i] : inputs[1][i], 1e-6F);
    taken += other ? 1 : 0;
  }
  EXPECT_GT(taken, got.size() / 100);
  EXPECT_LT(taken, got.size() / 5);
}

TEST(ArceeFusion, LargeTensorsAreSampledOnlyForMergekit) {
  const Inputs inputs = random_inputs(2, 1'100'000);
  TensorTask task = task_of("arcee_fusion", inputs, {1000, 1100}, true);
  const Values exact = run("arcee_fusion", task, inputs);
  task.compatibility = Compatibility::kMergekit;
  const Values sampled = run("arcee_fusion", task, inputs);
  std::size_t different = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) different += exact[i] != sampled[i] ? 1 : 0;
  EXPECT_GT(different, 0U);
  EXPECT_LT(different, exact.size() / 500);
  EXPECT_EQ(run("arcee_fusion", task, inputs, 4 * kBlockElements, true), sampled);
}

TEST(ConsensusTaskArithmetic, KeepsWhatSeveralMasksKeep) {
  // tau: both agree; only the first matters; they oppose each other; nothing.
  const Inputs inputs{
      {2.0F, 2.0F, 2.0F, 1.0F}, {3.0F, 1.1F, -1.0F, 1.0F}, {1.0F, 1.0F, 1.0F, 1.0F}};
  TensorTask task = task_of("consensus_ta", inputs, {4}, true);
  for (ParameterValues& model : task.models) model.set("weight", 1.0);
  EXPECT_EQ(run("consensus_ta", task, inputs), (Values{4.0F, 1.0F, 0.0F, 1.0F}));
  task.shared.set("least_masks", 1.0);
  task.shared.set("lambda", 0.5);
  const Values got = run("consensus_ta", task, inputs);
  EXPECT_FLOAT_EQ(got[1], 1.55F);
  task.shared.set("least_masks", 3.0);
  EXPECT_EQ(run("consensus_ta", task, inputs), inputs[2]);
}

TEST(Methods, RowsAndColumnsDoNotDependOnTiles) {
  const std::size_t row = 1501;
  const Inputs all = random_inputs(4, 3 * 137 * row);
  for (const auto& [name, flag, models] : {std::tuple{"nuslerp", "nuslerp_row_wise", 3U},
                                           {"nuslerp", "int8", 3U},
                                           {"model_stock", "filter_wise", 4U},
                                           {"arcee_fusion", "int8", 2U}}) {
    const Inputs inputs(all.begin(), all.begin() + models);
    TensorTask task = task_of(name, inputs, {3, 137, row}, true);
    task.shared.set("nuslerp_flatten", false);
    task.shared.set(flag, true);
    const Values one = run(name, task, inputs);
    EXPECT_EQ(run(name, task, inputs, 4 * kBlockElements, true), one) << name;
    EXPECT_EQ(run(name, task, inputs, 16 * kBlockElements), one) << name;
  }
}

TEST(Methods, TensorsThatSomeModelsLack) {
  EXPECT_EQ(slerp().when_incomplete(1, false), Incomplete::kCopy);
  EXPECT_EQ(nuslerp().when_incomplete(1, true), Incomplete::kCopy);
  EXPECT_EQ(nuslerp().when_incomplete(2, true), Incomplete::kMerge);
  EXPECT_FALSE(nuslerp().accepts(2, true));
  EXPECT_EQ(nearswap().when_incomplete(1, true), Incomplete::kCopy);
  EXPECT_EQ(nearswap().when_incomplete(1, false), Incomplete::kMerge);
  EXPECT_FALSE(nearswap().accepts(1, false));
  EXPECT_EQ(model_stock().when_incomplete(1, true), Incomplete::kCopy);
  EXPECT_EQ(model_stock().when_incomplete(2, true), Incomplete::kDrop);
  EXPECT_EQ(model_stock().when_incomplete(1, false), Incomplete::kDrop);
  EXPECT_EQ(karcher().when_incomplete(1, false), Incomplete::kMerge);
  EXPECT_EQ(arcee_fusion().result_dtype(tensor::DType::kBF16), tensor::DType::kF32);
}

TEST(Reductions, AgreeWithPlainSums) {
  for (const std::size_t count : {1UL, 7UL, 15UL, 16UL, 100UL, 4097UL, 70'001UL}) {
    const Inputs inputs = random_inputs(2, count);
    const Vector a = vector_of(inputs, 0, false, 0, 1, count);
    const Vector b = vector_of(inputs, 1, false, 0, 1, count);
    const double bound = 1e-6 * static_cast<double>(count) + 1e-5;
    EXPECT_NEAR(static_cast<double>(sum_of<F32>(inputs[0].data(), count)),
                std::accumulate(a.begin(), a.end(), 0.0), bound);
    EXPECT_NEAR(static_cast<double>(norm_of<F32>(inputs[0].data(), count)), norm(a), bound);
    DotProduct<F32> product(count);
    product.add(inputs[0].data(), inputs[1].data(), count);
    EXPECT_NEAR(static_cast<double>(product.total()), dot(a, b), bound);
  }
}

// Values that a running sum of float32 swallows show which elements share one.
TEST(Reductions, FollowTorchsOrder) {
  Values values(1U << 20, 1.0F);
  values[0] = 4096.0F;
  EXPECT_EQ(norm_of<F16>(values.data(), values.size()), 4096.0F);   // one sum
  EXPECT_EQ(norm_of<BF16>(values.data(), values.size()), 4192.0F);  // one of eight
  Values zeros(8192, 0.0F);
  const Values ones(8192, 1.0F);
  zeros[0] = 0x1p60F;
  zeros[33] = 1.0F;  // joins the sum of element 0 before 32 does
  zeros[32] = -0x1p60F;
  DotProduct<BF16> pairs(8192);
  pairs.add(zeros.data(), ones.data(), 8192);
  EXPECT_EQ(pairs.total(), 0.0F);
}

TEST(ColumnSums, EqualTheColumns) {
  for (const auto& [rows, columns] : {std::pair{2U, 3U}, {37U, 41U}, {2049U, 100U}}) {
    const Inputs inputs = random_inputs(1, static_cast<std::size_t>(rows) * columns);
    ColumnSums<F32> sums(rows, columns);
    ColumnNorms<F32> norms(columns);
    for (std::size_t first = 0; first < inputs[0].size(); first += 1000) {
      const std::size_t count = std::min<std::size_t>(1000, inputs[0].size() - first);
      sums.add(first, inputs[0].data() + first, count);
      norms.add(first, inputs[0].data() + first, count);
    }
    for (std::size_t c = 0; c < columns; ++c) {
      const Vector column = vector_of(inputs, 0, false, c, columns, rows);
      ASSERT_NEAR(static_cast<double>(sums.total(c)),
                  std::accumulate(column.begin(), column.end(), 0.0), 1e-3);
      ASSERT_NEAR(static_cast<double>(norms.norm(c)), norm(column), 1e-3);
    }
  }
}

TEST(Softmax, IsOneInAllAndOrdered) {
  for (const std::size_t count : {1UL, 5UL, 16UL, 37UL, 1000UL}) {
    const Inputs inputs = random_inputs(1, count);
    Values out(count);
    softmax<F32>(inputs[0].data(), count, out.data());
    double sum = 0;
    for (const float value : inputs[0]) sum += std::exp(static_cast<double>(value));
    for (std::size_t i = 0; i < count; ++i) {
      const double want = std::exp(static_cast<double>(inputs[0][i])) / sum;
      ASSERT_NEAR(static_cast<double>(out[i]) / want, 1.0, 1e-5);
    }
  }
  const Values far{0.0F, -200.0F};
  Values out(2);
  softmax<F32>(far.data(), 2, out.data());
  EXPECT_EQ(out, (Values{1.0F, 0.0F}));
}

TEST(OrderStatistics, AreThoseOfTheSortedValues) {
  Inputs inputs = random_inputs(1, 200'003);
  const std::array<std::uint64_t, 3> ranks{0, 100'000, 200'002};
  VectorTiles tiles(inputs, kBlockElements);
  const auto copy = [](const Tile<float>& tile, std::size_t offset, std::size_t size, float* out) {
    std::copy_n(tile.inputs[0] + offset, size, out);
  };
  const auto found = order_statistics<F32>(tiles, copy, ranks);
  ASSERT_TRUE(found);
  Values sorted = inputs[0];
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ((*found)[i], sorted[ranks[i]]);
  const auto sampled =
      sampled_order_statistics<float>(tiles, copy, {5, 5, 70'000, 199'999}, {0, 2, 3});
  ASSERT_TRUE(sampled);
  Values sample{inputs[0][5], inputs[0][5], inputs[0][70'000], inputs[0][199'999]};
  std::ranges::sort(sample);
  EXPECT_EQ((*sampled)[0], sample[0]);
  EXPECT_EQ((*sampled)[1], sample[2]);
  EXPECT_EQ((*sampled)[2], sample[3]);
  // Negative bfloat16 values are found by the upper half of their bits.
  inputs[0] = {-1.5F, -2.0F, 3.0F};
  const auto short_found = order_statistics<BF16>(tiles, copy, {0, 1, 2});
  ASSERT_TRUE(short_found);
  EXPECT_EQ(*short_found, (std::array<float, 3>{-2.0F, -1.5F, 3.0F}));
}

}  // namespace
}  // namespace crucible::method
