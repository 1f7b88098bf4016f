#include "merger/recipe/documents.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace crucible::recipe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string recipe_of(const std::string& model, const std::string& name = "") {
  return (name.empty() ? "" : "name: " + name + "\n") +
         "merge_method: linear\nmodels: [{model: " + model + ", parameters: {weight: 1}}]\n";
}

std::vector<std::string> order_of(const RecipeFile& file) {
  std::vector<std::string> names;
  for (const auto& document : file.documents) names.push_back(document.recipe.name);
  return names;
}

Error must_fail(const std::string& text) {
  const auto file = read_recipe_file(text);
  EXPECT_FALSE(file) << text;
  return file ? Error{} : file.error();
}

TEST(SplitDocuments, AtSeparatorLinesOnly) {
  const auto documents = split_documents(
      "# comment only\n---\na: 1\nb: |\n  ---\n  text\n--- {c: 2}\n---\n\n# nothing\n---  # "
      "note\nd: "
      "----\n");
  ASSERT_EQ(documents.size(), 3U);
  EXPECT_EQ(documents[0].text, "a: 1\nb: |\n  ---\n  text\n");
  EXPECT_EQ(documents[0].line, 3U);
  EXPECT_EQ(documents[1].text, "--- {c: 2}\n");
  EXPECT_EQ(documents[1].line, 7U);
  EXPECT_THAT(documents[2].text, HasSubstr("d: ----"));
}

TEST(RecipeFile, OneRecipeIsItselfFinal) {
  const auto file = read_recipe_file("---\n" + recipe_of("a", "only"));
  ASSERT_TRUE(file) << describe(file.error());
  EXPECT_THAT(order_of(*file), ElementsAre("only"));
}

TEST(RecipeFile, SortsByNeedAndPutsTheUnnamedLast) {
  const auto file =
      read_recipe_file(recipe_of("late") + "---\n" + recipe_of("early@x", "late") + "---\n" +
                       recipe_of("disk", "early") + "---\n" + recipe_of("disk", "unused"));
  ASSERT_TRUE(file) << describe(file.error());
  EXPECT_THAT(order_of(*file), ElementsAre("early", "late", "unused", ""));
  EXPECT_THAT(file->documents[1].needs, ElementsAre("early"));
  EXPECT_EQ(file->documents[0].recipe.source_text, recipe_of("disk", "early"));
}

TEST(RecipeFile, ANeededTokenizerCounts) {
  const auto file =
      read_recipe_file(recipe_of("a") + "tokenizer_source: first\n---\n" + recipe_of("b", "first"));
  ASSERT_TRUE(file);
  EXPECT_THAT(order_of(*file), ElementsAre("first", ""));
}

TEST(RecipeFile, WithoutAnUnnamedOneTheOnlyUnusedIsFinal) {
  const auto file = read_recipe_file(recipe_of("b", "c") + "---\n" + recipe_of("a", "b"));
  ASSERT_TRUE(file);
  EXPECT_THAT(order_of(*file), ElementsAre("b", "c"));
}

TEST(RecipeFile, RefusesWhatDoesNotFitTogether) {
  EXPECT_THAT(must_fail(recipe_of("b", "a") + "---\n" + recipe_of("a", "b")).faults[0].message,
              HasSubstr("circle: a needs b needs a"));
  EXPECT_THAT(must_fail(recipe_of("a", "a") + "---\n" + recipe_of("a")).faults[0].message,
              HasSubstr("circle"));
  EXPECT_THAT(must_fail(recipe_of("x") + "---\n" + recipe_of("y")).faults[0].message,
              HasSubstr("2 documents have no name"));
  EXPECT_THAT(must_fail(recipe_of("x", "a") + "---\n" + recipe_of("y", "b")).faults[0].message,
              HasSubstr("not clear"));
  EXPECT_THAT(must_fail(recipe_of("x", "a") + "---\n" + recipe_of("y", "a")).faults[0].message,
              HasSubstr("another document's"));
}

TEST(RecipeFile, FaultsNameTheDocumentAndTheFilesLine) {
  const Error error =
      must_fail(recipe_of("x", "a") + "---\n" + recipe_of("a") + "dtipe: float32\n");
  ASSERT_EQ(error.faults.size(), 1U);
  EXPECT_EQ(error.faults[0].path, "dtipe");
  EXPECT_THAT(error.faults[0].message, HasSubstr("the document at line 5"));
  EXPECT_THAT(error.faults[0].message, HasSubstr("line 7: unknown key"));
}

}  // namespace
}  // namespace crucible::recipe
