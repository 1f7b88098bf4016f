#include <algorithm>
#include <map>
#include <set>

#include "evaluator/race/item_split.hpp"
#include "gtest/gtest.h"

namespace crucible::race {
namespace {

SplitSuite numbered(const std::string& name, std::size_t items) {
  SplitSuite suite{name, {}};
  for (std::size_t i = 0; i < items; ++i) suite.items.push_back({std::to_string(i), ""});
  return suite;
}

// A search that is resumed by a later version must see the same items in the same order.
TEST(ItemSplit, NeverChanges) {
  const ItemSplit split = ItemSplit::make({numbered("sums", 12), numbered("words", 12)}).value();
  std::string tune;
  for (const ItemPlace& place : split.tune()) {
    tune += std::to_string(place.suite) + "." + std::to_string(place.item) + " ";
  }
  EXPECT_EQ(tune, "0.1 0.11 1.0 1.1 1.2 1.6 1.7 1.8 1.10 1.11 ");
  const auto in_order = [&](Average average) {
    std::string order;
    for (const ItemPlace& place : split.item_order(7, average)) {
      order += std::to_string(place.suite) + "." + std::to_string(place.item) + " ";
    }
    return order;
  };
  EXPECT_EQ(in_order(Average::kSuites), "0.1 1.0 0.11 1.2 1.8 1.10 1.11 1.1 1.6 1.7 ");
  EXPECT_EQ(in_order(Average::kItems), "1.0 1.2 0.1 1.8 1.10 1.11 1.1 0.11 1.6 1.7 ");
}

TEST(ItemSplit, TakesAboutTheShareAsked) {
  for (const double share : {0.2, 0.5, 0.8}) {
    const ItemSplit split = ItemSplit::make({numbered("a", 5000)}, share).value();
    EXPECT_NEAR(static_cast<double>(split.tune().size()) / 5000, share, 0.03);
    EXPECT_EQ(split.tune().size() + split.report().size(), 5000U);
  }
}

TEST(ItemSplit, AnItemStaysWhereItIsWhenOthersAreAdded) {
  const ItemSplit few = ItemSplit::make({numbered("a", 50)}).value();
  const ItemSplit many = ItemSplit::make({numbered("b", 20), numbered("a", 200)}).value();
  for (const ItemPlace& place : few.tune()) {
    EXPECT_EQ(std::ranges::count(many.tune(), ItemPlace{1, place.item}), 1);
  }
}

TEST(ItemSplit, SuitesAreSplitIndependently) {
  const ItemSplit split = ItemSplit::make({numbered("a", 400), numbered("b", 400)}).value();
  std::set<std::size_t> in_a;
  std::size_t both = 0;
  for (const ItemPlace& place : split.tune()) {
    if (place.suite == 0) in_a.insert(place.item);
    if (place.suite == 1) both += in_a.contains(place.item) ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(both), 100, 40);
}

TEST(ItemSplit, ClustersStayTogether) {
  SplitSuite suite{"passages", {}};
  for (std::size_t i = 0; i < 300; ++i) {
    suite.items.push_back({std::to_string(i), "passage " + std::to_string(i / 6)});
  }
  const ItemSplit split = ItemSplit::make({suite}).value();
  std::map<std::size_t, std::size_t> tuned;
  for (const ItemPlace& place : split.tune()) ++tuned[place.item / 6];
  for (const auto& [passage, items] : tuned) EXPECT_EQ(items, 6U) << passage;
}

TEST(ItemSplit, OrderHoldsAllTuneItemsOnce) {
  const ItemSplit split = ItemSplit::make({numbered("a", 90), numbered("b", 300)}).value();
  for (const Average average : {Average::kSuites, Average::kItems}) {
    std::vector<ItemPlace> order = split.item_order(1, average);
    EXPECT_NE(order, split.item_order(2, average));
    EXPECT_EQ(order, split.item_order(1, average));
    std::ranges::sort(order, [](const ItemPlace& a, const ItemPlace& b) {
      return std::pair(a.suite, a.item) < std::pair(b.suite, b.item);
    });
    EXPECT_EQ(order, split.tune());
  }
}

TEST(ItemSplit, EachPrefixHoldsSuitesInProportion) {
  const ItemSplit split =
      ItemSplit::make({numbered("a", 200), numbered("b", 800), numbered("c", 400)}).value();
  std::vector<double> sizes(3, 0.0);
  for (const ItemPlace& place : split.tune()) ++sizes[place.suite];
  const double all = sizes[0] + sizes[1] + sizes[2];
  for (const Average average : {Average::kSuites, Average::kItems}) {
    std::vector<double> seen(3, 0.0);
    double items = 0;
    for (const ItemPlace& place : split.item_order(3, average)) {
      ++seen[place.suite];
      ++items;
      if (average == Average::kSuites && items > 3 * sizes[0]) break;  // the smallest is used up
      for (std::size_t s = 0; s < 3; ++s) {
        const double share = average == Average::kSuites ? 1.0 / 3 : sizes[s] / all;
        EXPECT_NEAR(seen[s], share * items, 1.5) << s << " after " << items;
      }
    }
  }
}

TEST(ItemSplit, WeightsMakeTheAverageAsked) {
  const ItemSplit split = ItemSplit::make({numbered("a", 60), numbered("b", 240)}).value();
  const std::vector<ItemPlace> order = split.item_order(1, Average::kSuites);
  const std::vector<double> alike = stratum_weights(split.weigh(order, Average::kSuites));
  EXPECT_NEAR(alike[0], 0.5, 1e-12);
  const std::vector<double> sized = stratum_weights(split.weigh(order, Average::kItems));
  const auto in_a = std::ranges::count(order, 0U, &ItemPlace::suite);
  EXPECT_NEAR(sized[0], static_cast<double>(in_a) / static_cast<double>(order.size()), 1e-12);
}

TEST(ItemSplit, RefusesWhatCannotBeSplit) {
  EXPECT_FALSE(ItemSplit::make({numbered("a", 100)}, 0).has_value());
  EXPECT_FALSE(ItemSplit::make({numbered("a", 100)}, 1).has_value());
  EXPECT_FALSE(ItemSplit::make({numbered("a", 1)}).has_value());
  EXPECT_FALSE(ItemSplit::make({numbered("a", 0)}).has_value());
  EXPECT_FALSE(ItemSplit::make({numbered("a", 50), numbered("a", 50)}).has_value());
  EXPECT_FALSE(ItemSplit::make({{"a", {{"1", ""}, {"1", ""}}}}).has_value());
}

}  // namespace
}  // namespace crucible::race
