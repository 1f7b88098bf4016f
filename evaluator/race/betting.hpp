#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "evaluator/race/race_item.hpp"

// A test of paired differences that stays valid however often one looks.
//
// Two candidates answer the same items in the same order; d_i in [-1, 1] is how much better the
// first did on item i, D the weighted mean of all items' d, known once all are answered. Somebody
// who bets that D > bound, at odds that are fair if D = bound, gets rich only if D > bound: the
// capital is a nonnegative supermartingale with start 1 under D <= bound, so that it ever reaches
// 1/p with probability at most p (Ville 1939; betting for means of bounded values, without
// replacement too: Waudby-Smith and Ramdas, arXiv:2010.09686).
//
// Here the items come from strata, a few of each at a time, and only D is known under the
// hypothesis, not the strata's means. Bets are therefore placed a block at a time. With R_s items
// of stratum s left before a block, r_s of them (r altogether) in it, w_i the weights and C those
// of all that is left,
//     factor of item i = 1 + λ (a_i d_i - m),  a_i = w_i R_s r / (r_s C),  m = (bound - drawn) / C,
// where drawn is the sum of w_i d_i of earlier blocks. The expected product over a block is at most
// 1: inside a stratum by Maclaurin's inequality (means of products without replacement are at most
// the power of the mean), between strata by that of arithmetic and geometric means, and the average
// of all a_i d_i that are left is (D - drawn) / C. A stratum that misses a block may hold anything:
// its weight goes from C to the numerator of m. λ may depend on the past only; the capital is the
// mean of several gamblers', each of whom risks a constant share of it.
namespace crucible::race {

// How an order of items falls into blocks. Grows with the race; a block never changes. Blocks end
// where the race looks at its results. Not thread-safe while it grows.
class Blocks {
 public:
  // Strata are random orders of their items. Weights are positive.
  explicit Blocks(std::span<const RaceItem> order);

  // Continues up to `items` items, which are at most the order's. No effect if they are covered.
  void extend_to(std::size_t items);
  std::size_t covered() const { return blocks_.empty() ? 0 : blocks_.back().last; }
  std::size_t items() const { return coefficients_.size(); }

  // Log of the capital against "the mean of a - b over all items is at most `bound`", after the
  // first a.size() = b.size() items, with bets from item `from` on. Both ends are ends of blocks.
  // Infinity once the hypothesis is impossible.
  double log_capital(std::span<const double> a, std::span<const double> b, double bound,
                     std::size_t from = 0) const;

 private:
  struct Block {
    std::size_t first = 0;
    std::size_t last = 0;
    double left = 0;    // weight of what is left, of strata in the block (C)
    double absent = 0;  // … of strata that are not
    double reach = 0;   // largest a_i possible
  };
  void add(std::size_t first, std::size_t last);

  std::vector<std::size_t> strata_;
  std::vector<double> weights_;       // all together 1
  std::vector<double> coefficients_;  // a_i of covered items
  std::vector<Block> blocks_;
  // Of what no block covers yet, by stratum.
  std::vector<std::size_t> left_items_;
  std::vector<double> left_weights_;
  std::vector<double> largest_weights_;
};

}  // namespace crucible::race
