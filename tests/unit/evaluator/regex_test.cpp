#include "evaluator/text/regex.hpp"

#include <chrono>

#include "gtest/gtest.h"

namespace crucible::text {
namespace {

std::vector<std::string> all(const Regex& regex, std::string_view subject, std::size_t group = 0) {
  std::vector<std::string> found;
  const auto matches = regex.find_all(subject);
  EXPECT_TRUE(matches);
  for (const Match& match : matches ? *matches : std::vector<Match>{}) {
    found.emplace_back(match.group(subject, group));
  }
  return found;
}

using Texts = std::vector<std::string>;

TEST(Regex, LookaroundsNamedGroupsAndBackReferences) {
  EXPECT_EQ(all(Regex::fixed(R"((?<=\$)\d+(?!\.))"), "$5 $6.5 7"), (Texts{"5"}));
  EXPECT_EQ(all(Regex::fixed(R"((?P<w>\w)(?P=w))"), "aab cc"), (Texts{"aa", "cc"}));
  EXPECT_EQ(all(Regex::fixed(R"((a)|(b))"), "ab", 2), (Texts{"", "b"}));
}

TEST(Regex, ClassesAreUnicodeUnlessAsciiIsAskedFor) {
  EXPECT_EQ(all(Regex::fixed(R"(\w+)"), "Größe 数学 ١٢"), (Texts{"Größe", "数学", "١٢"}));
  EXPECT_EQ(all(Regex::fixed(R"(\w+)", {.ascii = true}), "Größe"), (Texts{"Gr", "e"}));
  EXPECT_EQ(all(Regex::fixed(R"((?a)\d+)"), "1١"), (Texts{"1"}));
  EXPECT_EQ(all(Regex::fixed(R"(\s)"), "a\x1c b\xC2\xA0"), (Texts{"\x1c", " ", "\xC2\xA0"}));
  EXPECT_EQ(all(Regex::fixed("é", {.ignore_case = true}), "É"), (Texts{"É"}));
}

TEST(Regex, EmptyMatchesFollowPython37) {
  EXPECT_EQ(all(Regex::fixed("a*"), "baac"), (Texts{"", "aa", "", ""}));
  EXPECT_EQ(*Regex::fixed("x*").sub("-", "abxd"), "-a-b--d-");
  EXPECT_EQ(*Regex::fixed("").split("ab"), (Texts{"", "a", "b", ""}));
}

TEST(Regex, ReplacementsTakeGroupsByNumberAndName) {
  const Regex regex = Regex::fixed(R"((?P<key>\w+)=(\d+))");
  EXPECT_EQ(*regex.sub(R"(\2:\g<key>\g<0>\n)", "a=1"), "1:aa=1\n");
  EXPECT_FALSE(regex.sub(R"(\3)", "a=1"));
  EXPECT_FALSE(regex.sub(R"(\g<no>)", "a=1"));
}

TEST(Regex, WhatPythonDoesNotKnowIsRefusedWithItsPlace) {
  for (const char* pattern :
       {"(", "[a", "a**", R"(\p{L})", "(?R)", "(*ACCEPT)", R"(\)", "(?P=x)"}) {
    const auto regex = Regex::compile(pattern);
    ASSERT_FALSE(regex) << pattern;
    EXPECT_EQ(regex.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(regex.error().message.find("position"), std::string::npos) << regex.error().message;
  }
  EXPECT_FALSE(Regex::compile(std::string(70'000, 'a')));
}

// Patterns whose backtracking doubles with each character end in an error, soon.
TEST(Regex, CatastrophicPatternsRunOutOfSteps) {
  const auto start = std::chrono::steady_clock::now();
  const std::string subject = std::string(40, 'a') + "!";
  for (const char* pattern : {"(a+)+$", "(a|aa)+$", "(a*)*b", R"((\w+\s?)+$)", "(a|a)*?c"}) {
    const auto found = Regex::fixed(pattern).search(subject);
    if (!found) {
      EXPECT_EQ(found.error().code, ErrorCode::kUnsupported) << pattern;
      EXPECT_NE(found.error().message.find("too many steps"), std::string::npos);
    } else {
      EXPECT_FALSE(found->has_value()) << pattern;
    }
  }
  const auto seconds = std::chrono::steady_clock::now() - start;
  EXPECT_LT(seconds, std::chrono::seconds(20));
  EXPECT_FALSE(Regex::fixed("(a+)+$").search(subject));
}

TEST(Regex, BytesThatAreNotUtf8NeverMatch) {
  EXPECT_EQ(all(Regex::fixed(R"([a-z])"), "a\xff\xfe z"), (Texts{"a", "z"}));
  EXPECT_EQ(all(Regex::fixed("."), "\xc3"), Texts{});
}

}  // namespace
}  // namespace crucible::text
