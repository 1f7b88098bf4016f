#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "server/worker/worker_pool.hpp"
#include "tests/support/store_fixture.hpp"

namespace crucible::server::worker {
namespace {

using server::test::StoreTest;
using namespace std::chrono_literals;

// A stage whose worker is a shell script; the spec on descriptor 0 is not looked at.
class ScriptStage : public pipeline::Stage {
 public:
  ScriptStage(queue::JobQueue& queue, const pipeline::StateFolder& state)
      : queue_(queue), state_(state) {}

  Result<bool> settle(queue::Lease&) override { return false; }
  Result<nlohmann::json> prepare(const queue::Lease& lease) override {
    std::filesystem::create_directory(state_.staging(lease.id(), lease.attempt()));
    return nlohmann::json{{"kind", "script"}};
  }
  Status finish(queue::Lease& lease, const nlohmann::json& result) override {
    if (finish_error) return fail(*finish_error);
    auto status = queue_.succeed(lease, [&](store::Database&, store::JobMove& move) -> Status {
      move.message = result.dump();
      return {};
    });
    if (status) discard(lease);
    return status;
  }
  void discard(const queue::Lease& lease) override {
    std::filesystem::remove_all(state_.staging(lease.id(), lease.attempt()));
  }

  std::optional<Error> finish_error;

 private:
  queue::JobQueue& queue_;
  const pipeline::StateFolder& state_;
};

class WorkerPoolTest : public StoreTest {
 protected:
  WorkerPoolTest() : state_(*pipeline::StateFolder::open(folder_.path() / "state")) {
    policy_.first_delay = 0;
    queue_ = std::make_unique<queue::JobQueue>(*store_, clock_, random_, policy_);
    stage_ = std::make_unique<ScriptStage>(*queue_, state_);
  }
  ~WorkerPoolTest() override { pool_.reset(); }

  void start(const std::string& script) {
    PoolOptions options;
    options.executable = "/bin/sh";
    options.arguments = {"-c", script};
    options.grace = 300ms;
    pool_ = std::make_unique<WorkerPool>(
        *store_, *queue_, clock_, state_,
        Stages{{JobKind::kMerge, stage_.get()}, {JobKind::kEvaluation, stage_.get()}}, options);
    const auto status = pool_->start();
    ASSERT_TRUE(status) << status.error().message;
  }

