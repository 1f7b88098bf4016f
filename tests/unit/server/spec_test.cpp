// What a worker writes to the daemon. It is confined, so its words are those of a stranger.
#include "server/pipeline/spec.hpp"

#include <gtest/gtest.h>

#include <string>

namespace crucible::server::pipeline {
namespace {

TEST(WorkerFrame, ProgressIsReadBack) {
  const auto frame = frame_from(progress_line({"merge", 3, 18446744073709551615U, "bytes"}));
  ASSERT_TRUE(frame) << describe(frame.error());
  EXPECT_EQ(frame->type, Frame::Type::kProgress);
  EXPECT_EQ(frame->progress.stage, "merge");
  EXPECT_EQ(frame->progress.done, 3U);
  EXPECT_EQ(frame->progress.total, 18446744073709551615U);
}

TEST(WorkerFrame, NumbersAreWholeAndInRange) {
  for (const char* done : {"-1", "1.5", "1e300", "true", "null", "\"1\"", "[1]"}) {
    const auto frame = frame_from(R"({"type":"progress","stage":"s","unit":"u","total":1,"done":)" +
                                  std::string(done) + "}");
    ASSERT_FALSE(frame) << done;
    EXPECT_EQ(frame.error().code, ErrorCode::kCorrupt);
  }
}

// A copy of such a value would overflow the daemon's stack.
TEST(WorkerFrame, DeepNestingIsRefused) {
  const std::size_t depth = 1U << 20;
  const auto frame = frame_from(R"({"type":"result","result":)" + std::string(depth, '[') +
                                std::string(depth, ']') + "}");
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().code, ErrorCode::kCorrupt);
}

TEST(MergeResult, NumbersAreWholeAndInRange) {
  nlohmann::json result = to_json(MergeResult{"d", "A", "bf16", 1, 2, 0.5, {"w"}});
  ASSERT_TRUE(merge_result_from(result));
  for (const nlohmann::json& wrong : {nlohmann::json(1e300), nlohmann::json(-1)}) {
    result["parameters"] = wrong;
    EXPECT_FALSE(merge_result_from(result)) << wrong;
  }
}

}  // namespace
}  // namespace crucible::server::pipeline
