#include <gtest/gtest.h>

#include <algorithm>

#include "merger/base/io.hpp"
#include "merger/checkpoint/checkpoint.hpp"
#include "merger/plan/merge.hpp"
#include "merger/tokenizer/model_tokenizer.hpp"
#include "tests/support/scratch_folder.hpp"

// Merges with tokenizer settings against what mergekit 0.1.5 wrote; see make_tokenizer_goldens.py.
namespace crucible {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path here() { return fs::path(CRUCIBLE_SOURCE_DIR) / "tests/oracle/merge/tokenizers"; }

std::string read(const fs::path& path) { return io::read_text(path, 1 << 20).value(); }

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& item : fs::directory_iterator(here() / "cases"))
    names.push_back(item.path().filename().string());
  std::ranges::sort(names);
  return names;
}

// The bytes of each row.
std::vector<std::vector<std::byte>> rows_of(const safetensors::Reader& reader,
                                            const safetensors::TensorEntry& entry) {
  std::vector<std::vector<std::byte>> rows(entry.shape.at(0));
  const std::uint64_t width = entry.bytes / rows.size();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].resize(width);
    EXPECT_TRUE(reader.read(entry, i * width, rows[i]));
  }
  return rows;
}

class TokenizerGolden : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto recipe = recipe::read_recipe(read(folder() / "recipe.yml"));
    ASSERT_TRUE(recipe) << describe(recipe.error());
    const auto report = plan::merge(*recipe, plan::resolve_beneath({here()}), {}, out(), {}, {});
    ASSERT_TRUE(report) << describe(report.error());
    digest_ = report->content_digest;
  }
  fs::path folder() const { return here() / "cases" / GetParam(); }
  fs::path out() const { return scratch_.path() / "out"; }
  json expected() const { return json::parse(read(folder() / "expected.json")); }

  Digest digest_;

 private:
  test::ScratchFolder scratch_;
};

TEST_P(TokenizerGolden, HasMergekitsVocabulary) {
  const json want = expected();
  const auto tokenizer = tokenizer::ModelTokenizer::open(out());
  ASSERT_TRUE(tokenizer) << describe(tokenizer.error());
  EXPECT_TRUE(tokenizer->is_as_stored()) << "loading must not add tokens";
  EXPECT_EQ(tokenizer->size(), want["tokens"].size());
  for (const auto& [text, id] : want["tokens"].items()) EXPECT_TRUE(tokenizer->find(text)) << text;
  EXPECT_EQ(tokenizer->added().size(), want["added"].size());
  for (const auto& [id, token] : tokenizer->added()) {
    ASSERT_TRUE(want["added"].contains(token.content)) << token.content;
    const json flags{{"special", token.special},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", token.normalized}};
    EXPECT_EQ(flags, want["added"][token.content]) << token.content;
  }
  if (const std::string text = want["chat_template"]; !text.empty()) {
    EXPECT_EQ(tokenizer::read_chat_template(out()).value(), text);
  }
}

TEST_P(TokenizerGolden, HasMergekitsRows) {
  const json want = expected();
  const auto tokenizer = tokenizer::ModelTokenizer::open(out());
  ASSERT_TRUE(tokenizer);
  const auto merged = checkpoint::Checkpoint::open(out());
  ASSERT_TRUE(merged) << describe(merged.error());
  EXPECT_EQ(merged->config()["vocab_size"], want["vocab_size"]);
  EXPECT_EQ(digest_, checkpoint::content_digest(*merged, 1).value());
  const auto golden = safetensors::Reader::open(folder() / "expected.safetensors");
  ASSERT_TRUE(golden);
  for (const auto& entry : golden->tensors()) {
    const auto found = merged->find(entry.name);
    ASSERT_NE(found.entry, nullptr);
    ASSERT_EQ(found.entry->shape, entry.shape);
    ASSERT_EQ(found.entry->dtype, entry.dtype);
    const auto got_rows = rows_of(*found.shard, *found.entry);
    const auto want_rows = rows_of(*golden, entry);
    bool same_ids = true;
    for (const auto& [text, id] : want["tokens"].items()) {
      const auto own = tokenizer->find(text);
      ASSERT_TRUE(own);
      same_ids = same_ids && *own == id;
      EXPECT_EQ(got_rows[*own], want_rows[id.get<std::size_t>()]) << entry.name << " " << text;
    }
    // The mean depends on the order of its rows.
    if (same_ids) {
      EXPECT_EQ(got_rows.back(), want_rows.back()) << entry.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Recipes, TokenizerGolden, testing::ValuesIn(case_names()),
                         [](const auto& case_info) {
                           std::string name = case_info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace crucible
