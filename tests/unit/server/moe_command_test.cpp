#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <fstream>

#include "server/cli/commands.hpp"
#include "server/cli/exit_codes.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_checkpoint.hpp"

namespace crucible::server::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

class MoeCommand : public testing::Test {
 protected:
  void SetUp() override {
    test::TinyCheckpoint tiny;
    for (const char* name : {"base", "a", "b"}) {
      tiny.write(folder_.path() / name);
      ++tiny.seed;
    }
    folder_.write("recipe.yml",
                  "base_model: base\ngate_mode: random\nexperts_per_token: 1\n"
                  "experts: [{source_model: a}, {source_model: b}]\n");
  }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  struct Outcome {
    int code = -1;
    std::string out;
    std::string err;
  };
  static Outcome run(std::vector<std::string> words) {
    CLI::App app;
    Action action;
    add_commands(app, action);
    words.insert(words.begin(), "moe");
    std::reverse(words.begin(), words.end());
    app.parse(std::move(words));
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Outcome outcome;
    outcome.code = action();
    outcome.out = testing::internal::GetCapturedStdout();
    outcome.err = testing::internal::GetCapturedStderr();
    return outcome;
  }
  test::ScratchFolder folder_;
};

TEST_F(MoeCommand, ChecksWithoutWriting) {
  const Outcome outcome = run({path("recipe.yml"), "--check", "--json"});
  ASSERT_EQ(outcome.code, kSuccess) << outcome.err;
  const json found = json::parse(outcome.out);
  EXPECT_EQ(found["layout"], "mixtral");
  EXPECT_EQ(found["experts"], 2);
  EXPECT_EQ(found["state_bytes"], 0);
  EXPECT_EQ(found["layouts"][3]["possible"], false);
  EXPECT_LT(found["active_parameters"], found["parameters"]);
  EXPECT_THAT(run({path("recipe.yml"), "--check"}).out,
              HasSubstr("qwen3_moe: not possible, its experts are qwen3 models, not llama"));
}

TEST_F(MoeCommand, Builds) {
  const Outcome outcome = run({path("recipe.yml"), path("out"), "--json", "--layout", "deepseek"});
  ASSERT_EQ(outcome.code, kSuccess) << outcome.err;
  EXPECT_EQ(json::parse(outcome.out)["path"], path("out"));
  EXPECT_EQ(json::parse(std::ifstream(path("out/config.json")))["model_type"], "deepseek");
}

TEST_F(MoeCommand, FaultsGiveTheirExitCode) {
  EXPECT_EQ(run({path("recipe.yml")}).code, kInvalidInput);  // no OUT
  folder_.write("bad.yml", "base_model: base\nexperts: [{source_model: a}]\ngate_mod: random\n");
  const Outcome outcome = run({path("bad.yml"), path("out")});
  EXPECT_EQ(outcome.code, kInvalidInput);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean `gate_mode`?"));
  EXPECT_FALSE(fs::exists(path("out")));
}

}  // namespace
}  // namespace crucible::server::cli
