// Holds language detection against langdetect; make_language_goldens.py wrote what it said.
#include <filesystem>
#include <fstream>
#include <string>

#include "evaluator/text/language.hpp"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace crucible::text {
namespace {

using nlohmann::json;

TEST(LanguageOracle, AnswersEqualLangdetect) {
  std::ifstream in(std::filesystem::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate" /
                   "goldens" / "languages.json");
  const json golden = json::parse(in);
  EXPECT_GE(golden.size(), 100U);
  for (const json& one : golden) {
    const std::string text = one.at(0);
    const std::string language = one.at(1).is_null() ? "" : one.at(1).get<std::string>();
    EXPECT_EQ(detect_language(text), language) << text;
    EXPECT_EQ(detect_language(text), language) << "the second time: " << text;
  }
}

TEST(LanguageOracle, AnyBytesMayBeAsked) {
  EXPECT_EQ(detect_language("\xff\xfe"), "");
  EXPECT_EQ(detect_language(std::string(3, '\0')), "");
  EXPECT_NE(detect_language(std::string(1 << 20, 'e')), "");
}

}  // namespace
}  // namespace crucible::text
