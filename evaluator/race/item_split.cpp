#include "evaluator/race/item_split.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "merger/base/digest.hpp"

namespace crucible::race {
namespace {

// Uniform in [0, 1): the digest's first 53 bits.
double as_share(const Digest& digest) {
  std::uint64_t bits = 0;
  for (const std::uint8_t byte : digest.bytes().first(8)) bits = bits << 8U | byte;
  return static_cast<double>(bits >> 11U) * 0x1p-53;
}

Status check(const SplitSuite& suite) {
  std::set<std::string_view> ids;
  for (const SplitItem& item : suite.items) {
    if (!ids.insert(item.id).second) {
      return fail(ErrorCode::kInvalidArgument,
                  "suite " + suite.name + " has two items named " + item.id);
    }
  }
  return {};
}

std::vector<std::size_t> count_by_suite(const std::vector<ItemPlace>& places, std::size_t suites) {
  std::vector<std::size_t> counts(suites, 0);
  for (const ItemPlace& place : places) ++counts[place.suite];
  return counts;
}

}  // namespace

Role role_of(std::string_view suite, const SplitItem& item, double tune_share) {
  const bool alone = item.cluster.empty();
  Sha256 hash;
  hash.field("crucible item split 1").field(suite);
  hash.field(alone ? "item" : "cluster").field(alone ? item.id : item.cluster);
  return as_share(hash.finish()) < tune_share ? Role::kTune : Role::kReport;
}

Result<ItemSplit> ItemSplit::make(std::vector<SplitSuite> suites, double tune_share) {
  if (!(tune_share > 0 && tune_share < 1)) {
    return fail(ErrorCode::kInvalidArgument, "the share of tune items must lie between 0 and 1");
  }
  std::set<std::string_view> names;
  ItemSplit split;
  for (std::size_t s = 0; s < suites.size(); ++s) {
    const SplitSuite& suite = suites[s];
    if (!names.insert(suite.name).second) {
      return fail(ErrorCode::kInvalidArgument, "two suites are named " + suite.name);
    }
    if (Status status = check(suite); !status) return fail(std::move(status.error()));
    const std::size_t tuned = split.tune_.size();
    const std::size_t reported = split.report_.size();
    for (std::size_t i = 0; i < suite.items.size(); ++i) {
      const bool tune = role_of(suite.name, suite.items[i], tune_share) == Role::kTune;
      (tune ? split.tune_ : split.report_).push_back({s, i});
    }
    if (split.tune_.size() == tuned || split.report_.size() == reported) {
      return fail(ErrorCode::kInvalidArgument,
                  "suite " + suite.name + " has too few items to keep some apart for the report");
    }
  }
  split.suites_ = std::move(suites);
  return split;
}

std::vector<ItemPlace> ItemSplit::item_order(std::uint64_t seed, Average average) const {
  struct Keyed {
    Digest digest;
    double turn = 0;
    ItemPlace place;
  };
  std::vector<std::vector<Keyed>> shuffled(suites_.size());
  for (const ItemPlace& place : tune_) {
    const SplitSuite& suite = suites_[place.suite];
    Sha256 hash;
    hash.field("crucible item order 1").field(std::to_string(seed)).field(suite.name);
    shuffled[place.suite].push_back({hash.field(suite.items[place.item].id).finish(), 0.0, place});
  }
  std::vector<Keyed> all;
  for (std::vector<Keyed>& suite : shuffled) {
    std::ranges::sort(suite, {}, &Keyed::digest);
    const double share = average == Average::kSuites ? 1.0 : static_cast<double>(suite.size());
    for (std::size_t k = 0; k < suite.size(); ++k) {
      suite[k].turn = (static_cast<double>(k) + 0.5) / share;
    }
    all.insert(all.end(), suite.begin(), suite.end());
  }
  std::ranges::stable_sort(all, {}, &Keyed::turn);
  std::vector<ItemPlace> order;
  order.reserve(all.size());
  for (const Keyed& keyed : all) order.push_back(keyed.place);
  return order;
}

std::vector<RaceItem> ItemSplit::weigh(const std::vector<ItemPlace>& places,
                                       Average average) const {
  const std::vector<std::size_t> counts = count_by_suite(places, suites_.size());
  std::vector<RaceItem> items;
  items.reserve(places.size());
  for (const ItemPlace& place : places) {
    const double weight =
        average == Average::kSuites ? 1.0 / static_cast<double>(counts[place.suite]) : 1.0;
    items.push_back({place.suite, weight, 1.0});
  }
  return items;
}

}  // namespace crucible::race
