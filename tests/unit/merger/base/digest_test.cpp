#include "merger/base/digest.hpp"

#include <gtest/gtest.h>

#include "merger/base/error.hpp"

namespace crucible {
namespace {

TEST(Digest, MatchesThePublishedVectors) {
  EXPECT_EQ(sha256("").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, FieldsCannotRunIntoEachOther) {
  EXPECT_NE(Sha256().field("ab").field("c").finish(), Sha256().field("a").field("bc").finish());
  EXPECT_EQ(Sha256().update("ab").update("c").finish(), sha256("abc"));
}

TEST(Digest, FinishMakesTheObjectFresh) {
  Sha256 hash;
  hash.update("x").finish();
  EXPECT_EQ(hash.update("abc").finish(), sha256("abc"));
}

TEST(Error, NamesGoBothWays) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_EQ(error_code_from(to_string(code)), code);
  }
  EXPECT_EQ(error_code_from("nonsense"), ErrorCode::kInternal);
}

TEST(Error, DescriptionShowsEveryFault) {
  const Error error{
      ErrorCode::kInvalidArgument, "bad", {{"models[0]", "one", "fix"}, {"", "two", ""}}};
  EXPECT_EQ(describe(error), "bad\n  models[0]: one (fix)\n  two");
}

}  // namespace
}  // namespace crucible
