#include "merger/base/io.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>

#include "tests/support/scratch_folder.hpp"

namespace crucible::io {
namespace {

namespace fs = std::filesystem;

// Writes and reads one byte at a time and is interrupted before each.
class Stutter : public Syscalls {
 public:
  std::ptrdiff_t pread(int fd, void* data, std::size_t size, std::int64_t offset) override {
    if (interrupt()) return -1;
    return Syscalls::pread(fd, data, size == 0 ? 0 : 1, offset);
  }
  std::ptrdiff_t pwrite(int fd, const void* data, std::size_t size, std::int64_t offset) override {
    if (interrupt()) return -1;
    return Syscalls::pwrite(fd, data, size == 0 ? 0 : 1, offset);
  }

 private:
  bool interrupt() {
    odd_ = !odd_;
    if (odd_) errno = EINTR;
    return odd_;
  }
  bool odd_ = false;
};

class FailingSync : public Syscalls {
 public:
  int fsync(int) override {
    errno = EIO;
    return -1;
  }
};

// Every call is interrupted once before it goes through.
class Interrupted : public Syscalls {
 public:
  int open(const char* path, int flags, unsigned mode) override {
    return interrupts() ? -1 : Syscalls::open(path, flags, mode);
  }
  int fsync(int fd) override { return interrupts() ? -1 : Syscalls::fsync(fd); }
  int ftruncate(int fd, std::int64_t size) override {
    return interrupts() ? -1 : Syscalls::ftruncate(fd, size);
  }

 private:
  bool interrupts() {
    now_ = !now_;
    if (now_) errno = EINTR;
    return now_;
  }
  bool now_ = false;
};

TEST(Io, GoesOnAfterAnInterruptedCall) {
  const test::ScratchFolder folder;
  Interrupted calls;
  auto file = File::create(folder.path() / "a", calls);
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->truncate(3));
  EXPECT_TRUE(file->sync());
  EXPECT_TRUE(File::open_read(folder.path() / "a", calls));
  EXPECT_TRUE(sync_folder(folder.path(), calls));
}

class FullDisk : public Syscalls {
 public:
  std::ptrdiff_t pwrite(int, const void*, std::size_t, std::int64_t) override { return 0; }
};

TEST(Io, AWriteOfNothingEndsTheTrying) {
  const test::ScratchFolder folder;
  FullDisk calls;
  EXPECT_EQ(write_new_file(folder.path() / "a", "1", calls).error().code, ErrorCode::kIo);
}

// The n-th sync fails.
class FailingNthSync : public Syscalls {
 public:
  explicit FailingNthSync(int n) : left_(n) {}
  int fsync(int fd) override {
    if (--left_ != 0) return Syscalls::fsync(fd);
    errno = EIO;
    return -1;
  }

 private:
  int left_;
};

TEST(Io, APublicationThatIsNotDurableIsUndone) {
  for (int n = 1; n <= 3; ++n) {
    const test::ScratchFolder folder;
    const auto from = folder.path() / "staging" / "model";
    fs::create_directories(from);
    FailingNthSync calls(n);
    EXPECT_EQ(publish_folder(from, folder.path() / "model", calls).error().code, ErrorCode::kIo);
    EXPECT_TRUE(fs::exists(from)) << n;
    EXPECT_FALSE(fs::exists(folder.path() / "model")) << n;
  }
}

TEST(Io, SurvivesInterruptionAndShortTransfers) {
  const test::ScratchFolder folder;
  Stutter calls;
  ASSERT_TRUE(write_new_file(folder.path() / "a", "hello world", calls));
  EXPECT_EQ(read_text(folder.path() / "a", 100, calls).value(), "hello world");
}

TEST(Io, RefusesLargeFilesAndOtherThanRegularOnes) {
  const test::ScratchFolder folder;
  folder.write("big", std::string(101, 'x'));
  EXPECT_EQ(read_text(folder.path() / "big", 100).error().code, ErrorCode::kInvalidArgument);
  ASSERT_EQ(::mkfifo((folder.path() / "fifo").c_str(), 0600), 0);
  EXPECT_FALSE(File::open_read(folder.path() / "fifo"));
  EXPECT_FALSE(File::open_read(folder.path()));
  EXPECT_EQ(File::open_read(folder.path() / "none").error().code, ErrorCode::kNotFound);
}

TEST(Io, ShortFileIsCorrupt) {
  const test::ScratchFolder folder;
  const auto file = File::open_read(folder.write("a", "abc"));
  std::vector<std::byte> data(4);
  EXPECT_EQ(file->pread(data, 0).error().code, ErrorCode::kCorrupt);
}

TEST(Io, NewFilesNeverReplace) {
  const test::ScratchFolder folder;
  ASSERT_TRUE(write_new_file(folder.path() / "a", "1"));
  EXPECT_EQ(write_new_file(folder.path() / "a", "2").error().code, ErrorCode::kConflict);
  ASSERT_TRUE(replace_file(folder.path() / "a", "3"));
  EXPECT_EQ(folder.read("a"), "3");
}

TEST(Io, FailedSyncIsReported) {
  const test::ScratchFolder folder;
  FailingSync calls;
  EXPECT_EQ(write_new_file(folder.path() / "a", "1", calls).error().code, ErrorCode::kIo);
}

TEST(Io, PublishNeverReplaces) {
  const test::ScratchFolder folder;
  ASSERT_TRUE(make_folder(folder.path() / "staging"));
  ASSERT_TRUE(make_folder(folder.path() / "model"));
  EXPECT_EQ(publish_folder(folder.path() / "staging", folder.path() / "model").error().code,
            ErrorCode::kConflict);
  EXPECT_TRUE(fs::exists(folder.path() / "staging"));
  ASSERT_TRUE(publish_folder(folder.path() / "staging", folder.path() / "other"));
  EXPECT_FALSE(fs::exists(folder.path() / "staging"));
}

TEST(Io, FreeBytesLooksAtTheNearestExistingParent) {
  const test::ScratchFolder folder;
  EXPECT_GT(free_bytes(folder.path() / "not" / "there").value(), 0U);
}

}  // namespace
}  // namespace crucible::io
