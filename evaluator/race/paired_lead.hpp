#pragma once

#include <span>

#include "evaluator/race/race_item.hpp"

namespace crucible::race {

// How far one candidate is ahead of another on the first items of an order, with ordinary standard
// errors: normal approximation, strata apart, finite population. Not valid for repeated looks; what
// must be is in betting.hpp.
struct PairedLead {
  double difference = 0;    // of the estimates, a - b
  double error = 0;         // of `difference`, as an estimate of that on all items
  double error_on_all = 0;  // that the difference on all items will have, as one on like items
};

// a.size() = b.size() > 0; `weights` are stratum_weights of all items. One made-up item a stratum
// that differs keeps the variance from being 0 where few do. Errors are infinite while a stratum
// has no item.
PairedLead paired_lead(std::span<const RaceItem> items, std::span<const double> weights,
                       std::span<const double> a, std::span<const double> b);

}  // namespace crucible::race
