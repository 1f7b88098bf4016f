#include "merger/plan/documents.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "merger/base/io.hpp"
#include "merger/checkpoint/checkpoint.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::plan {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::string average(const std::string& name, const std::string& a, const std::string& b) {
  return (name.empty() ? "" : "name: " + name + "\n") +
         "merge_method: linear\nparameters: {weight: 1}\nmodels: [{model: " + a +
         "}, {model: " + b + "}]\n";
}

class DocumentsTest : public testing::Test {
 protected:
  Result<std::vector<DocumentReport>> merge(const std::string& text, bool keep,
                                            const std::string& out = "out") {
    const auto file = recipe::read_recipe_file(text);
    EXPECT_TRUE(file) << describe(file.error());
    stages_.clear();
    return merge_documents(*file, resolver_, {}, intermediate(), keep, scratch_.path() / out,
                           [this](const Progress& step) { stages_.insert(step.stage); }, {});
  }
  fs::path intermediate() const { return scratch_.path() / "steps"; }
  fs::path out() const { return scratch_.path() / "out"; }

  test::ScratchFolder scratch_;
  ModelResolver resolver_ =
      resolve_beneath({fs::path(CRUCIBLE_SOURCE_DIR) / "tests/oracle/merge/models"});
  std::set<std::string> stages_;
  const std::string text_ = average("", "first", "llama-f32-c") + "---\n" +
                            average("first", "llama-f32-a", "llama-f32-b");
};

TEST_F(DocumentsTest, MergesInOrderAndRemovesTheSteps) {
  const auto reports = merge(text_, false);
  ASSERT_TRUE(reports) << describe(reports.error());
  ASSERT_EQ(reports->size(), 2U);
  EXPECT_EQ((*reports)[0].name, "first");
  EXPECT_EQ((*reports)[1].folder, out());
  EXPECT_TRUE(checkpoint::Checkpoint::open(out()));
  EXPECT_FALSE(fs::exists(intermediate()));
  EXPECT_TRUE(stages_.contains("merge first"));
  EXPECT_TRUE(stages_.contains("merge"));
}

TEST_F(DocumentsTest, UsesFinishedStepsAgain) {
  const auto first = merge(text_, true);
  ASSERT_TRUE(first) << describe(first.error());
  EXPECT_TRUE(fs::exists(intermediate() / "first" / "config.json"));
  const auto second = merge(text_, true, "again");
  ASSERT_TRUE(second) << describe(second.error());
  EXPECT_FALSE((*second)[0].report);
  EXPECT_EQ((*first)[1].report->content_digest, (*second)[1].report->content_digest);
}

TEST_F(DocumentsTest, AStepOfAnotherRecipeIsAConflict) {
  ASSERT_TRUE(merge(text_, true));
  const auto changed = merge(average("", "first", "llama-f32-c") + "---\n" +
                                 average("first", "llama-f32-a", "llama-f32-d"),
                             true, "again");
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, ErrorCode::kConflict);
  EXPECT_FALSE(fs::exists(scratch_.path() / "again"));
}

TEST_F(DocumentsTest, ChecksEverythingBeforeItStarts) {
  const auto reports = merge(average("", "first", "missing-model") + "---\n" +
                                 average("first", "llama-f32-a", "llama-f64-z"),
                             true);
  ASSERT_FALSE(reports);
  const std::string message = describe(reports.error());
  EXPECT_THAT(message, HasSubstr("missing-model"));
  EXPECT_THAT(message, HasSubstr("llama-f64-z"));
  EXPECT_THAT(message, HasSubstr("document `first`"));
  EXPECT_FALSE(fs::exists(intermediate()));
}

TEST_F(DocumentsTest, PreflightGivesWhatCanBeKnown) {
  const auto file = recipe::read_recipe_file(text_);
  ASSERT_TRUE(file);
  const auto found = preflight_documents(*file, resolver_, {}, intermediate(), scratch_.path());
  ASSERT_TRUE(found) << describe(found.error());
  ASSERT_EQ(found->size(), 2U);
  EXPECT_TRUE((*found)[0].preflight);
  EXPECT_FALSE((*found)[1].preflight);
}

}  // namespace
}  // namespace crucible::plan
