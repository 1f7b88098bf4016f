#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "evaluator/stats/interval.hpp"

// Two models on the same items. Looking at each item's difference removes what the items have in
// common, which is most of the noise when the models are relatives.
namespace crucible::stats {

// Two-sided p of `wins` against `losses` when both are equally likely: exact McNemar on the
// discordant items, and the sign test where values are not binary. Ties count for nothing; 1 when
// there are no others.
double exact_mcnemar(std::size_t wins, std::size_t losses);

// Two-sided p of difference / standard_error by Student's t; NaN where it is undefined.
double mean_test(double difference, double standard_error, std::size_t degrees);

// Items after which a true difference of this size shows at 5 % in 80 % of repetitions, when the
// items' differences have this variance: (z_0.975 + z_0.8)² · variance / difference². None for a
// difference of 0.
std::optional<std::uint64_t> items_to_tell_apart(double difference, double variance);

struct PairedItem {
  double a = 0;
  double b = 0;
  std::string cluster;  // items of equal names depend on each other; "" = on its own
};

struct Comparison {
  std::size_t items = 0;
  double mean_a = 0;
  double mean_b = 0;
  std::size_t wins = 0;    // items on which a is better
  std::size_t losses = 0;  // items on which b is
  std::size_t ties = 0;
  double difference = 0;      // mean of a minus b; positive favours a only if higher is better
  double standard_error = 0;  // of the difference, paired, cluster-robust; NaN under two clusters
  Interval interval;          // of the difference, paired bootstrap of clusters
  double p = 1;
  std::string test;         // "exact McNemar", "paired t", "paired t over clusters"
  bool told_apart = false;  // p < 0.05
  std::optional<std::uint64_t> further_items;  // none: no number would do, or it is not needed
};

// `items` is not empty. Values of 0 and 1 on independent items are tested by McNemar, everything
// else by its mean difference.
Comparison compare(std::span<const PairedItem> items, bool higher_is_better,
                   std::size_t resamples = 10'000, std::uint64_t seed = kSeed);

// One sentence: whether the two can be told apart, and how many more items it would take.
std::string in_words(const Comparison& comparison, std::string_view a, std::string_view b,
                     bool higher_is_better);

}  // namespace crucible::stats
