#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "merger/base/staging_folder.hpp"
#include "merger/checkpoint/checkpoint.hpp"
#include "merger/plan/executor.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_checkpoint.hpp"

// Interrupted merges: nothing visible is left, a new run gives the same bytes, and with `resume` it
// goes on where the first one stopped.
namespace crucible::plan {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDare = R"(
merge_method: dare_ties
base_model: base
models:
  - {model: a, parameters: {weight: 0.5, density: 0.3}}
  - {model: b, parameters: {weight: 0.7, density: 0.6}}
)";

// At the n-th call that writes, either fails or ends the process as kill -9 would.
class EndAt : public io::Syscalls {
 public:
  enum class Means { kError, kKill };
  EndAt(int n, Means means) : left_(n), means_(means) {}
  bool reached() const { return left_ <= 0; }
  std::ptrdiff_t pwrite(int fd, const void* data, std::size_t size, std::int64_t offset) override {
    if (!hit()) return Syscalls::pwrite(fd, data, size, offset);
    // A write cut short is the worst a kill can leave.
    Syscalls::pwrite(fd, data, size / 2, offset);
    return end();
  }
  int fsync(int fd) override { return hit() ? end() : Syscalls::fsync(fd); }
  int unlink(const char* path) override { return hit() ? end() : Syscalls::unlink(path); }
  int rename_noreplace(const char* from, const char* to) override {
    return hit() ? end() : Syscalls::rename_noreplace(from, to);
  }

 private:
  bool hit() { return --left_ == 0; }
  int end() const {
    if (means_ == Means::kKill) ::raise(SIGKILL);
    errno = ENOSPC;
    return -1;
  }
  std::atomic<int> left_;
  Means means_;
};

class Resume : public ::testing::Test {
 protected:
  void SetUp() override {
    test::TinyCheckpoint tiny;
    for (const char* name : {"base", "a", "b"}) {
      tiny.write(folder() / name);
      ++tiny.seed;
    }
    options_.threads = 1;
    options_.seed = 3;
    options_.shard_bytes = 4000;
  }
  const fs::path& folder() const { return scratch_.path(); }

  Result<MergeReport> run(io::Syscalls& calls = io::system()) const {
    const auto recipe = recipe::read_recipe(kDare);
    const auto plan = build_plan(*recipe, resolve_beneath({folder()}), options_);
    EXPECT_TRUE(plan) << describe(plan.error());
    return execute(*plan, *recipe, options_, folder() / "out", {}, {}, calls);
  }
  Digest undisturbed() const {
    const auto report = run();
    EXPECT_TRUE(report) << describe(report.error());
    fs::remove_all(folder() / "out");
    return report->content_digest;
  }
  // Runs the merge in a process of its own, which is killed at call n. False when it got through.
  bool killed(int n) const {
    const pid_t child = ::fork();
    if (child == 0) {
      EndAt fault(n, EndAt::Means::kKill);
      const bool well = run(fault).has_value();
      ::_exit(well ? 0 : 1);
    }
    int state = 0;
    ::waitpid(child, &state, 0);
    if (WIFSIGNALED(state)) return true;
    EXPECT_EQ(WEXITSTATUS(state), 0);
    return false;
  }
  std::vector<std::string> visible() const {
    std::vector<std::string> names;
    for (const auto& item : fs::directory_iterator(folder())) {
      const std::string name = item.path().filename().string();
      if (!name.starts_with('.')) names.push_back(name);
    }
    std::ranges::sort(names);
    return names;
  }

  MergeOptions options_;

 private:
  test::ScratchFolder scratch_;
};

const std::vector<std::string> kInputs{"a", "b", "base"};

TEST_F(Resume, KilledAtAnyWriteItGoesOnToTheSameBytes) {
  const Digest expected = undisturbed();
  std::uint64_t most = 0;
  int n = 1;
  for (; killed(n); n += 3) {
    if (visible() != kInputs) break;  // killed after the folder was published
    options_.resume = true;
    const auto report = run();
    ASSERT_TRUE(report) << "call " << n << ": " << describe(report.error());
    EXPECT_EQ(report->content_digest, expected) << "call " << n;
    EXPECT_EQ(
        checkpoint::content_digest(*checkpoint::Checkpoint::open(folder() / "out"), 1).value(),
        expected);
    most = std::max(most, report->resumed_tensors);
    options_.resume = false;
    fs::remove_all(folder() / "out");
  }
  EXPECT_GT(n, 40);
  EXPECT_GT(most, 25U) << "late kills leave most tensors finished";
}

TEST_F(Resume, WithoutResumeAKilledMergeStartsAfresh) {
  const Digest expected = undisturbed();
  ASSERT_TRUE(killed(30));
  EXPECT_EQ(visible(), kInputs);
  const auto report = run();
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_EQ(report->content_digest, expected);
  EXPECT_EQ(report->resumed_tensors, 0U);
  EXPECT_EQ(visible(), (std::vector<std::string>{"a", "b", "base", "out"}));
  EXPECT_FALSE(fs::exists(folder() / ".out.merging"));
}

TEST_F(Resume, AFailedMergeIsKeptOnlyWhenAsked) {
  EndAt fault(30, EndAt::Means::kError);
  ASSERT_FALSE(run(fault));
  EXPECT_FALSE(fs::exists(folder() / ".out.merging"));
  options_.resume = true;
  EndAt again(30, EndAt::Means::kError);
  ASSERT_FALSE(run(again));
  EXPECT_TRUE(fs::exists(folder() / ".out.merging"));
  const auto report = run();
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_GT(report->resumed_tensors, 0U);
}

TEST_F(Resume, AnotherSeedOrAChangedInputStartsAfresh) {
  ASSERT_TRUE(killed(60));
  options_.resume = true;
  options_.seed = 4;
  EXPECT_EQ(run()->resumed_tensors, 0U);
  fs::remove_all(folder() / "out");
  options_.resume = false;
  ASSERT_TRUE(killed(60));
  options_.resume = true;
  fs::last_write_time(folder() / "a/model.safetensors", fs::file_time_type::clock::now());
  EXPECT_EQ(run()->resumed_tensors, 0U);
}

TEST_F(Resume, BytesThatAreNotAsTheJournalSaysAreMergedAgain) {
  const Digest expected = undisturbed();
  ASSERT_TRUE(killed(60));
  const fs::path shard = folder() / ".out.merging/model-00001-of-00003.safetensors";
  fs::path first = shard;
  for (const auto& item : fs::directory_iterator(folder() / ".out.merging")) {
    if (item.path().filename().string().starts_with("model-00001")) first = item.path();
  }
  auto file = io::File::open_write(first);
  ASSERT_TRUE(file) << describe(file.error());
  const std::uint64_t size = file->size().value();
  const std::byte wrong{0x55};
  ASSERT_TRUE(file->pwrite(std::span(&wrong, 1), size - 3));
  options_.resume = true;
  const auto report = run();
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_EQ(report->content_digest, expected);
}

TEST_F(Resume, TwoProcessesCannotMakeOneFolder) {
  const auto first = io::StagingFolder::create(folder() / "out");
  ASSERT_TRUE(first);
  const auto report = run();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kConflict);
}

}  // namespace
}  // namespace crucible::plan
