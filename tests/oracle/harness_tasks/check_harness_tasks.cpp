#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "evaluator/metric/scoring.hpp"
#include "evaluator/task/task_definition.hpp"
#include "evaluator/task/task_files.hpp"
#include "evaluator/task/task_plan.hpp"

// check_harness_tasks FOLDER: reads every task and group of a folder of task files, and prints for
// each one line of JSON: its kind, its name and its faults as [path, message, fix], those of
// scoring among them. Data sets are not looked at. parse_harness_tasks.py counts what it prints.
namespace {

using namespace crucible;
using task::Json;

std::vector<Fault> faults_of(const task::TaskFiles& files, const task::TaskEntry& entry) {
  if (entry.fault) return entry.fault->faults;
  std::vector<Fault> faults;
  if (entry.kind == task::TaskEntry::Kind::kGroup) {
    task::plan_tasks(files, {entry.name}, Json::object(), faults);
    return faults;
  }
  const auto merged = files.load(entry);
  if (!merged) return merged.error().faults;
  const task::TaskDefinition definition = task::read_task_definition(*merged, faults);
  if (!faults.empty()) return faults;
  task::Task settings;
  settings.output_type = definition.output_type;
  settings.repeats = definition.repeats;
  settings.filters = definition.filters;
  settings.metrics = definition.metrics;
  settings.process_results = definition.process_results;
  return metric::check_scoring(settings);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: check_harness_tasks FOLDER\n");
    return 2;
  }
  const auto files = task::TaskFiles::open({argv[1]});
  if (!files) {
    std::fprintf(stderr, "%s\n", describe(files.error()).c_str());
    return 2;
  }
  for (const auto& [name, entry] : files->entries()) {
    if (entry.kind == task::TaskEntry::Kind::kTag || entry.place.builtin) continue;
    Json faults = Json::array();
    for (const Fault& fault : faults_of(*files, entry))
      faults.push_back({fault.path, fault.message, fault.suggestion});
    const char* kind = entry.kind == task::TaskEntry::Kind::kGroup ? "group" : "task";
    std::printf("%s\n", Json({{"kind", kind}, {"name", name}, {"faults", faults}}).dump().c_str());
  }
  return 0;
}
