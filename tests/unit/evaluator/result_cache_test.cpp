#include "evaluator/run/result_cache.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include "evaluator/run/answers.hpp"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.hpp"

namespace crucible::run {
namespace {

namespace fs = std::filesystem;

const Digest kModel = sha256(std::string_view("model"));

Digest key(int number) { return sha256(std::string_view(std::to_string(number))); }

class Cache : public testing::Test {
 protected:
  ResultCache open(std::uint64_t limit = ResultCache::kLimitBytes, const Digest& model = kModel) {
    auto cache = ResultCache::open(folder_.path() / "cache", model, limit);
    EXPECT_TRUE(cache) << describe(cache.error());
    return std::move(*cache);
  }
  fs::path file(int number = 0, const Digest& model = kModel) const {
    return folder_.path() / "cache" / (model.hex() + "-" + std::to_string(number) + ".answers");
  }
  test::ScratchFolder folder_;
};

TEST_F(Cache, GivesBackWhatWasAdded) {
  {
    auto cache = open();
    EXPECT_FALSE(cache.find(key(1)));
    ASSERT_TRUE(cache.add(key(1), "one"));
    ASSERT_TRUE(cache.add(key(2), std::string("t\0wo", 4)));
    EXPECT_EQ(cache.find(key(1)), "one");
  }
  auto again = open();
  EXPECT_EQ(again.find(key(1)), "one");
  EXPECT_EQ(again.find(key(2)), std::string("t\0wo", 4));
  EXPECT_FALSE(again.find(key(3)));
}

TEST_F(Cache, TornTailsAreCutAtEveryByte) {
  std::uintmax_t whole = 0;
  std::uintmax_t first = 0;
  {
    auto cache = open();
    ASSERT_TRUE(cache.add(key(1), "the first answer"));
    first = fs::file_size(file());
    ASSERT_TRUE(cache.add(key(2), "the second answer"));
    whole = fs::file_size(file());
  }
  std::ifstream in(file(), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  for (std::uintmax_t size = first; size < whole; ++size) {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << bytes.substr(0, size);
    {
      auto cache = open();
      EXPECT_EQ(cache.find(key(1)), "the first answer");
      EXPECT_FALSE(cache.find(key(2))) << size;
      ASSERT_TRUE(cache.add(key(3), "after"));
    }
    auto again = open();
    EXPECT_EQ(again.find(key(1)), "the first answer");
    EXPECT_EQ(again.find(key(3)), "after");
  }
}

TEST_F(Cache, DamagedFramesAreNotUsed) {
  {
    auto cache = open();
    ASSERT_TRUE(cache.add(key(1), "the first answer"));
    ASSERT_TRUE(cache.add(key(2), "the second answer"));
  }
  {
    std::fstream out(file(), std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(16 + 56 + 4);  // inside the first payload
    out.put('X');
  }
  auto cache = open();
  EXPECT_FALSE(cache.find(key(1)));
  EXPECT_EQ(cache.find(key(2)), "the second answer");
  ASSERT_TRUE(cache.add(key(1), "again"));
  EXPECT_EQ(cache.find(key(1)), "again");
}

TEST_F(Cache, AnythingElseInItsPlaceIsReplaced) {
  fs::create_directories(folder_.path() / "cache");
  std::ofstream(file()) << "not what we write";
  auto cache = open();
  ASSERT_TRUE(cache.add(key(1), "one"));
  EXPECT_EQ(cache.find(key(1)), "one");
}

TEST_F(Cache, TwoWritersHaveAFileEach) {
  auto first = open();
  ASSERT_TRUE(first.add(key(1), "one"));
  {
    auto second = open();
    EXPECT_EQ(second.find(key(1)), "one");
    ASSERT_TRUE(second.add(key(2), "two"));
    EXPECT_TRUE(fs::exists(file(1)));
  }
  auto third = open();
  EXPECT_EQ(third.find(key(2)), "two");
}

TEST_F(Cache, OldFilesGoWhenTheFolderIsFull) {
  const Digest other = sha256(std::string_view("other"));
  {
    auto cache = open(10'000, other);
    ASSERT_TRUE(cache.add(key(1), std::string(4000, 'x')));
  }
  auto cache = open(10'000);
  ASSERT_TRUE(cache.add(key(1), std::string(4000, 'a')));
  EXPECT_TRUE(fs::exists(file(0, other)));
  ASSERT_TRUE(cache.add(key(2), std::string(4000, 'b')));
  EXPECT_FALSE(fs::exists(file(0, other)));
  EXPECT_TRUE(cache.find(key(1)));
  ASSERT_TRUE(cache.add(key(3), std::string(4000, 'c')));  // its own file starts anew
  EXPECT_FALSE(cache.find(key(1)));
  EXPECT_EQ(cache.find(key(3)), std::string(4000, 'c'));
  EXPECT_LE(fs::file_size(file()), 10'000U);
}

TEST_F(Cache, FilesInUseStay) {
  const Digest other = sha256(std::string_view("other"));
  auto busy = open(10'000, other);
  ASSERT_TRUE(busy.add(key(1), std::string(9000, 'x')));
  auto cache = open(10'000);
  ASSERT_TRUE(cache.add(key(1), std::string(4000, 'a')));
  EXPECT_TRUE(busy.find(key(1)));
  EXPECT_TRUE(fs::exists(file(0, other)));
}

TEST_F(Cache, AFolderThatCannotBeMadeIsAnError) {
  std::ofstream(folder_.path() / "cache") << "a file";
  EXPECT_FALSE(ResultCache::open(folder_.path() / "cache", kModel));
}

TEST(Answers, SurviveTheCacheExactly) {
  SegmentAnswers answers;
  answers.items.resize(3);
  answers.items[0].loglikelihoods = {{-1.0 / 3, true, 7, false, true},
                                     {-1e-300, false, 1, true, false}};
  answers.items[1].rolling = {{-12.5, 9, 2}};
  answers.items[2].generations = {{"text\n", engine::StopReason::kLength, 5, 6, true, {7, 8}}};
  answers.account = {10, 4, 6};
  const std::string bytes = encode(answers);
  const auto back = decode(bytes, 3);
  ASSERT_TRUE(back);
  EXPECT_EQ(encode(*back), bytes);
  EXPECT_EQ(back->items[0].loglikelihoods[0].sum_logprob, -1.0 / 3);
  EXPECT_TRUE(back->items[0].loglikelihoods[0].encoded_apart);
  EXPECT_EQ(back->items[2].generations[0].stop, engine::StopReason::kLength);
  EXPECT_EQ(back->items[2].generations[0].tokens, (std::vector<engine::TokenId>{7, 8}));
  EXPECT_EQ(back->account.prompt_tokens_computed, 4U);
}

TEST(Answers, AnythingElseIsRefused) {
  SegmentAnswers answers;
  answers.items.resize(2);
  answers.items[0].generations = {{"text", engine::StopReason::kEndOfText, 5, 6, false, {}}};
  const std::string bytes = encode(answers);
  EXPECT_FALSE(decode(bytes, 3));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode(std::string_view(bytes).substr(0, size), 2)) << size;
  }
  EXPECT_FALSE(decode(bytes + "x", 2));
  // A flag of 2 would read as true, and a stop reason that there is not as one.
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string other = bytes;
    other[at] = '\x02';
    if (const auto read = decode(other, 2)) EXPECT_EQ(encode(*read), other) << at;
  }
}

}  // namespace
}  // namespace crucible::run
