#include <gtest/gtest.h>

#include "merger/base/io.hpp"
#include "server/config/options.hpp"
#include "server/store/near.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::server::config {
namespace {

const char* no_environment(const char*) { return nullptr; }

TEST(OptionsTest, AFlagBeatsTheEnvironmentBeatsTheFile) {
  crucible::test::ScratchFolder folder;
  const auto file = folder.path() / "crucible.yaml";
  ASSERT_TRUE(io::write_new_file(
      file, "port: 1\nmax-merges: 2\nmax-evaluations: 3\nsuites: [a, b]\nmemory: 2GiB\n"));
  const Environment environment = [](const char* name) -> const char* {
    const std::string_view wanted(name);
    if (wanted == "CRUCIBLE_PORT") return "10";
    return wanted == "CRUCIBLE_MAX_MERGES" ? "20" : nullptr;
  };
  auto loaded = load({{"port", {"100"}}}, file, environment);
  ASSERT_TRUE(loaded) << crucible::describe(loaded.error());
  EXPECT_EQ(loaded->options.port, 100);
  EXPECT_EQ(loaded->options.max_merges, 20U);
  EXPECT_EQ(loaded->options.max_evaluations, 3U);
  EXPECT_EQ(loaded->options.suites.size(), 2U);
  EXPECT_EQ(loaded->options.memory_bytes, 2ULL << 30);
  EXPECT_EQ(loaded->origins.at("port"), "flag");
  EXPECT_EQ(loaded->origins.at("max-merges"), "environment");
  EXPECT_EQ(loaded->origins.at("suites"), "file");
  EXPECT_EQ(loaded->origins.at("address"), "default");
  EXPECT_NE(describe(*loaded).find("port: 100  # flag"), std::string::npos);
}

TEST(OptionsTest, AllFaultsAtOnce) {
  crucible::test::ScratchFolder folder;
  const auto file = folder.path() / "crucible.yaml";
  ASSERT_TRUE(io::write_new_file(file, "prot: 1\nlog-format: xml\n"));
  auto loaded = load({{"port", {"70000"}}, {"memory", {"lots"}}}, file, no_environment);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().faults.size(), 4U) << crucible::describe(loaded.error());
}

TEST(OptionsTest, Sizes) {
  const auto loaded = load({{"memory", {"512MiB"}}, {"shard-size", {"5 GB"}}}, {}, no_environment);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->options.memory_bytes, 512ULL << 20);
  EXPECT_EQ(loaded->options.shard_bytes, 5'000'000'000ULL);
  for (const char* wrong : {"", "0", "-1", "GB", "12XB"}) {
    EXPECT_FALSE(load({{"memory", {wrong}}}, {}, no_environment)) << wrong;
  }
}

TEST(NearTest, OnlyCloseNamesAreSuggested) {
  const std::vector<std::string> names = {"words", "sums", "feelings"};
  EXPECT_EQ(nearest("wrods", names), "");  // two edits, more than a third of five
  EXPECT_EQ(nearest("word", names), "words");
  EXPECT_EQ(nearest("feelngs", names), "feelings");
  EXPECT_EQ(nearest("zebra", names), "");
  EXPECT_EQ(did_you_mean("sum", names), "; did you mean \"sums\"?");
}

}  // namespace
}  // namespace crucible::server::config
