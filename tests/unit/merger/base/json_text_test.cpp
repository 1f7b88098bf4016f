#include "merger/base/json_text.hpp"

#include <gtest/gtest.h>

#include <string>

namespace crucible {
namespace {

using nlohmann::json;

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(UntrustedJson, ReadsUpToTheDepthLimit) {
  EXPECT_TRUE(parse_untrusted_json<json>(nested(kJsonDepthLimit)).is_array());
  EXPECT_TRUE(parse_untrusted_json<json>(nested(kJsonDepthLimit + 1)).is_discarded());
}

// Without the limit a copy of this would overflow the stack.
TEST(UntrustedJson, AMegabyteOfBracketsIsRefused) {
  for (const char* opening : {"[", "{\"a\":", "[{\"a\":[", "{\"a\\\"\":"}) {
    std::string text;
    while (text.size() < (1U << 20)) text += opening;
    json value = parse_untrusted_json<json>(text);
    const json copy = value;
    EXPECT_TRUE(copy.is_discarded()) << opening;
    EXPECT_FALSE(copy.is_object() || copy.is_array());
  }
}

TEST(UntrustedJson, BracketsInStringsDoNotCount) {
  const std::string brackets(1000, '[');
  EXPECT_EQ(parse_untrusted_json<json>("\"" + brackets + "\""), brackets);
  EXPECT_EQ(parse_untrusted_json<json>(R"(["\"[[", "\\", {"[": 1}])")[0], "\"[[");
  // Siblings are not nested.
  std::string row = "[0";
  for (int i = 0; i < 1000; ++i) row += ",[[]]";
  EXPECT_EQ(parse_untrusted_json<json>(row + "]").size(), 1001U);
}

TEST(UntrustedJson, NoJsonIsDiscarded) {
  for (const char* text : {"", "[", "]]]]", "{]", "\"", "\"\\", "nul", "\xFF"}) {
    EXPECT_TRUE(parse_untrusted_json<json>(text).is_discarded()) << text;
  }
}

}  // namespace
}  // namespace crucible
