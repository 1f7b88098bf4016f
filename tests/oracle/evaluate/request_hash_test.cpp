// The requests of one MMLU subject, and a random model's scores, as lm-evaluation-harness 0.3 kept
// them; check_request_hashes does the same for all tasks whose data is at hand.
#include <filesystem>

#include "gtest/gtest.h"
#include "tests/oracle/request_hashes/request_hashes.hpp"

namespace crucible::request_hashes {
namespace {

const std::filesystem::path kData =
    std::filesystem::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "request_hashes" / "data";

TEST(RequestHashes, RequestsAndScoresAreTheHarnesss) {
  const auto catalog = task::TaskCatalog::open({});
  ASSERT_TRUE(catalog) << describe(catalog.error());
  task::FolderDatasets datasets({kData / "datasets"});
  const OldTask old = old_mmlu("abstract_algebra");
  auto tasks = build(*catalog, old, datasets);
  ASSERT_TRUE(tasks) << describe(tasks.error());
  EXPECT_EQ(tasks->at(0).items.size(), 100U);
  EXPECT_EQ(difference(old, *tasks, kData / "testdata"), "");
  tasks->at(0).items[7].requests[2].continuation += ' ';
  EXPECT_EQ(difference(old, *tasks, kData / "testdata"), "other requests");
}

}  // namespace
}  // namespace crucible::request_hashes
