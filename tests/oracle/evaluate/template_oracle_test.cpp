// Holds task and chat templates against Jinja2 as lm-evaluation-harness and transformers set it up;
// make_template_goldens.py wrote what they said.
#include <filesystem>
#include <fstream>
#include <string>

#include "evaluator/template/template.hpp"
#include "gtest/gtest.h"

namespace crucible::templating {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(CRUCIBLE_SOURCE_DIR) / "tests" /
                                      "oracle" / "evaluate" / "goldens" / "templates.json";

Result<std::string> render(const std::string& source, Dialect dialect, const Json& variables) {
  auto compiled = Template::compile(source, dialect);
  if (!compiled) return fail(std::move(compiled.error()));
  return compiled->render(variables);
}

void compare_all(const char* field, Dialect dialect) {
  std::ifstream in(kGolden);
  const Json golden = Json::parse(in);
  const Json& cases = golden.at("cases");
  EXPECT_GE(cases.size(), 250U);
  for (const Json& one : cases) {
    const std::string source = one.at("template");
    SCOPED_TRACE(source);
    const auto rendered = render(source, dialect, golden.at("variables"));
    if (one.at(field).is_null()) {
      EXPECT_FALSE(rendered) << *rendered;
      continue;
    }
    ASSERT_TRUE(rendered) << describe(rendered.error());
    EXPECT_EQ(*rendered, one.at(field).get<std::string>());
  }
}

TEST(TemplateOracle, TaskTemplatesEqualTheHarness) { compare_all("task", Dialect::kTask); }
TEST(TemplateOracle, ChatTemplatesEqualTransformers) { compare_all("chat", Dialect::kChat); }

}  // namespace
}  // namespace crucible::templating
