#include "evaluator/run/compare_reports.hpp"

#include <map>
#include <utility>

namespace crucible::run {
namespace {

struct Paired {
  std::vector<stats::PairedItem> items;
  std::size_t missing = 0;  // items of one side only
  std::size_t changed = 0;  // same number, other document
};

Paired pair(const ScoredTask& a, const ScoredTask& b) {
  std::map<std::size_t, const ScoredItem*> others;
  for (const ScoredItem& item : b.items) others[item.doc_id] = &item;
  Paired out;
  for (const ScoredItem& item : a.items) {
    const auto found = others.find(item.doc_id);
    if (found == others.end()) {
      ++out.missing;
      continue;
    }
    const ScoredItem& other = *found->second;
    others.erase(found);
    if (!item.doc_hash.empty() && !other.doc_hash.empty() && item.doc_hash != other.doc_hash) {
      ++out.changed;
      continue;
    }
    const std::string cluster = item.cluster.empty() ? "" : a.task + "\n" + item.cluster;
    out.items.push_back({item.value, other.value, cluster});
  }
  out.missing += others.size();
  return out;
}

const ScoredTask* find(const std::vector<ScoredTask>& tasks, const std::string& name) {
  for (const ScoredTask& task : tasks) {
    if (task.task == name) return &task;
  }
  return nullptr;
}

void note_left_out(const ScoredTask& task, const Paired& paired, std::vector<std::string>& notes) {
  if (paired.missing > 0) {
    notes.push_back(task.task + ": " + std::to_string(paired.missing) +
                    " items that only one of the two has are left out");
  }
  if (paired.changed > 0) {
    notes.push_back(task.task + ": " + std::to_string(paired.changed) +
                    " items whose documents differ are left out");
  }
}

bool adds_up(const std::vector<stats::PairedItem>& items) {
  for (const stats::PairedItem& item : items) {
    if (item.a < 0 || item.a > 1 || item.b < 0 || item.b > 1) return false;
  }
  return true;
}

TaskComparison comparison_of(const ScoredTask& task, std::span<const stats::PairedItem> items,
                             std::string_view name_a, std::string_view name_b) {
  TaskComparison out{task.task,
                     task.metric,
                     task.filter,
                     task.higher_is_better,
                     stats::compare(items, task.higher_is_better),
                     {}};
  out.verdict = stats::in_words(out.numbers, name_a, name_b, task.higher_is_better);
  return out;
}

}  // namespace

Result<ReportComparison> compare_reports(const std::vector<ScoredTask>& a,
                                         const std::vector<ScoredTask>& b, std::string_view name_a,
                                         std::string_view name_b) {
  ReportComparison out;
  std::vector<stats::PairedItem> all;
  bool can_add = true;
  for (const ScoredTask& task : a) {
    const ScoredTask* other = find(b, task.task);
    if (other == nullptr || other->metric != task.metric || other->filter != task.filter) {
      out.notes.push_back(task.task + (other ? ": the two have different metrics, it is left out"
                                             : ": only the first has it, it is left out"));
      continue;
    }
    const Paired paired = pair(task, *other);
    note_left_out(task, paired, out.notes);
    if (paired.items.empty()) continue;
    out.tasks.push_back(comparison_of(task, paired.items, name_a, name_b));
    can_add = can_add && task.higher_is_better && adds_up(paired.items);
    all.insert(all.end(), paired.items.begin(), paired.items.end());
  }
  for (const ScoredTask& task : b) {
    if (find(a, task.task) == nullptr) {
      out.notes.push_back(task.task + ": only the second has it, it is left out");
    }
  }
  if (out.tasks.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                std::string(name_a) + " and " + std::string(name_b) + " have no items in common");
  }
  if (can_add && out.tasks.size() == 1) {
    out.overall = out.tasks.front();
    out.overall->task.clear();
  } else if (can_add) {
    out.overall = comparison_of({"", "", "", true, {}}, all, name_a, name_b);
  } else {
    out.notes.push_back("the tasks' metrics do not add up, so there is no overall comparison");
  }
  return out;
}

}  // namespace crucible::run
