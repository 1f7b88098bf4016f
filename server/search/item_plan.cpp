#include "server/search/item_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

namespace crucible::server::search {
namespace {

// Metrics whose value for one item lies between 0 and 1.
bool is_share(const task::Task& task) {
  static const std::set<std::string, std::less<>> kShares = {
      "acc",    "acc_norm",  "acc_bytes", "acc_mutual_info",         "exact_match",
      "em",     "mc1",       "mc2",       "prompt_level_strict_acc", "prompt_level_loose_acc",
      "pass@1", "pass_at_1", "acc_all"};
  const bool mean = std::ranges::any_of(task.metrics, [&](const task::MetricSetting& metric) {
    return metric.metric == task.primary_metric && metric.aggregation == "mean";
  });
  return mean && kShares.contains(task.primary_metric);
}

void check_task(const task::Task& task, std::size_t suite, Error& error) {
  const std::string path = fmt::format("suites[{}]", suite);
  if (task.output_type == task::OutputType::kConversation) {
    error.faults.push_back({path,
                            fmt::format("{} is graded by a judge, which a sweep does not ask for "
                                        "every candidate",
                                        task.name),
                            "sweep over suites that rules score, then evaluate the winner on it"});
  } else if (!is_share(task)) {
    error.faults.push_back(
        {path,
         fmt::format("{} is scored by {}, which is no mean of scores from 0 to 1", task.name,
                     task.primary_metric),
         "sweep over suites of accuracies or exact matches"});
  }
}

}  // namespace

Result<ItemPlan> ItemPlan::make(std::span<const task::Suite> suites, double tune_share,
                                std::uint64_t seed) {
  Error error{ErrorCode::kUnsupported, "a sweep cannot be judged by these suites", {}};
  std::vector<Entry> entries;
  std::vector<race::SplitSuite> split_suites;
  for (std::size_t s = 0; s < suites.size(); ++s) {
    for (const task::Task& task : suites[s].tasks) {
      check_task(task, s, error);
      entries.push_back({&task, s});
      race::SplitSuite split{suites[s].name + "/" + task.name, {}};
      for (const task::Item& item : task.items) split.items.push_back({item.id, item.cluster});
      split_suites.push_back(std::move(split));
    }
  }
  if (!error.faults.empty()) return fail(std::move(error));
  auto split = race::ItemSplit::make(std::move(split_suites), tune_share);
  if (!split) return fail(std::move(split).error());
  ItemPlan plan(std::move(entries), suites.size());
  plan.tune_ = split->item_order(seed, race::Average::kSuites);
  plan.report_ = split->report();
  Sha256 hash;
  for (const Entry& entry : plan.tasks_) hash.field(entry.task->digest.hex());
  for (const auto* places : {&plan.tune_, &plan.report_}) {
    for (const race::ItemPlace& place : *places) {
      hash.field(fmt::format("{} {}", place.suite, place.item));
    }
    hash.field("end");
  }
  plan.digest_ = hash.finish();
  return plan;
}

std::vector<race::RaceItem> ItemPlan::weigh(const std::vector<race::ItemPlace>& places) const {
  std::vector<double> items_of(tasks_.size());
  std::vector<double> tasks_in(suites_);
  for (const race::ItemPlace& place : places) items_of[place.suite] += 1;
  for (std::size_t t = 0; t < tasks_.size(); ++t) tasks_in[tasks_[t].suite] += 1;
  std::vector<race::RaceItem> items;
  for (const race::ItemPlace& place : places) {
    const double share = 1.0 / (static_cast<double>(suites_) * tasks_in[tasks_[place.suite].suite]);
    items.push_back({place.suite, share / items_of[place.suite], 1});
  }
  return items;
}

race::ItemSet ItemPlan::report_items() const {
  std::vector<std::string> names;
  for (const race::ItemPlace& place : report_) {
    const task::Item& item = tasks_[place.suite].task->items[place.item];
    names.push_back(item.cluster.empty() ? "" : fmt::format("{}:{}", place.suite, item.cluster));
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  return {weigh(report_), stats::number_clusters(views)};
}

std::vector<double> ItemPlan::suite_means(std::span<const race::ItemPlace> places,
                                          std::span<const double> scores) const {
  std::vector<double> sums(tasks_.size());
  std::vector<double> counts(tasks_.size());
  for (std::size_t i = 0; i < places.size() && i < scores.size(); ++i) {
    sums[places[i].suite] += scores[i];
    counts[places[i].suite] += 1;
  }
  std::vector<double> means(suites_);
  std::vector<double> tasks(suites_);
  for (std::size_t t = 0; t < tasks_.size(); ++t) {
    if (counts[t] == 0) continue;
    means[tasks_[t].suite] += sums[t] / counts[t];
    tasks[tasks_[t].suite] += 1;
  }
  for (std::size_t s = 0; s < suites_; ++s) {
    means[s] = tasks[s] > 0 ? means[s] / tasks[s] : std::numeric_limits<double>::quiet_NaN();
  }
  return means;
}

}  // namespace crucible::server::search
