#include "merger/base/read_roots.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <thread>

#include "merger/base/io.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::io {
namespace {

namespace fs = std::filesystem;

class ReadRootsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* folder : {"root/model", "root/blobs", "own", "outside"}) {
      fs::create_directories(scratch_.path() / folder);
    }
    root_ = scratch_.path() / "root";
    write(root_ / "model/plain", "inside");
    write(root_ / "blobs/one", "inside");
    write(scratch_.path() / "outside/secret", "secret");
    ASSERT_TRUE(add_read_root(root_));
  }
  static void write(const fs::path& path, const char* text) { std::ofstream(path) << text; }
  static std::string read(const fs::path& path) {
    auto text = read_text(path, 100);
    return text ? *text : "error: " + std::string(describe(text.error()));
  }
  static ErrorCode refused(const fs::path& path) {
    const auto text = read_text(path, 100);
    EXPECT_FALSE(text) << path << " held " << *text;
    return text ? ErrorCode::kInternal : text.error().code;
  }

  test::ScratchFolder scratch_;
  fs::path root_;
};

TEST_F(ReadRootsTest, WhatLiesInsideIsRead) {
  EXPECT_EQ(read(root_ / "model/plain"), "inside");
  EXPECT_EQ(read(root_ / "model/../model/plain"), "inside");
  fs::create_symlink("../blobs/one", root_ / "model/link");
  EXPECT_EQ(read(root_ / "model/link"), "inside") << "as in the Hugging Face cache";
  EXPECT_EQ(read(scratch_.path() / "outside/secret"), "secret") << "nobody's root";
}

TEST_F(ReadRootsTest, WhatLeadsOutIsRefused) {
  fs::create_symlink("../../outside/secret", root_ / "model/relative");
  fs::create_symlink(scratch_.path() / "outside/secret", root_ / "model/absolute");
  fs::create_symlink(root_ / "blobs/one", root_ / "model/absolute_inside");
  fs::create_directory_symlink("../outside", root_ / "folder");
  fs::create_symlink("/proc/self/environ", root_ / "model/magic");
  for (const fs::path name :
       {"model/relative", "model/absolute", "model/absolute_inside", "folder/secret", "model/magic",
        "../outside/secret", "model/../../outside/secret"}) {
    EXPECT_EQ(refused(root_ / name), ErrorCode::kPermission) << name;
  }
}

TEST_F(ReadRootsTest, OnlyRegularFilesAreRead) {
  ASSERT_EQ(::mkfifo((root_ / "model/fifo").c_str(), 0600), 0);
  EXPECT_EQ(refused(root_ / "model/fifo"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused(root_ / "model"), ErrorCode::kInvalidArgument);
}

TEST_F(ReadRootsTest, TrustedFoldersBelowARootAreOpenedPlainly) {
  fs::create_directory(root_ / "cache");
  fs::create_symlink(scratch_.path() / "outside/secret", root_ / "cache/link");
  EXPECT_EQ(refused(root_ / "cache/link"), ErrorCode::kPermission);
  add_trusted_folder(root_ / "cache");
  EXPECT_EQ(read(root_ / "cache/link"), "secret");
  add_trusted_folder(root_);
  fs::create_symlink(scratch_.path() / "outside/secret", root_ / "model/link");
  EXPECT_EQ(refused(root_ / "model/link"), ErrorCode::kPermission) << "a root stays one";
  EXPECT_EQ(read(scratch_.path() / "root2/x").substr(0, 5), "error") << "root2 is not below root";
}

TEST_F(ReadRootsTest, ARaceIsNeverWon) {
  fs::create_symlink("plain", root_ / "model/good");
  fs::create_symlink("../../outside/secret", root_ / "model/bad");
  std::atomic<bool> done{false};
  std::thread swapper([&] {
    const auto good = root_ / "model/good";
    const auto bad = root_ / "model/bad";
    while (!done) {
      ::renameat2(AT_FDCWD, good.c_str(), AT_FDCWD, bad.c_str(), RENAME_EXCHANGE);
    }
  });
  int inside = 0;
  int denied = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto text = read_text(root_ / "model/good", 100);
    if (text) {
      ASSERT_EQ(*text, "inside");
      ++inside;
    } else {
      ++denied;
    }
  }
  done = true;
  swapper.join();
  EXPECT_GT(inside, 0);
  EXPECT_GT(denied, 0);
}

}  // namespace
}  // namespace crucible::io
