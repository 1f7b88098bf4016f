// Holds the counterparts of the harness's Python functions against what these gave;
// make_function_goldens.py wrote it.
#include <filesystem>
#include <fstream>
#include <string>

#include "evaluator/task/document_functions.hpp"
#include "gtest/gtest.h"

namespace crucible::task {
namespace {

// The order of fields is not compared.
nlohmann::json unordered(const Json& value) { return nlohmann::json::parse(value.dump()); }

void compare_rows(const Json& golden) {
  const auto* function = find_rows_function(golden.at("function").get<std::string>());
  ASSERT_NE(function, nullptr);
  FunctionState state;
  const auto rows = (*function)(golden.at("rows").get<std::vector<Json>>(), state);
  ASSERT_TRUE(rows) << describe(rows.error());
  EXPECT_EQ(unordered(Json(*rows)), unordered(golden.at("result")));
}

void compare_documents(const Json& golden) {
  const auto* function = find_value_function(golden.at("function").get<std::string>());
  ASSERT_NE(function, nullptr);
  const Json& documents = golden.at("documents");
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const auto value = (*function)(documents[i]);
    ASSERT_TRUE(value) << describe(value.error());
    EXPECT_EQ(value->dump(1), golden.at("result").at(i).dump(1));
  }
}

TEST(FunctionOracle, CounterpartsGiveWhatPythonGives) {
  std::ifstream in(std::filesystem::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate" /
                   "goldens" / "functions.json");
  const Json goldens = Json::parse(in);
  EXPECT_GE(goldens.size(), 120U);
  for (const Json& golden : goldens) {
    SCOPED_TRACE(golden.at("function").get<std::string>());
    if (golden.contains("rows")) {
      compare_rows(golden);
    } else {
      compare_documents(golden);
    }
  }
}

// A document that lacks what a function reads is an error, never a crash.
TEST(FunctionOracle, DocumentsOfAnotherShapeAreErrors) {
  std::ifstream in(std::filesystem::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate" /
                   "goldens" / "functions.json");
  for (const Json& golden : Json::parse(in)) {
    SCOPED_TRACE(golden.at("function").get<std::string>());
    const std::string path = golden.at("function");
    for (const Json& document : {Json::object(), Json{{"question", 7}, {"choices", nullptr}}}) {
      if (const auto* function = find_value_function(path)) {
        EXPECT_FALSE((*function)(document));
      } else if (const auto* rows = find_rows_function(path)) {
        FunctionState state;
        const auto result = (*rows)({document}, state);
        if (!result) {
          EXPECT_FALSE(result.error().message.empty());
        }
      }
    }
  }
}

}  // namespace
}  // namespace crucible::task
