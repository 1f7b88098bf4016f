#include "server/http/message.hpp"

#include <gtest/gtest.h>

#include <string>

namespace crucible::server::http {
namespace {

TEST(ParseTarget, SplitsAndDecodes) {
  const auto target = parse_target("/a%20b//c?x=1%2B1&y=a+b&z");
  ASSERT_TRUE(target) << describe(target.error());
  EXPECT_EQ(target->segments, (std::vector<std::string>{"a b", "", "c"}));
  const std::vector<std::pair<std::string, std::string>> query{
      {"x", "1+1"}, {"y", "a b"}, {"z", ""}};
  EXPECT_EQ(target->query, query);
}

TEST(ParseTarget, RefusesControlCharactersEscapedOrNot) {
  for (const std::string text : {"/a%00", "/a%0A", "/a%7f", "/a\x01", "/?a=\n", "/?a%0d=1", "/%",
                                 "/%4", "/%zz", "/?a=1&a=2", "a", "http://h/", ""}) {
    EXPECT_FALSE(parse_target(text)) << text;
  }
}

}  // namespace
}  // namespace crucible::server::http
