#include "tests/oracle/request_hashes/request_hashes.hpp"

#include <cstdio>

// check_request_hashes TESTDATA DATASETS: holds the built-in tasks, with the data sets below
// DATASETS, against the hashes and scores in TESTDATA. Tasks without data, and those that no
// built-in task asks in the same form, are named and left out; exit code 1 when one of the others
// differs or none is left.
using namespace crucible;
using namespace crucible::request_hashes;

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: check_request_hashes TESTDATA DATASETS\n");
    return 2;
  }
  const auto catalog = task::TaskCatalog::open({});
  if (!catalog) {
    std::fprintf(stderr, "%s\n", describe(catalog.error()).c_str());
    return 2;
  }
  task::FolderDatasets datasets({argv[2]});
  int equal = 0, differ = 0, without_data = 0;
  std::set<std::string> others = stems(argv[1]);
  for (const OldTask& old : old_tasks(argv[1])) {
    others.erase(old.stem);
    const auto tasks = build(*catalog, old, datasets);
    if (!tasks && tasks.error().code == ErrorCode::kNotFound) {
      std::printf("%s: no data\n", old.stem.c_str());
      ++without_data;
      continue;
    }
    const std::string found = tasks ? difference(old, *tasks, argv[1]) : describe(tasks.error());
    found.empty() ? ++equal : ++differ;
    if (!found.empty()) std::printf("%s: %s\n", old.stem.c_str(), found.c_str());
  }
  for (const std::string& stem : others)
    std::printf("%s: no built-in task of its form\n", stem.c_str());
  std::printf("%d tasks as the harness has them, %d differ, %d without data, %zu not built in\n",
              equal, differ, without_data, others.size());
  return equal > 0 && differ == 0 ? 0 : 1;
}
