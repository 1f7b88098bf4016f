#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "evaluator/race/race_item.hpp"
#include "evaluator/stats/interval.hpp"

// What may be said about the winner of a sweep. All functions are pure, draw from generators of
// their own, and give the same numbers on every machine.
namespace crucible::race {

// Items in any order; `clusters` as stats::number_clusters gives them: items of one cluster are
// drawn together.
struct ItemSet {
  std::vector<RaceItem> items;
  std::vector<std::size_t> clusters;
};

struct ReportedScore {
  double score = 0;
  stats::Interval interval;  // 95 %
};

// Weighted mean of the strata's means. Each stratum has an interval of its own (Wilson for right
// and wrong on independent items of equal weight, else Student's t on the cluster-robust error; the
// interval of as many trials as there are clusters where all scores are 0 or all are 1), and these
// are combined by their half-widths on either side (MOVER: Zou and Donner 2008): it says something
// at 0 and 1, where resampling does not. NaN ends where a stratum has one cluster. `items` is not
// empty, scores lie in [0, 1].
ReportedScore report_score(const ItemSet& set, std::span<const double> scores);

// How much better the best of m candidates looks on the items that chose it than it is.
struct Inflation {
  double expected = 0;  // by resampling items; >= 0 but for noise of the resampling
  double gaussian = 0;  // sd·sqrt(2 ln m): the bound for m equally good, independent ones
  double sd = 0;        // of what candidates' estimates do not have in common
  std::size_t candidates = 0;
};

// The optimism of the maximum (Efron's bootstrap estimate): the mean over resamples of the items of
// (best resampled mean - the same candidate's mean on the items themselves). `scores` has a row a
// candidate, each as long as the items; at least one row.
Inflation expected_inflation(const ItemSet& set, std::span<const std::vector<double>> scores,
                             std::size_t resamples = stats::kResamples,
                             std::uint64_t seed = stats::kSeed);

enum class Verdict { kBeats, kWorse, kNoDetectableDifference };
std::string_view to_string(Verdict verdict);  // "beats", "worse", "no detectable difference"

struct ParentVerdict {
  double difference = 0;     // winner - parent, on the report items
  stats::Interval interval;  // 1 - 0.05 / parents: together right with 95 % (Bonferroni)
  double probability_better =
      0.5;                 // share of paired resamples in which the winner is ahead; ties half
  std::size_t wins = 0;    // items on which the winner is better
  std::size_t losses = 0;  // items on which the parent is
  Verdict verdict = Verdict::kNoDetectableDifference;
};

// The winner against each parent on the same report items. The interval is the hull of that of the
// paired bootstrap, which is a little too narrow for few items, and of Student's t on
// cluster-robust errors, strata combined as in report_score. A verdict needs an interval without 0,
// and that enough clusters differ for any paired test to reject.
std::vector<ParentVerdict> against_parents(const ItemSet& set, std::span<const double> winner,
                                           std::span<const std::vector<double>> parents,
                                           std::size_t resamples = 10'000,
                                           std::uint64_t seed = stats::kSeed);

}  // namespace crucible::race
