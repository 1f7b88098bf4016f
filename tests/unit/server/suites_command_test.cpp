#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/exit_codes.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::server::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class SuitesCommandTest : public testing::Test {
 protected:
  struct Outcome {
    int code = -1;
    std::string out, err;
  };
  static Outcome run(std::vector<std::string> words) {
    CLI::App app;
    Action action;
    add_commands(app, action);
    std::ranges::reverse(words);  // as CLI11 takes them
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Outcome outcome;
    try {
      app.parse(words);
      outcome.code = action ? action() : kUsage;
    } catch (const CLI::ParseError& error) {
      outcome.code = error.get_exit_code() == 0 ? kSuccess : kUsage;
    }
    outcome.out = testing::internal::GetCapturedStdout();
    outcome.err = testing::internal::GetCapturedStderr();
    return outcome;
  }
  test::ScratchFolder upstream_, root_;
};

TEST_F(SuitesCommandTest, ListTellsWhatIsReadyAndWhatIsMissing) {
  const Outcome outcome =
      run({"suites", "list", "--datasets", root_.path(), "--suite-folder", root_.path(), "--json"});
  ASSERT_EQ(outcome.code, kSuccess);
  const json list = json::parse(outcome.out);
  std::map<std::string, json> items;
  for (const json& item : list.at("items")) items[item.at("name").get<std::string>()] = item;
  ASSERT_TRUE(items.contains("crucible-basics") && items.contains("mt-bench")) << outcome.out;
  EXPECT_TRUE(items["crucible-basics"].at("missing").empty());
  EXPECT_EQ(items["open-llm-leaderboard-v2"].at("missing").size(), 6U);
  EXPECT_EQ(items["mt-bench"].at("missing"), json::array({"mt_bench"}));
}

TEST_F(SuitesCommandTest, ShowNamesTasksOrMissingData) {
  const Outcome shown = run({"suites", "show", "crucible-basics", "--datasets", root_.path()});
  EXPECT_EQ(shown.code, kSuccess);
  EXPECT_THAT(shown.out, HasSubstr("basics_logic"));
  EXPECT_THAT(shown.out, HasSubstr("Common sense"));
  const Outcome missing = run({"suites", "show", "nous", "--datasets", root_.path()});
  EXPECT_EQ(missing.code, kMissing);
  EXPECT_THAT(missing.err, HasSubstr("crucible suites import hellaswag PATH"));
  EXPECT_THAT(missing.err, HasSubstr("crucible suites import bigbench_nous PATH"));
  EXPECT_EQ(run({"suites", "show", "nuos", "--datasets", root_.path()}).code, kMissing);
}

TEST_F(SuitesCommandTest, ImportInstallsAndSaysWhatIsLeftOut) {
  upstream_.write("test.jsonl", R"({"question": "q", "answer": "#### 1"})");
  const std::string from = upstream_.path(), to = root_.path();
  const Outcome refused = run({"suites", "import", "gsm8k", from, "--datasets", to});
  EXPECT_NE(refused.code, kSuccess);
  EXPECT_THAT(refused.err, HasSubstr("1319"));
  const Outcome done = run({"suites", "import", "gsm8k", from, "--datasets", to, "--other-counts"});
  EXPECT_EQ(done.code, kSuccess) << done.err;
  EXPECT_THAT(done.out, HasSubstr("licence: MIT"));
  EXPECT_THAT(done.out, HasSubstr("not in these files: openai/gsm8k (main) train"));
  EXPECT_TRUE(std::filesystem::exists(root_.path() / "openai/gsm8k/main/test.jsonl"));
  EXPECT_EQ(run({"suites", "import", "unheard-of", from, "--datasets", to}).code, kMissing);
}

TEST_F(SuitesCommandTest, GenerateIsAFunctionOfItsSeed) {
  const Outcome first = run({"suites", "generate", "logic", "--count", "5", "--seed", "3"});
  EXPECT_EQ(first.code, kSuccess);
  EXPECT_EQ(std::ranges::count(first.out, '\n'), 5);
  EXPECT_EQ(first.out, run({"suites", "generate", "logic", "--count", "5", "--seed", "3"}).out);
  EXPECT_NE(first.out, run({"suites", "generate", "logic", "--count", "5", "--seed", "4"}).out);
  EXPECT_NE(run({"suites", "generate", "poetry"}).code, kSuccess);
}

TEST_F(SuitesCommandTest, WithoutASubcommandTheDaemonIsAsked) {
  EXPECT_EQ(run({"suites", "--server", "http://127.0.0.1:1"}).code, kServiceUnavailable);
}

}  // namespace
}  // namespace crucible::server::cli
