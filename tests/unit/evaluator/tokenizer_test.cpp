#include "evaluator/tokenizer/tokenizer.hpp"

#include <filesystem>

#include "evaluator/engine/request_encoding.hpp"
#include "evaluator/tokenizer/whitespace.hpp"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.hpp"

namespace crucible::tokenizer {
namespace {

namespace fs = std::filesystem;
using engine::BosRule;
using engine::LoglikelihoodRequest;

const fs::path kModel = fs::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate" /
                        "goldens" / "llama-llama3-rope";

TEST(TrailingWhitespace, IsWhatPythonStrips) {
  EXPECT_EQ(trailing_whitespace(""), 0U);
  EXPECT_EQ(trailing_whitespace("a"), 0U);
  EXPECT_EQ(trailing_whitespace("a \t\n\v\f\r"), 6U);
  EXPECT_EQ(trailing_whitespace("a\x1C\x1F"), 2U);
  EXPECT_EQ(trailing_whitespace("\u00A0\u2003\u3000\u2028\u0085"), 13U);
  EXPECT_EQ(trailing_whitespace("a\u200B"), 0U);  // zero-width space is none
  EXPECT_EQ(trailing_whitespace("🙂 "), 1U);
  EXPECT_EQ(trailing_whitespace("\xA0"), 0U);  // broken UTF-8
}

class TokenizerTest : public testing::Test {
 protected:
  // A copy of the tiny model without the files named.
  Result<checkpoint::Checkpoint> copy_without(const std::vector<std::string>& names) {
    fs::copy(kModel, folder_.path(),
             fs::copy_options::overwrite_existing | fs::copy_options::recursive);
    for (const std::string& name : names) fs::remove(folder_.path() / name);
    return checkpoint::Checkpoint::open(folder_.path());
  }
  test::ScratchFolder folder_;
};

TEST_F(TokenizerTest, EncodesAndDecodes) {
  const auto checkpoint = copy_without({});
  ASSERT_TRUE(checkpoint) << describe(checkpoint.error());
  const auto tokenizer = Tokenizer::load(*checkpoint, 340);
  ASSERT_TRUE(tokenizer) << describe(tokenizer.error());
  const std::string text = "Which animal barks? 数学 🙂";
  const auto ids = tokenizer->encode(text, false);
  ASSERT_TRUE(ids);
  EXPECT_EQ(tokenizer->decode(*ids, true).value(), text);
  const auto special = tokenizer->encode(text, true);
  ASSERT_EQ(special->size(), ids->size() + 1);
  EXPECT_EQ(special->front(), tokenizer->bos());
  EXPECT_EQ(tokenizer->bos_text(), "<s>");
  EXPECT_EQ(tokenizer->eos(), 1);
  EXPECT_EQ(tokenizer->prefix(), std::vector<std::int32_t>{0});
  EXPECT_EQ(tokenizer->token_to_id("</s>"), 1);
  EXPECT_FALSE(tokenizer->token_to_id("no such token"));
  EXPECT_FALSE(tokenizer->encode("\xFF\xFE", false)) << "not UTF-8";
}

TEST_F(TokenizerTest, SpecialTokensFallBackToTheConfigsIds) {
  const auto checkpoint = copy_without({"tokenizer_config.json"});
  const auto tokenizer = Tokenizer::load(*checkpoint, 340);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->bos(), 0);
  EXPECT_EQ(tokenizer->bos_text(), "<s>");
}

TEST_F(TokenizerTest, MissingFileNamesWhatIsThere) {
  folder_.write("tokenizer.model", "sentencepiece");
  const auto checkpoint = copy_without({"tokenizer.json", "tokenizer_config.json"});
  const auto tokenizer = Tokenizer::load(*checkpoint, 340);
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(tokenizer.error().message.find("no tokenizer.json"), std::string::npos);
  EXPECT_NE(tokenizer.error().message.find("tokenizer.model"), std::string::npos);
}

TEST_F(TokenizerTest, BrokenFileIsCorrupt) {
  ASSERT_TRUE(copy_without({"tokenizer.json"}));
  folder_.write("tokenizer.json", R"({"version": "1.0", "model": 7})");
  const auto checkpoint = checkpoint::Checkpoint::open(folder_.path());
  const auto tokenizer = Tokenizer::load(*checkpoint, 340);
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kCorrupt);
}

