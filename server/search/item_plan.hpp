#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "evaluator/race/item_split.hpp"
#include "evaluator/race/selection.hpp"
#include "evaluator/task/task.hpp"

// Which items of a search's suites are tuned on, in which order, and which are reported. Every
// suite counts alike in the objective, and so does every task of a suite.
namespace crucible::server::search {

// Immutable; the suites must outlive it.
class ItemPlan {
 public:
  // kUnsupported, with paths into the document, for tasks whose primary metric is no mean of scores
  // from 0 to 1 an item, and conversations; kInvalidArgument for a task too small to be split.
  static Result<ItemPlan> make(std::span<const task::Suite> suites, double tune_share,
                               std::uint64_t seed);

  // A place's suite is the number of a task over all suites.
  const std::vector<race::ItemPlace>& tune() const { return tune_; }
  const std::vector<race::ItemPlace>& report() const { return report_; }
  std::vector<race::RaceItem> tune_items() const { return weigh(tune_); }
  race::ItemSet report_items() const;

  // Of tasks, split and order: scores kept under another one are of other items.
  const Digest& digest() const { return digest_; }

  std::size_t tasks() const { return tasks_.size(); }
  const task::Task& task(std::size_t number) const { return *tasks_[number].task; }
  std::size_t suite_of(std::size_t task) const { return tasks_[task].suite; }
  // Mean of each suite's tasks over the places, by scores in their order; NaN without items.
  std::vector<double> suite_means(std::span<const race::ItemPlace> places,
                                  std::span<const double> scores) const;

 private:
  struct Entry {
    const task::Task* task = nullptr;
    std::size_t suite = 0;
  };
  explicit ItemPlan(std::vector<Entry> tasks, std::size_t suites)
      : tasks_(std::move(tasks)), suites_(suites) {}
  std::vector<race::RaceItem> weigh(const std::vector<race::ItemPlace>& places) const;

  std::vector<Entry> tasks_;
  std::size_t suites_ = 0;
  std::vector<race::ItemPlace> tune_;
  std::vector<race::ItemPlace> report_;
  Digest digest_;
};

}  // namespace crucible::server::search