  Job wait_for(JobId id, const std::function<bool(const Job&)>& condition) {
    for (int i = 0; i < 1000; ++i) {
      Job job = stored(id).job;
      if (condition(job)) return job;
      std::this_thread::sleep_for(10ms);
    }
    ADD_FAILURE() << "job " << id << " stays " << to_string(state_of(id));
    return {};
  }
  Job wait_final(JobId id) {
    return wait_for(id, [](const Job& job) { return is_final(job.state); });
  }
  Job wait_running(JobId id) {
    return wait_for(id, [](const Job& job) { return job.state == JobState::kRunning; });
  }
  std::string log_of(JobId id, int attempt) {
    std::ifstream file(state_.root() / "logs" /
                       (std::to_string(id) + "." + std::to_string(attempt) + ".log"));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  bool staging_is_empty() { return std::filesystem::is_empty(state_.staging()); }

  pipeline::StateFolder state_;
  std::unique_ptr<ScriptStage> stage_;
  std::unique_ptr<WorkerPool> pool_;
};

constexpr const char* kResult = R"(echo '{"type":"result","result":{"n":1}}' >&3)";

TEST_F(WorkerPoolTest, AResultIsPublishedAndProgressAndLogKept) {
  const JobId id = add_job();
  start(
      std::string("echo hello; echo '{\"type\":\"progress\",\"stage\":\"s\",\"done\":1,\"total\":2,"
                  "\"unit\":\"u\"}' >&3; ") +
      kResult);
  const Job job = wait_final(id);
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_EQ(job.progress.stage, "s");
  EXPECT_EQ(log_of(id, 1), "hello\n");
  EXPECT_TRUE(staging_is_empty());
}

TEST_F(WorkerPoolTest, TheWorkersWorldIsSmall) {
  ::setenv("CRUCIBLE_SECRET", "token", 1);
  const JobId id = add_job();
  start(std::string("env; ulimit -c; ls /proc/self/fd; ps -o sid= -p $$ >/dev/null; ") + kResult);
  EXPECT_EQ(wait_final(id).state, JobState::kSucceeded);
  const std::string log = log_of(id, 1);
  EXPECT_EQ(log.find("token"), std::string::npos);
  EXPECT_NE(log.find("PATH="), std::string::npos);
  EXPECT_NE(log.find("\n0\n"), std::string::npos);  // no core file
  EXPECT_EQ(log.find("\n5\n"), std::string::npos) << "a descriptor leaked:\n" << log;
}

TEST_F(WorkerPoolTest, AnErrorFrameDecides) {
  const JobId id = add_job();
  start(
      "echo '{\"type\":\"error\",\"code\":\"unsupported\",\"message\":\"no\",\"faults\":"
      "[{\"path\":\"p\",\"message\":\"m\",\"suggestion\":\"\"}]}' >&3; exit 1");
  const Job job = wait_final(id);
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.error->code, ErrorCode::kUnsupported);
  EXPECT_EQ(job.error->faults.front().path, "p");
}

TEST_F(WorkerPoolTest, SilenceIsRetriedUntilDead) {
  const JobId id = add_job();
  start("exit 3");
  const Job job = wait_final(id);
  EXPECT_EQ(job.state, JobState::kDead);
  EXPECT_EQ(job.attempt, policy_.max_attempts);
  EXPECT_NE(job.error->message.find("code 3"), std::string::npos);
}

TEST_F(WorkerPoolTest, ACrashTwiceIsPoison) {
  const JobId id = add_job();
  start("kill -SEGV $$");
  const Job job = wait_final(id);
  EXPECT_EQ(job.state, JobState::kDead);
  EXPECT_EQ(job.attempt, 2);
  EXPECT_NE(job.error->message.find("signal 11"), std::string::npos);
}

TEST_F(WorkerPoolTest, AResultBeforeACrashDoesNotCount) {
  const JobId id = add_job();
  start(std::string(kResult) + "; kill -KILL $$");
  EXPECT_EQ(wait_final(id).state, JobState::kDead);
}

TEST_F(WorkerPoolTest, NonsenseOnThePipeEndsTheWorker) {
  const JobId id = add_job();
  start("echo nonsense >&3; sleep 60");
  EXPECT_EQ(wait_final(id).state, JobState::kDead);
}

TEST_F(WorkerPoolTest, AWorkerDeafToSigtermIsKilledWithItsChildren) {
  const JobId id = add_job();
  const auto pid_file = folder_.path() / "child.pid";
  start("trap '' TERM; sleep 60 & echo $! > " + pid_file.string() + "; while :; do sleep 1; done");
  wait_running(id);
  pid_t child = 0;
  for (int i = 0; i < 500 && child == 0; ++i) {
    std::ifstream(pid_file) >> child;
    std::this_thread::sleep_for(10ms);
  }
  ASSERT_GT(child, 0);
  ASSERT_TRUE(queue_->request_cancel(id));
  pool_->wake();
  EXPECT_EQ(wait_final(id).state, JobState::kCancelled);
  EXPECT_TRUE(staging_is_empty());
  for (int i = 0; i < 200 && identify(child); ++i) std::this_thread::sleep_for(10ms);
  std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
  std::string text;
  std::getline(stat, text);
  EXPECT_TRUE(text.empty() || text.find(") Z ") != std::string::npos) << text;
}

TEST_F(WorkerPoolTest, AStopGivesJobsBackAtNoCost) {
  const JobId id = add_job();
  const JobId waiting = add_job();
  start("sleep 60");
  wait_running(id);
  pool_->stop();
  EXPECT_EQ(state_of(id), JobState::kQueued);
  EXPECT_EQ(stored(id).failures, 0);
  EXPECT_EQ(state_of(waiting), JobState::kQueued);
  EXPECT_FALSE(pool_->accepting());
  EXPECT_TRUE(staging_is_empty());
}

TEST_F(WorkerPoolTest, AFailedPublicationIsTriedAgain) {
  stage_->finish_error = Error{ErrorCode::kNoSpace, "disk full", {}};
  const JobId id = add_job();
  start(kResult);
  const Job job = wait_for(id, [](const Job& now) { return now.state == JobState::kRetryWait; });
  EXPECT_EQ(job.error->code, ErrorCode::kNoSpace);
}

TEST_F(WorkerPoolTest, ALostLifeIsRecovered) {
  const JobId in_work = add_job();
  const JobId published = add_job();
  const JobId unwanted = add_job();
  // The previous life: one job with a live process, one whose result waited to be recorded, one
  // that somebody had asked to cancel.
  const pid_t orphan = ::fork();
  if (orphan == 0) {
    ::setsid();
    ::pause();
    ::_exit(0);
  }
  std::this_thread::sleep_for(50ms);
  auto first = claimed();
  ASSERT_TRUE(queue_->start(first, *identify(orphan)));
  auto second = running();
  ASSERT_TRUE(queue_->publish(second, R"({"n": 2})"));
  auto third = running();
  ASSERT_TRUE(queue_->request_cancel(unwanted));
  std::filesystem::create_directory(state_.staging(in_work, 1));
  ::signal(SIGCHLD, SIG_DFL);
  auto report = recover(*store_, *queue_, state_,
                        {{JobKind::kMerge, stage_.get()}, {JobKind::kEvaluation, stage_.get()}});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->orphans_killed, 1U);
  EXPECT_EQ(report->finished, 1U);
  EXPECT_EQ(report->requeued, 1U);
  EXPECT_EQ(report->cancelled, 1U);
  EXPECT_EQ(state_of(in_work), JobState::kQueued);
  EXPECT_EQ(state_of(published), JobState::kSucceeded);
  EXPECT_EQ(state_of(unwanted), JobState::kCancelled);
  EXPECT_TRUE(staging_is_empty());
  int status = 0;
  ASSERT_EQ(::waitpid(orphan, &status, 0), orphan);
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_F(WorkerPoolTest, ADamagedResultIsMadeAgain) {
  const JobId id = add_job();
  auto lease = running();
  ASSERT_TRUE(queue_->publish(lease, R"({"n": 2)"));
  auto report = recover(*store_, *queue_, state_,
                        {{JobKind::kMerge, stage_.get()}, {JobKind::kEvaluation, stage_.get()}});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->finished, 0U);
  EXPECT_EQ(report->requeued, 1U);
  EXPECT_EQ(state_of(id), JobState::kQueued);
}

TEST(ProcessTest, AnotherProcessUnderTheSamePidIsLeftAlone) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  auto identity = *identify(child);
  for (auto wrong : {ProcessIdentity{child, "another boot", identity.start_ticks},
                     ProcessIdentity{child, identity.boot_id, identity.start_ticks + 1}}) {
    EXPECT_FALSE(kill_if_same(wrong));
  }
  EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), 0);
  EXPECT_TRUE(kill_if_same(identity));
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
}

}  // namespace
}  // namespace crucible::server::worker