TEST_F(TokenizerTest, IdsAboveTheEmbeddingAreRefused) {
  const auto checkpoint = copy_without({});
  const auto tokenizer = Tokenizer::load(*checkpoint, 200);
  ASSERT_TRUE(tokenizer);
  const auto ids = tokenizer->encode("The quick", false);
  ASSERT_FALSE(ids);
  EXPECT_EQ(ids.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(ids.error().message.find("200 embedding rows"), std::string::npos);
}

class EncodeRequestsTest : public TokenizerTest {
 protected:
  void SetUp() override {
    const auto checkpoint = copy_without({});
    auto loaded = Tokenizer::load(*checkpoint, 340);
    ASSERT_TRUE(loaded);
    tokenizer_.emplace(std::move(*loaded));
  }
  std::vector<std::int32_t> ids(std::string_view text) {
    return tokenizer_->encode(text, false).value();
  }
  Result<engine::EncodedRequest> encode(std::string context, std::string continuation,
                                        BosRule bos = BosRule::kNever, std::uint32_t length = 100) {
    const std::vector<LoglikelihoodRequest> one = {{std::move(context), std::move(continuation)}};
    auto encoded = engine::encode_requests(*tokenizer_, bos, length, one);
    if (!encoded) return fail(encoded.error());
    return encoded->front();
  }
  // Input and last target: context and continuation.
  static std::vector<std::int32_t> whole(const engine::EncodedRequest& request) {
    auto all = request.input;
    all.push_back(request.targets.back());
    return all;
  }
  std::optional<Tokenizer> tokenizer_;
};

TEST_F(EncodeRequestsTest, TextIsEncodedAsAWhole) {
  const auto encoded = encode("The quick", " brown fox");
  ASSERT_TRUE(encoded);
  EXPECT_EQ(whole(*encoded), ids("The quick brown fox"));
  EXPECT_EQ(encoded->targets.size(), ids("The quick brown fox").size() - ids("The quick").size());
  EXPECT_FALSE(encoded->encoded_apart);
}

TEST_F(EncodeRequestsTest, TrailingSpaceMovesToTheContinuation) {
  const auto moved = encode("Answer: ", "Paris");
  const auto given = encode("Answer:", " Paris");
  ASSERT_TRUE(moved && given);
  EXPECT_EQ(moved->input, given->input);
  EXPECT_EQ(moved->targets, given->targets);
}

TEST_F(EncodeRequestsTest, AContinuationThatMergesAwayIsEncodedApart) {
  ASSERT_EQ(ids("The").size(), 1U);
  const auto encoded = encode("Th", "e");
  ASSERT_TRUE(encoded);
  EXPECT_TRUE(encoded->encoded_apart);
  EXPECT_EQ(encoded->targets, ids("e"));
  EXPECT_EQ(encoded->input, ids("Th"));
}

TEST_F(EncodeRequestsTest, BosRules) {
  const auto without = encode("The", " fox");
  const auto with = encode("The", " fox", BosRule::kTokenizer);
  ASSERT_TRUE(without && with);
  EXPECT_EQ(with->input.size(), without->input.size() + 1);
  EXPECT_EQ(with->input.front(), 0);
  const auto spelled = encode("<s>The", " fox", BosRule::kTokenizer);
  EXPECT_EQ(spelled->input, with->input) << "no second BOS";
}

TEST_F(EncodeRequestsTest, EmptyContextIsBosOnce) {
  const auto encoded = encode("", "The fox");
  ASSERT_TRUE(encoded);
  EXPECT_EQ(encoded->input.front(), 0);
  EXPECT_EQ(encoded->targets, ids("The fox"));
  const auto spelled = encode("", "<s>The fox");
  EXPECT_EQ(spelled->input, encoded->input);
  EXPECT_EQ(spelled->targets, encoded->targets);
  const auto blank = encode("  ", "The fox");
  ASSERT_TRUE(blank);
  EXPECT_EQ(blank->input.front(), 0);
  EXPECT_EQ(blank->targets, ids("  The fox"));
}

TEST_F(EncodeRequestsTest, ContextIsCutFromTheLeft) {
  const auto full = encode("Question: What is the capital of France?\nAnswer:", " Paris dog");
  const auto cut =
      encode("Question: What is the capital of France?\nAnswer:", " Paris dog", BosRule::kNever, 5);
  ASSERT_TRUE(full && cut);
  EXPECT_FALSE(full->truncated);
  EXPECT_TRUE(cut->truncated);
  EXPECT_EQ(cut->targets, full->targets);
  EXPECT_EQ(cut->input, std::vector<std::int32_t>(full->input.end() - 5, full->input.end()));
}

TEST_F(EncodeRequestsTest, WhatCannotBeScoredIsRefused) {
  EXPECT_EQ(encode("The", "").error().code, ErrorCode::kInvalidArgument);
  const auto long_one = encode("The", " Paris Paris Paris Paris", BosRule::kNever, 2);
  ASSERT_FALSE(long_one);
  EXPECT_EQ(long_one.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(long_one.error().message.find("request 0"), std::string::npos);
}

}  // namespace
}  // namespace crucible::tokenizer
