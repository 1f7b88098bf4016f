#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "server/api/routes.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/exit_codes.hpp"
#include "server/http/http_server.hpp"
#include "tests/support/fake_service.hpp"

namespace crucible::server::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The real commands against the real HTTP edge, with a fake service behind it.
class CliCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    http::ServerOptions options;
    options.port = 0;
    options.stream_poll = std::chrono::milliseconds(10);
    http::Router router;
    api::register_routes(router, service_);
    server_ = std::make_unique<http::HttpServer>(options, std::move(router));
    const auto port = server_->start();
    ASSERT_TRUE(port.has_value());
    url_ = "http://127.0.0.1:" + std::to_string(*port);
    for (const JobId id : {1, 2}) {
      Job job;
      job.id = id;
      job.kind = id == 1 ? JobKind::kMerge : JobKind::kEvaluation;
      job.name = "half";
      job.state = JobState::kRunning;
      if (id == 1) job.children = {2};
      service_.stored_jobs.push_back(job);
    }
    recipe_ = std::filesystem::temp_directory_path() /
              ("cli_test_" + std::to_string(::getpid()) + ".yaml");
    std::ofstream(recipe_) << "merge_method: linear\n";
  }
  void TearDown() override { std::filesystem::remove(recipe_); }

  struct Outcome {
    int code = -1;
    std::string out;
  };
  Outcome run(std::vector<std::string> words, bool with_server = true) {
    CLI::App app;
    Action action;
    add_commands(app, action);
    if (with_server) words.insert(words.end(), {"--server", url_});
    std::reverse(words.begin(), words.end());
    testing::internal::CaptureStdout();
    Outcome outcome;
    try {
      app.parse(words);
      outcome.code = action ? action() : kUsage;
    } catch (const CLI::ParseError& error) {
      outcome.code = error.get_exit_code() == 0 ? kSuccess : kUsage;
    }
    outcome.out = testing::internal::GetCapturedStdout();
    return outcome;
  }

  FakeService service_;
  std::unique_ptr<http::HttpServer> server_;
  std::string url_;
  std::filesystem::path recipe_;
};

TEST_F(CliCommandTest, SubmitSendsTheRecipe) {
  const Outcome outcome = run({"submit", recipe_.string(), "-s", "a,b", "--suite", "c", "--name",
                               "n", "--seed", "7", "--idempotency-key", "k"});
  EXPECT_EQ(outcome.code, kSuccess);
  EXPECT_THAT(outcome.out, HasSubstr("crucible watch 1"));
  EXPECT_EQ(service_.last_merge.recipe, "merge_method: linear\n");
  EXPECT_THAT(service_.last_merge.suites, ElementsAre("a", "b", "c"));
  EXPECT_EQ(service_.last_merge.name, "n");
  EXPECT_EQ(service_.last_merge.seed, 7U);
  EXPECT_EQ(service_.last_merge.idempotency_key, "k");
  EXPECT_THAT(run({"submit", recipe_.string(), "--check"}).out, HasSubstr("the recipe can run"));
}

TEST_F(CliCommandTest, JsonIsTheRawAnswer) {
  EXPECT_THAT(run({"job", "1", "--json"}).out, HasSubstr("\"state\": \"running\""));
  EXPECT_THAT(run({"jobs"}).out, HasSubstr("ID  KIND"));
}

TEST_F(CliCommandTest, WatchFollowsChildrenAndTellsFailure) {
  JobEvent event;
  event.id = 1;
  event.job_id = 1;
  event.type = "progress";
  event.progress = {"merge", 1, 2, "bytes"};
  service_.add_event(event);
  std::thread worker([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    service_.set_job_state(1, JobState::kSucceeded);
    JobEvent next;
    next.id = 2;
    next.job_id = 1;
    next.type = "state";
    service_.add_event(next);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    service_.set_job_state(2, JobState::kFailed);
    next.id = 3;
    next.job_id = 2;
    service_.add_event(next);
  });
  const Outcome outcome = run({"watch", "1"});
  worker.join();
  EXPECT_EQ(outcome.code, kJobFailed);
  EXPECT_THAT(outcome.out, HasSubstr("succeeded"));
  EXPECT_THAT(outcome.out, HasSubstr("failed"));
}

TEST_F(CliCommandTest, ErrorsHaveTheirExitCodes) {
  EXPECT_EQ(run({"job", "99"}).code, kMissing);
  EXPECT_EQ(run({"job", "0"}).code, kUsage);
  EXPECT_EQ(run({"submit"}).code, kUsage);
  EXPECT_EQ(run({"submit", "/no/such/file.yaml"}).code, kMissing);
  EXPECT_EQ(run({"jobs", "--state", "sleeping"}).code, kInvalidInput);
  EXPECT_EQ(run({"sweep", "submit", recipe_.string(), "-p", "t", "-s", "a", "--from", "0"}).code,
            kUsage);
  service_.failure = Error{ErrorCode::kNoSpace, "full", {}};
  EXPECT_EQ(run({"submit", recipe_.string()}).code, kNoSpaceOrIo);
  server_->stop();
  EXPECT_EQ(run({"jobs"}).code, kServiceUnavailable);
  EXPECT_EQ(run({"jobs", "--server", "ftp://x"}, false).code, kInvalidInput);
}

TEST_F(CliCommandTest, SweepByValuesAndByRange) {
  Sweep sweep;
  sweep.id = 1;
  service_.stored_sweeps = {sweep};
  EXPECT_EQ(run({"sweep", "submit", recipe_.string(), "-p", "parameters.t", "--values", "0,0.5,-1",
                 "-s", "a"})
                .code,
            kSuccess);
  EXPECT_THAT(service_.last_sweep.values, ElementsAre(0.0, 0.5, -1.0));
  EXPECT_EQ(run({"sweep", "submit", recipe_.string(), "-p", "T", "--from", "0", "--to", "1",
                 "--points", "3", "-s", "a"})
                .code,
            kSuccess);
  EXPECT_THAT(service_.last_sweep.values, ElementsAre(0.0, 0.5, 1.0));
  EXPECT_EQ(service_.last_sweep.parameter, "T");
}

TEST_F(CliCommandTest, LocalCommandsReportFaults) {
  EXPECT_EQ(run({"check", recipe_.string()}, false).code, kInvalidInput);
  EXPECT_EQ(run({"merge", recipe_.string(), "/tmp/never", "--memory", "much"}, false).code,
            kInvalidInput);
  EXPECT_EQ(run({"merge", "/no/such/recipe.yaml", "/tmp/never"}, false).code, kMissing);
  EXPECT_EQ(run({"eval", "/no/model", "--suite", "/no/suite.yaml"}, false).code, kMissing);
}

}  // namespace
}  // namespace crucible::server::cli
