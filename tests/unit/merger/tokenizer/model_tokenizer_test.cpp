#include "merger/tokenizer/model_tokenizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tokenizer_folder.hpp"

namespace crucible::tokenizer {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

ModelTokenizer must_open(const TokenizerFolder& folder) {
  auto tokenizer = ModelTokenizer::open(folder.path());
  EXPECT_TRUE(tokenizer) << describe(tokenizer.error());
  return std::move(*tokenizer);
}

// Ids in the file do not count: the tokenizers library numbers added tokens itself.
TEST(ModelTokenizer, NumbersAddedTokensAsTheLibraryDoes) {
  TokenizerFolder folder;
  folder.write_bpe(
      {{"a", 0}, {"b", 1}, {"c", 2}},
      {added_token("q", true, 5), added_token("r", true, 9), added_token("b", true, 1)});
  ModelTokenizer tokenizer = must_open(folder);
  EXPECT_TRUE(tokenizer.is_as_stored());
  EXPECT_THAT(tokenizer.tokens(),
              ElementsAre(Pair(0, "a"), Pair(1, "b"), Pair(2, "c"), Pair(3, "q"), Pair(4, "r")));
  EXPECT_EQ(tokenizer.added().size(), 3U);
  tokenizer.add(AddedToken{"n"});
  EXPECT_EQ(tokenizer.find("n"), 5U);
  EXPECT_EQ(tokenizer.size(), 6U);
  EXPECT_FALSE(tokenizer.is_as_stored());
}

TEST(ModelTokenizer, AVocabularyWithGapsKeepsItsIds) {
  TokenizerFolder folder;
  folder.write_bpe({{"a", 0}, {"b", 1}, {"c", 5}}, {added_token("x")});
  ModelTokenizer tokenizer = must_open(folder);
  EXPECT_EQ(tokenizer.find("x"), 3U);
  tokenizer.add(AddedToken{"c"});
  tokenizer.add(AddedToken{"y"});
  EXPECT_EQ(tokenizer.find("c"), 5U);
  EXPECT_EQ(tokenizer.find("y"), 6U);
}

TEST(ModelTokenizer, AddsWhatTransformersAddsFromTheConfig) {
  TokenizerFolder folder;
  folder.write_bpe({{"a", 0}, {"</s>", 1}}, {added_token("<t>", false)});
  json extra = added_token("<e>");
  extra.erase("id");
  folder.write("tokenizer_config.json",
               {{"added_tokens_decoder", {{"7", extra}}},
                {"eos_token", "</s>"},
                {"pad_token", {{"content", "<pad>"}, {"__type", "AddedToken"}}},
                {"extra_special_tokens", {"<tool>"}},
                {"chat_template", "{{ x }}"}});
  const ModelTokenizer tokenizer = must_open(folder);
  EXPECT_THAT(tokenizer.tokens(), ElementsAre(Pair(0, "a"), Pair(1, "</s>"), Pair(2, "<t>"),
                                              Pair(3, "<e>"), Pair(4, "<pad>"), Pair(5, "<tool>")));
  EXPECT_TRUE(tokenizer.is_added("</s>"));
  EXPECT_TRUE(tokenizer.added().at(1).special);
  const auto config = tokenizer.tokenizer_config();
  EXPECT_EQ(config["added_tokens_decoder"].size(), 5U);
  EXPECT_EQ(config["added_tokens_decoder"]["4"]["content"], "<pad>");
  const auto text = tokenizer.tokenizer_json();
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr(R"("vocab":{"a":0,"</s>":1})"));
  EXPECT_EQ(json::parse(*text)["added_tokens"].size(), 5U);
}

TEST(ModelTokenizer, OlderFilesCount) {
  TokenizerFolder folder;
  folder.write_bpe({{"a", 0}});
  folder.write("special_tokens_map.json", {{"pad_token", "<pad>"}});
  folder.write("added_tokens.json", {{"<late>", 2}, {"<pad>", 1}});
  const ModelTokenizer tokenizer = must_open(folder);
  EXPECT_THAT(tokenizer.tokens(), ElementsAre(Pair(0, "a"), Pair(1, "<pad>"), Pair(2, "<late>")));
  EXPECT_TRUE(tokenizer.added().at(1).special);
  EXPECT_FALSE(tokenizer.added().at(2).special);
}

