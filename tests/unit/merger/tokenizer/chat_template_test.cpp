#include "merger/tokenizer/chat_template.hpp"

#include <gtest/gtest.h>

#include "merger/recipe/tokenizer_reader.hpp"
#include "tokenizer_folder.hpp"

namespace crucible::tokenizer {
namespace {

TEST(ChatTemplate, EveryNameOfTheReaderHasAText) {
  for (const std::string_view name : recipe::kBuiltInChatTemplates) {
    const auto text = built_in_chat_template(name);
    ASSERT_TRUE(text) << name;
    EXPECT_EQ(*resolve_chat_template(std::string(name), {}), *text);
  }
  EXPECT_FALSE(built_in_chat_template("auto"));
  EXPECT_EQ(*resolve_chat_template("{{ messages }} of my own", {}), "{{ messages }} of my own");
}

TEST(ChatTemplate, AutoIsTheMostFrequentThenTheFirst) {
  TokenizerFolder one;
  TokenizerFolder two;
  TokenizerFolder three;
  TokenizerFolder none;
  one.write("tokenizer_config.json", {{"chat_template", "{{ one }}"}});
  two.write("tokenizer_config.json", {{"chat_template", "\n{{ two }} \n"}});
  three.write("tokenizer_config.json", {{"chat_template", "{{ two }}"}});
  EXPECT_EQ(*resolve_chat_template("auto", {one.path(), two.path(), three.path(), none.path()}),
            "{{ two }}");
  EXPECT_EQ(*resolve_chat_template("auto", {none.path(), one.path(), two.path()}), "{{ one }}");
  EXPECT_EQ(*resolve_chat_template("auto", {none.path()}), "");
}

}  // namespace
}  // namespace crucible::tokenizer
