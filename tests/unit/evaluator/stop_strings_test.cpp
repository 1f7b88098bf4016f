#include "evaluator/engine/stop_strings.hpp"

#include "byte_codec.hpp"
#include "gtest/gtest.h"

namespace crucible::engine {
namespace {

using tokenizer::ByteCodec;

std::vector<TokenId> ids(std::string_view text) { return *ByteCodec().encode(text, false); }

// Tokens of the shortest beginning of `text` at which generation ends; all of them if it never
// does.
std::size_t end_of(const StopStrings& stops, std::string_view text) {
  const auto tokens = ids(text);
  for (std::size_t length = 1; length <= tokens.size(); ++length) {
    if (*stops.reached(std::span(tokens).first(length))) return length;
  }
  return tokens.size() + 1;
}

TEST(StopStrings, EndWhereTheirLastTokenDoes) {
  const ByteCodec codec;
  const StopStrings stops(codec, {"\n\n", "Question:"});
  EXPECT_EQ(end_of(stops, "a\n\nb"), 3U);
  EXPECT_EQ(end_of(stops, "12 Question: x"), 12U);
  EXPECT_EQ(end_of(stops, "a\nb\nc"), 6U);
  const auto tokens = ids("a\n\n");
  EXPECT_EQ(*stops.text(tokens), "a");
  EXPECT_FALSE(*stops.is_end_of_text(tokens));
}

TEST(StopStrings, AreFoundInCharactersOfSeveralTokens) {
  const ByteCodec codec;
  const StopStrings stops(codec, {"。", "🙂"});
  EXPECT_EQ(end_of(stops, "数学。和"), 9U);
  EXPECT_EQ(end_of(stops, "é🙂"), 6U);
  EXPECT_EQ(*stops.text(ids("数学。")), "数学");
}

TEST(StopStrings, CutInTurn) {
  const ByteCodec codec;
  // "bcd" would begin first, but cutting at "cd" leaves nothing of it.
  EXPECT_EQ(*StopStrings(codec, {"cd", "bcd"}).text(ids("abcd")), "ab");
  EXPECT_EQ(*StopStrings(codec, {"bcd", "cd"}).text(ids("abcd")), "a");
}

TEST(StopStrings, EmptyOnesAreNone) {
  const ByteCodec codec;
  const StopStrings stops(codec, {""});
  EXPECT_EQ(end_of(stops, "abc"), 4U);
  EXPECT_EQ(*stops.text(ids("abc")), "abc");
  EXPECT_EQ(*stops.text({}), "");
}

TEST(StopStrings, EosEndsTheTextHoweverItIsSpelled) {
  const ByteCodec codec;
  const StopStrings stops(codec, {"x"});
  EXPECT_EQ(end_of(stops, "ab</s>c"), 6U);
  EXPECT_TRUE(*stops.is_end_of_text(ids("ab</s>")));
  EXPECT_EQ(*stops.text(ids("ab</s>")), "ab");
  const std::vector<TokenId> special = {'a', ByteCodec::kEos};
  EXPECT_TRUE(*stops.reached(special));
  EXPECT_EQ(*stops.text(special), "a");
}

TEST(StopStrings, AnUnfinishedCharacterIsShownAsSuch) {
  const ByteCodec codec;
  EXPECT_EQ(*StopStrings(codec, {}).text(ids("a\xE6\x95")), "a\xEF\xBF\xBD\xEF\xBF\xBD");
}

}  // namespace
}  // namespace crucible::engine