TEST(ModelTokenizer, StripsTokensBeyondTheMatrices) {
  TokenizerFolder folder;
  folder.write_bpe({{"a", 0}, {"b", 1}, {"ab", 2}, {"abb", 3}},
                   {added_token("<s>"), added_token("b", false)}, {"a b", json{"ab", "b"}});
  folder.write("tokenizer_config.json", {{"bos_token", "<s>"}, {"eos_token", "ab"}});
  ModelTokenizer tokenizer = must_open(folder);
  ASSERT_TRUE(tokenizer.strip(3));
  EXPECT_THAT(tokenizer.tokens(), ElementsAre(Pair(0, "a"), Pair(1, "b"), Pair(2, "ab")));
  const json file = json::parse(*tokenizer.tokenizer_json());
  EXPECT_EQ(file["model"]["vocab"].size(), 3U);
  EXPECT_EQ(file["model"]["merges"], json{"a b"});
  EXPECT_FALSE(tokenizer.tokenizer_config().contains("bos_token"));
  EXPECT_TRUE(tokenizer.tokenizer_config().contains("eos_token"));
  tokenizer.add_special_tokens();
  EXPECT_EQ(tokenizer.find("<s>"), 3U);
}

TEST(ModelTokenizer, StripsOnlyBpe) {
  TokenizerFolder folder;
  folder.write("tokenizer.json",
               {{"model",
                 {{"type", "Unigram"},
                  {"vocab", json::array({json::array({"a", -1.5}), json::array({"b", -2})})}}}});
  ModelTokenizer tokenizer = must_open(folder);
  EXPECT_EQ(tokenizer.find("b"), 1U);
  EXPECT_TRUE(tokenizer.strip(2));
  const auto status = tokenizer.strip(1);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kUnsupported);
}

TEST(ModelTokenizer, SaysWhatIsMissing) {
  TokenizerFolder folder;
  EXPECT_EQ(ModelTokenizer::open(folder.path()).error().code, ErrorCode::kNotFound);
  folder.write("tokenizer.model", "binary");
  const auto slow = ModelTokenizer::open(folder.path());
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(slow.error().message, HasSubstr("save_pretrained"));
  folder.write("tokenizer.json", {{"model", {{"type", "BPE"}, {"vocab", {{"a", -1}}}}}});
  EXPECT_EQ(ModelTokenizer::open(folder.path()).error().code, ErrorCode::kCorrupt);
}

// Deeper values could not even be copied.
TEST(ModelTokenizer, RefusesDeepNesting) {
  TokenizerFolder folder;
  folder.write_bpe({{"a", 0}});
  const std::size_t depth = 1U << 20;
  std::ofstream(folder.path() / "tokenizer_config.json")
      << R"({"bos_token":)" << std::string(depth, '[') << std::string(depth, ']') << "}";
  const auto tokenizer = ModelTokenizer::open(folder.path());
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kCorrupt);
}

TEST(ReadChatTemplate, FileThenConfigThenNone) {
  TokenizerFolder folder;
  EXPECT_EQ(*read_chat_template(folder.path()), "");
  folder.write(
      "tokenizer_config.json",
      {{"chat_template",
        {{{"name", "tool_use"}, {"template", "t"}}, {{"name", "default"}, {"template", "d"}}}}});
  EXPECT_EQ(*read_chat_template(folder.path()), "d");
  for (const json& entry :
       {json{{"name", 1}}, json{{"name", nullptr}}, json{{"name", "default"}, {"template", 1}}}) {
    folder.write("tokenizer_config.json", {{"chat_template", json::array({entry})}});
    EXPECT_EQ(*read_chat_template(folder.path()), "");
  }
  std::ofstream(folder.path() / "chat_template.jinja") << "{{ j }}";
  EXPECT_EQ(*read_chat_template(folder.path()), "{{ j }}");
}

}  // namespace
}  // namespace crucible::tokenizer
