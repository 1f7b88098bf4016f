#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/race/race_item.hpp"
#include "merger/base/error.hpp"

// Which items a search may look at, and in which order it does. A sweep's best point looks better
// on the items that chose it than it is; its score is therefore taken from others. Both the split
// and the order depend on names and a seed only, by SHA-256, and never change for the same input.
namespace crucible::race {

enum class Role { kTune, kReport };  // chosen on; reported

struct SplitItem {
  std::string id;       // of the document, unique in its suite
  std::string cluster;  // items of one passage go to one side; "" = on its own
};

struct SplitSuite {
  std::string name;
  std::vector<SplitItem> items;
};

// Depends on nothing but its arguments: items that are added later leave the others where they are.
Role role_of(std::string_view suite, const SplitItem& item, double tune_share = 0.5);

// What the objective is a mean of.
enum class Average {
  kSuites,  // each suite's mean counts alike
  kItems,   // each item counts alike
};

struct ItemPlace {
  std::size_t suite = 0;
  std::size_t item = 0;  // in its suite
  bool operator==(const ItemPlace&) const = default;
};

// Immutable; safe to share between threads.
class ItemSplit {
 public:
  // kInvalidArgument: a share outside (0, 1), names that are not unique, a suite of which one side
  // would be empty.
  static Result<ItemSplit> make(std::vector<SplitSuite> suites, double tune_share = 0.5);

  // In the suites' order.
  const std::vector<ItemPlace>& tune() const { return tune_; }
  const std::vector<ItemPlace>& report() const { return report_; }

  // All tune items in the order in which every candidate answers them. Random inside a suite;
  // suites alternate so that each prefix holds them in proportion to their share of the objective,
  // until one has no more items.
  std::vector<ItemPlace> item_order(std::uint64_t seed, Average average) const;

  // The weights that make `average` of the places' suites; places are all of one side, in any
  // order. Stratum = suite.
  std::vector<RaceItem> weigh(const std::vector<ItemPlace>& places, Average average) const;

 private:
  std::vector<SplitSuite> suites_;
  std::vector<ItemPlace> tune_;
  std::vector<ItemPlace> report_;
};

}  // namespace crucible::race
