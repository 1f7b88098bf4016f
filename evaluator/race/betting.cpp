#include "evaluator/race/betting.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace crucible::race {
namespace {

// Shares of their capital that the gamblers risk.
constexpr std::array kShares = {0.1, 0.3, 0.6, 0.9};
// Sums of weights are exact to about this.
constexpr double kRounding = 1e-9;
// Shorter blocks learn sooner what was drawn, longer ones miss no small stratum.
constexpr std::size_t kBlockItems = 16;

}  // namespace

Blocks::Blocks(std::span<const RaceItem> order) : coefficients_(order.size(), 0.0) {
  double total = 0;
  for (const RaceItem& item : order) total += item.weight;
  for (const RaceItem& item : order) {
    const std::size_t strata = std::max(left_items_.size(), item.stratum + 1);
    left_items_.resize(strata, 0);
    left_weights_.resize(strata, 0.0);
    largest_weights_.resize(strata, 0.0);
    const double weight = item.weight / total;
    strata_.push_back(item.stratum);
    weights_.push_back(weight);
    ++left_items_[item.stratum];
    left_weights_[item.stratum] += weight;
    largest_weights_[item.stratum] = std::max(largest_weights_[item.stratum], weight);
  }
}

void Blocks::extend_to(std::size_t items) {
  const std::size_t begin = covered();
  items = std::min(items, coefficients_.size());
  if (items <= begin) return;
  const std::size_t size = std::max(kBlockItems, 2 * left_items_.size());
  const std::size_t count = (items - begin + size - 1) / size;
  for (std::size_t k = 0; k < count; ++k) {
    add(begin + (items - begin) * k / count, begin + (items - begin) * (k + 1) / count);
  }
}

void Blocks::add(std::size_t first, std::size_t last) {
  std::vector<std::size_t> taken(left_items_.size(), 0);
  for (std::size_t i = first; i < last; ++i) ++taken[strata_[i]];
  Block block{first, last, 0, 0, 0};
  for (std::size_t s = 0; s < taken.size(); ++s) {
    if (left_items_[s] == 0) continue;
    (taken[s] > 0 ? block.left : block.absent) += left_weights_[s];
  }
  const auto factor = [&](std::size_t s) {
    return static_cast<double>(left_items_[s]) * static_cast<double>(last - first) /
           (static_cast<double>(taken[s]) * block.left);
  };
  for (std::size_t s = 0; s < taken.size(); ++s) {
    if (taken[s] > 0) block.reach = std::max(block.reach, largest_weights_[s] * factor(s));
  }
  for (std::size_t i = first; i < last; ++i) coefficients_[i] = weights_[i] * factor(strata_[i]);
  for (std::size_t i = first; i < last; ++i) {
    --left_items_[strata_[i]];
    left_weights_[strata_[i]] -= weights_[i];
  }
  blocks_.push_back(block);
}

double Blocks::log_capital(std::span<const double> a, std::span<const double> b, double bound,
                           std::size_t from) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::array<double, kShares.size()> logs{};
  double drawn = 0;
  double left = 1;
  for (const Block& block : blocks_) {
    if (block.last > a.size()) break;
    const double fair = (bound - drawn + block.absent) / block.left;
    // At 0 the hypothesis leaves no choice but that a loses all the rest: nothing to bet on.
    if (block.first >= from && block.reach + fair > kRounding) {
      for (std::size_t j = 0; j < kShares.size(); ++j) {
        const double bet = kShares[j] / (block.reach + fair);
        double product = 1;
        for (std::size_t i = block.first; i < block.last; ++i) {
          product *= 1 + bet * (coefficients_[i] * (a[i] - b[i]) - fair);
        }
        logs[j] += std::log(product);
      }
    }
    for (std::size_t i = block.first; i < block.last; ++i) {
      drawn += weights_[i] * (a[i] - b[i]);
      left -= weights_[i];
    }
    if (drawn - left > bound + kRounding) return kInfinity;
  }
  const double largest = *std::ranges::max_element(logs);
  double sum = 0;
  for (const double one : logs) sum += std::exp(one - largest);
  return largest + std::log(sum / static_cast<double>(kShares.size()));
}

}  // namespace crucible::race
