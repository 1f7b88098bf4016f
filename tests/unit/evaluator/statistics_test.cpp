#include <cmath>
#include <fstream>

#include "evaluator/stats/interval.hpp"
#include "evaluator/stats/paired.hpp"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace crucible::stats {
namespace {

using nlohmann::json;

// What scipy and statsmodels say: tests/oracle/evaluate/make_statistics.py.
const json& golden() {
  static const json all = [] {
    std::ifstream in(CRUCIBLE_SOURCE_DIR "/tests/oracle/evaluate/goldens/statistics.json");
    return json::parse(in);
  }();
  return all;
}

std::vector<std::size_t> own_clusters(std::size_t count) {
  std::vector<std::size_t> clusters(count);
  for (std::size_t i = 0; i < count; ++i) clusters[i] = i;
  return clusters;
}

std::vector<PairedItem> paired(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<PairedItem> items;
  for (std::size_t i = 0; i < a.size(); ++i) items.push_back({a[i], b[i], ""});
  return items;
}

TEST(Statistics, WilsonIsStatsmodels) {
  for (const json& one : golden()["wilson"]) {
    const Interval interval = wilson(one["hits"], one["trials"]);
    EXPECT_NEAR(interval.low, one["low"], 1e-12);
    EXPECT_NEAR(interval.high, one["high"], 1e-12);
  }
}

TEST(Statistics, McNemarIsStatsmodels) {
  for (const json& one : golden()["mcnemar"]) {
    EXPECT_NEAR(exact_mcnemar(one["wins"], one["losses"]), one["p"], 1e-9) << one;
    EXPECT_EQ(exact_mcnemar(one["wins"], one["losses"]), exact_mcnemar(one["losses"], one["wins"]));
  }
}

TEST(Statistics, ClusterErrorsAreStatsmodels) {
  for (const json& one : golden()["cluster"]) {
    const std::vector<double> values = one["values"];
    const std::vector<std::size_t> clusters = one["clusters"];
    EXPECT_NEAR(cluster_standard_error(values, clusters), one["standard_error"], 1e-12);
  }
}

TEST(Statistics, PairedMeansAreScipys) {
  for (const json& one : golden()["paired_t"]) {
    const Comparison result = compare(paired(one["a"], one["b"]), true);
    EXPECT_EQ(result.test, "paired t");
    EXPECT_NEAR(result.p, one["p"], 1e-9);
  }
}

TEST(Statistics, BootstrapIsScipysWithinItsNoise) {
  for (const json& one : golden()["bootstrap"]) {
    const std::vector<double> values = one["values"];
    const double error = one["standard_error"];
    const Bootstrap drawn = bootstrap_mean(values, own_clusters(values.size()), 20'000);
    EXPECT_NEAR(drawn.interval.low, one["low"], 0.06 * error);
    EXPECT_NEAR(drawn.interval.high, one["high"], 0.06 * error);
    EXPECT_NEAR(drawn.standard_error, error, 0.03 * error);
  }
}

TEST(Statistics, BootstrapsRepeatExactly) {
  const std::vector<double> values = {1, 2, 3, 5, 8, 13};
  const auto clusters = own_clusters(values.size());
  const Bootstrap one = bootstrap_mean(values, clusters, 500, 1);
  const Bootstrap same = bootstrap_mean(values, clusters, 500, 1);
  const Bootstrap other = bootstrap_mean(values, clusters, 500, 2);
  EXPECT_EQ(one.interval.low, same.interval.low);
  EXPECT_EQ(one.standard_error, same.standard_error);
  EXPECT_NE(one.standard_error, other.standard_error);
}

TEST(Statistics, BootstrapDrawsWholeClusters) {
  // Two clusters of opposite values: a resample is all one, all other or half and half.
  const std::vector<double> values = {0, 0, 0, 1, 1, 1};
  const std::vector<std::size_t> clusters = {0, 0, 0, 1, 1, 1};
  const Bootstrap drawn = bootstrap_mean(values, clusters, 1000);
  EXPECT_EQ(drawn.interval.low, 0);
  EXPECT_EQ(drawn.interval.high, 1);
}

TEST(Statistics, OneClusterHasNoError) {
  const std::vector<double> values = {0, 1, 1};
  const std::vector<std::size_t> clusters = {0, 0, 0};
  EXPECT_TRUE(std::isnan(cluster_standard_error(values, clusters)));
  EXPECT_TRUE(std::isnan(bootstrap_mean(values, clusters).interval.low));
}

TEST(Statistics, NamesBecomeClusters) {
  const std::vector<std::string_view> names = {"a", "", "b", "a", ""};
  EXPECT_EQ(number_clusters(names), (std::vector<std::size_t>{0, 1, 2, 0, 3}));
}

TEST(Statistics, ItemsToTellApart) {
  const double constant = golden()["power_constant"];
  EXPECT_EQ(items_to_tell_apart(0.1, 0.25), static_cast<std::uint64_t>(std::ceil(constant * 25)));
  EXPECT_EQ(items_to_tell_apart(-0.1, 0.25), items_to_tell_apart(0.1, 0.25));
  EXPECT_FALSE(items_to_tell_apart(0, 0.25));
  EXPECT_FALSE(items_to_tell_apart(1e-12, 1));
}

TEST(Compare, CountsWinsByTheMetricsDirection) {
  const auto items = paired({1, 1, 0, 0}, {0, 1, 0, 1});
  const Comparison higher = compare(items, true);
  EXPECT_EQ(higher.wins, 1U);
  EXPECT_EQ(higher.losses, 1U);
  EXPECT_EQ(higher.ties, 2U);
  EXPECT_EQ(higher.test, "exact McNemar");
  EXPECT_EQ(higher.p, 1);
  EXPECT_FALSE(higher.further_items);
  const Comparison lower = compare(paired({1, 2, 3}, {2, 3, 5}), false);
  EXPECT_EQ(lower.wins, 3U);
}

TEST(Compare, SaysWhatItTakes) {
  // 12 wins to 8 losses on 100 items.
  std::vector<double> a(100, 1), b(100, 1);
  for (int i = 0; i < 12; ++i) b[static_cast<std::size_t>(i)] = 0;
  for (int i = 12; i < 20; ++i) a[static_cast<std::size_t>(i)] = 0;
  const Comparison result = compare(paired(a, b), true);
  EXPECT_FALSE(result.told_apart);
  EXPECT_NEAR(result.p, 0.503445, 1e-6);
  EXPECT_NEAR(result.difference, 0.04, 1e-12);
  // Sample variance of the differences (20 - 16/100) / 99, so 7.8489 * 0.200404 / 0.0016 = 983.1.
  ASSERT_TRUE(result.further_items);
  EXPECT_EQ(*result.further_items, 884U);
  EXPECT_EQ(in_words(result, "left", "right", true),
            "left and right cannot be told apart on these 100 items (p = 0.5, exact McNemar). If "
            "the difference is what it seems, telling them apart takes about 884 more items (80 % "
            "power).");
}

TEST(Compare, NamesTheBetterOne) {
  std::vector<double> a(40, 1), b(40, 1);
  for (std::size_t i = 0; i < 10; ++i) a[i] = 0;
  const Comparison result = compare(paired(a, b), true);
  EXPECT_TRUE(result.told_apart);
  EXPECT_LT(result.interval.high, 0);
  EXPECT_EQ(in_words(result, "left", "right", true),
            "right is better than left on these 40 items (p = 0.002, exact McNemar).");
}

TEST(Compare, EqualAnswersAreEqual) {
  const Comparison result = compare(paired({1, 0}, {1, 0}), true);
  EXPECT_EQ(result.p, 1);
  EXPECT_EQ(in_words(result, "x", "y", true),
            "x and y do the same on each of the 2 items: nothing tells them apart.");
}

TEST(Compare, ClustersCountInTheTest) {
  // Ten passages of five items; within a passage all differ alike.
  std::vector<PairedItem> items;
  for (int passage = 0; passage < 10; ++passage) {
    for (int i = 0; i < 5; ++i) {
      items.push_back({passage < 6 ? 1.0 : 0.0, passage < 6 ? 0.0 : 1.0, std::to_string(passage)});
    }
  }
  const Comparison clustered = compare(items, true);
  EXPECT_EQ(clustered.test, "paired t over clusters");
  for (PairedItem& item : items) item.cluster.clear();
  const Comparison alone = compare(items, true);
  EXPECT_GT(clustered.p, alone.p);
  EXPECT_GT(clustered.interval.high - clustered.interval.low,
            alone.interval.high - alone.interval.low);
}

}  // namespace
}  // namespace crucible::stats
