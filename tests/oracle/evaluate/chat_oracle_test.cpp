// Holds chat templates against transformers' apply_chat_template; make_chat_goldens.py wrote what
// it said. chat_goldens/README.md names where each template was published. Set
// CRUCIBLE_CHAT_GOLDENS to compare another folder of templates and goldens.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "evaluator/chat/chat_template.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace crucible::chat {
namespace {

namespace fs = std::filesystem;
using templating::Json;

const fs::path kOwnFolder =
    fs::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate" / "chat_goldens";

fs::path golden_folder() {
  const char* other = std::getenv("CRUCIBLE_CHAT_GOLDENS");
  return other != nullptr ? fs::path(other) : kOwnFolder;
}

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> template_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(golden_folder())) {
    if (entry.path().extension() == ".jinja") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

const Json kSpecialTokens = {
    {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};

// Whether ChatTemplate can say it: text alone, no tools.
bool is_plain(const Json& conversation) {
  if (conversation.contains("tools")) return false;
  for (const Json& message : conversation.at("messages")) {
    if (message.size() != 2 || !message.at("content").is_string()) return false;
  }
  return true;
}

// What transformers does to messages first: a null is a field that is not there, and reasoning goes
// by an older name too.
Json normalized(const Json& messages) {
  Json all = Json::array();
  for (const Json& message : messages) {
    Json one = Json::object();
    if (message.contains("reasoning_content")) one["thinking"] = message["reasoning_content"];
    for (const auto& [key, value] : message.items()) {
      if (!value.is_null()) one[key] = value;
    }
    all.push_back(std::move(one));
  }
  return all;
}

class ChatTemplates : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ::setenv("SOURCE_DATE_EPOCH", "1750000000", 1);
    source_ = read(golden_folder() / (GetParam() + ".jinja"));
    for (Json& conversation : conversations_) {
      conversations_by_name_[conversation.at("name")] = conversation;
    }
  }
  void TearDown() override { ::unsetenv("SOURCE_DATE_EPOCH"); }

  Result<std::string> apply(const Json& conversation, const std::string& mode) {
    auto compiled = ChatTemplate::compile(source_, kSpecialTokens);
    if (!compiled) return fail(std::move(compiled.error()));
    std::vector<chat::ChatMessage> messages;
    for (const Json& message : conversation.at("messages")) {
      messages.push_back({message.at("role"), message.at("content")});
    }
    return compiled->apply(messages, mode == "prompt", mode == "continue");
  }

  // With tools, and messages of another form than role and text.
  Result<std::string> render(const Json& conversation, const std::string& mode) {
    auto compiled = templating::Template::compile(source_, templating::Dialect::kChat);
    if (!compiled) return fail(std::move(compiled.error()));
    Json variables = kSpecialTokens;
    variables["messages"] = normalized(conversation.at("messages"));
    variables["tools"] = conversation.value("tools", Json());
    variables["documents"] = nullptr;
    variables["add_generation_prompt"] = mode == "prompt";
    return compiled->render(variables);
  }

  std::string source_;
  Json conversations_ = Json::parse(read(kOwnFolder / "conversations.json"));
  std::map<std::string, Json> conversations_by_name_;
};

TEST_P(ChatTemplates, EqualTransformers) {
  const Json golden = Json::parse(read(golden_folder() / (GetParam() + ".json")));
  int compared = 0;
  for (const Json& one : golden) {
    const Json& conversation = conversations_by_name_.at(one.at(0));
    const std::string mode = one.at(1);
    if (mode == "continue" && !is_plain(conversation)) continue;
    SCOPED_TRACE(one.at(0).get<std::string>() + ", " + mode);
    const auto rendered =
        is_plain(conversation) ? apply(conversation, mode) : render(conversation, mode);
    if (one.at(2).is_null()) {
      EXPECT_FALSE(rendered) << "transformers: " << one.at(3) << "\nhere: " << *rendered;
    } else {
      ASSERT_TRUE(rendered) << describe(rendered.error());
      EXPECT_EQ(*rendered, one.at(2).get<std::string>());
    }
    ++compared;
  }
  EXPECT_GE(compared, 20);
}

// What a template says with raise_exception reaches the user.
TEST_P(ChatTemplates, SayWhyTheyRefuse) {
  constexpr std::string_view kRaised = "TemplateError: ";
  for (const Json& one : Json::parse(read(golden_folder() / (GetParam() + ".json")))) {
    const Json& conversation = conversations_by_name_.at(one.at(0));
    if (!one.at(2).is_null() || !is_plain(conversation)) continue;
    const std::string message = one.at(3);
    if (!message.starts_with(kRaised)) continue;
    const auto rendered = apply(conversation, one.at(1));
    ASSERT_FALSE(rendered);
    EXPECT_THAT(describe(rendered.error()), testing::HasSubstr(message.substr(kRaised.size())));
  }
}

INSTANTIATE_TEST_SUITE_P(Published, ChatTemplates, testing::ValuesIn(template_names()),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = std::isalnum(c) ? c : '_';
                           return name;
                         });

TEST(ChatGoldens, HoldTwentyTemplatesAndTenConversations) {
  EXPECT_GE(template_names().size(), 20U);
  EXPECT_GE(Json::parse(read(kOwnFolder / "conversations.json")).size(), 10U);
}

}  // namespace
}  // namespace crucible::chat
