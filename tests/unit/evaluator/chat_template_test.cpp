#include "evaluator/chat/chat_template.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace crucible::chat {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kShort =
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";
const std::vector<ChatMessage> kTalk = {{"user", "Hi"}, {"assistant", "Hello "}};

class ChatTemplateFolder : public testing::Test {
 protected:
  ChatTemplateFolder()
      : folder_(fs::temp_directory_path() / ("crucible-chat-" + std::to_string(::getpid()))) {
    fs::create_directory(folder_);
  }
  ~ChatTemplateFolder() override { fs::remove_all(folder_); }

  void write(const char* name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  std::string prompt() const {
    const auto chat = ChatTemplate::load_folder(folder_);
    if (!chat) return "error: " + describe(chat.error());
    return chat->apply(kTalk, true).value_or("not rendered");
  }

  const fs::path folder_;
};

TEST_F(ChatTemplateFolder, AFileOfItsOwnComesBeforeTheConfiguration) {
  write("tokenizer_config.json", R"({"chat_template": "old", "bos_token": "<s>"})");
  EXPECT_EQ(prompt(), "old");
  write("chat_template.json", R"({"chat_template": "newer"})");
  EXPECT_EQ(prompt(), "newer");
  write("chat_template.jinja", kShort);
  EXPECT_EQ(prompt(), "<s><user>Hi<assistant>Hello <assistant>");
}

TEST_F(ChatTemplateFolder, OfSeveralTheDefaultCounts) {
  write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "tools"},
                                    {"name": "default", "template": "plain"}]})");
  EXPECT_EQ(prompt(), "plain");
  write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "x"}]})");
  EXPECT_THAT(prompt(), HasSubstr("none is named \"default\""));
}

TEST_F(ChatTemplateFolder, SpecialTokensComeFromBothFiles) {
  write("chat_template.jinja", kShort);
  write("tokenizer_config.json", R"({"bos_token": {"content": "<bos>", "lstrip": false}})");
  write("special_tokens_map.json", R"({"eos_token": "<eos>", "bos_token": "<other>"})");
  EXPECT_EQ(prompt(), "<bos><user>Hi<eos><assistant>Hello <eos><assistant>");
}

TEST_F(ChatTemplateFolder, FaultsAreNamed) {
  EXPECT_THAT(prompt(), HasSubstr("has no chat template"));
  write("chat_template.jinja", "{% if %}");
  EXPECT_THAT(prompt(), HasSubstr(folder_.string()));
  write("tokenizer_config.json", "[1]");
  EXPECT_THAT(prompt(), HasSubstr("is no JSON object"));
}

TEST(ChatTemplate, TheLastMessageCanBeContinued) {
  const auto chat = ChatTemplate::compile(kShort, {{"bos_token", ""}, {"eos_token", "</s>"}});
  ASSERT_TRUE(chat);
  EXPECT_EQ(chat->apply(kTalk, false).value(), "<user>Hi</s><assistant>Hello </s>");
  EXPECT_EQ(chat->apply(kTalk, false, true).value(), "<user>Hi</s><assistant>Hello ");
  EXPECT_FALSE(chat->apply(kTalk, true, true));
  EXPECT_FALSE(chat->apply({}, true));
}

TEST(ChatTemplate, AHostileOneEndsInAnError) {
  const auto chat = ChatTemplate::compile(
      "{% for a in range(90000) %}{% for b in range(90000) %}{{ messages }}{% endfor %}"
      "{% endfor %}",
      templating::Json::object());
  ASSERT_TRUE(chat);
  const auto prompt = chat->apply(kTalk, true);
  ASSERT_FALSE(prompt);
  EXPECT_EQ(prompt.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace crucible::chat
