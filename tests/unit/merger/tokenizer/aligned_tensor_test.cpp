#include "merger/tokenizer/aligned_tensor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tokenizer_folder.hpp"

namespace crucible::tokenizer {
namespace {

using checkpoint::TensorSourcePtr;
using recipe::TokenizerChoice;
using recipe::TokenizerSetting;
using recipe::TokenSource;
using tensor::DType;
using testing::ElementsAre;
using testing::HasSubstr;

class Memory : public checkpoint::TensorSource {
 public:
  Memory(tensor::Shape shape, std::vector<float> values, DType dtype)
      : shape_(std::move(shape)), dtype_(dtype), bytes_(values.size() * tensor::byte_size(dtype)) {
    tensor::from_float32(dtype, values, bytes_);
  }
  DType dtype() const override { return dtype_; }
  const tensor::Shape& shape() const override { return shape_; }
  std::uint64_t stored_bytes() const override { return bytes_.size(); }
  std::string origin() const override { return "tensor t in memory"; }
  Status read(std::uint64_t first, std::span<std::byte> out) const override {
    std::memcpy(out.data(), bytes_.data() + first * tensor::byte_size(dtype_), out.size());
    return {};
  }

 private:
  tensor::Shape shape_;
  DType dtype_;
  std::vector<std::byte> bytes_;
};

// Rows of two elements: row i of a model is {start + i, -(start + i)}.
TensorSourcePtr matrix(std::uint64_t rows, float start, DType dtype = DType::kF32) {
  std::vector<float> values;
  for (std::uint64_t i = 0; i < rows; ++i) {
    values.push_back(start + static_cast<float>(i));
    values.push_back(-values.back());
  }
  return std::make_shared<const Memory>(tensor::Shape{rows, 2}, values, dtype);
}

std::vector<float> values_of(const TensorSourcePtr& source, std::uint64_t first,
                             std::size_t count) {
  std::vector<std::byte> bytes(count * tensor::byte_size(source->dtype()));
  EXPECT_TRUE(source->read(first, bytes));
  std::vector<float> values(count);
  tensor::to_float32(source->dtype(), bytes, values);
  return values;
}

// The first element of every row.
std::vector<float> rows_of(const TensorSourcePtr& source) {
  const auto all = values_of(source, 0, source->shape()[0] * 2);
  std::vector<float> firsts;
  for (std::size_t i = 0; i < all.size(); i += 2) firsts.push_back(all[i]);
  return firsts;
}

recipe::ModelReference model(const std::string& path) { return {path, "", "", ""}; }

TokenizerSetting choice(TokenizerChoice choice) {
  TokenizerSetting setting;
  setting.choice = choice;
  return setting;
}

TokenizerSetting padded_to(std::uint64_t multiple) {
  TokenizerSetting setting;
  setting.pad_to_multiple_of = multiple;
  return setting;
}

TokenSource from(TokenSource::Kind kind, const std::string& path = "",
                 const std::string& token = "", std::optional<std::uint64_t> id = {}) {
  return {kind, model(path), token, id};
}

class AlignTest : public testing::Test {
 protected:
  AlignTest() {
    base_.write_bpe({{"a", 0}, {"b", 1}});
    other_.write_bpe({{"b", 0}, {"x", 1}, {"y", 2}}, {added_token("<im>")});
    third_.write_bpe({{"y", 0}, {"a", 1}}, {added_token("<im>")});
  }

  Result<OutputTokenizer> build(const TokenizerSetting& setting, std::uint64_t third_rows = 3) {
    const std::vector<InputTokenizer> inputs{
        {model("base"), "base_model", base_.path(), 2},
        {model("other"), "models[0]", other_.path(), 4},
        {model("third"), "models[1]", third_.path(), third_rows}};
    return build_output_tokenizer(setting, inputs, 0, other_.path());
  }

  std::vector<TensorSourcePtr> aligned(const TokenizerSetting& setting,
                                       std::optional<std::size_t> base = 0,
                                       DType dtype = DType::kF32) {
    auto built = build(setting);
    EXPECT_TRUE(built) << describe(built.error());
    const auto tokenizer = std::make_shared<const OutputTokenizer>(std::move(*built));
    auto all = align(tokenizer, "embed",
                     {{0, matrix(2, 10)}, {1, matrix(4, 20)}, {2, matrix(3, 30)}}, base, dtype);
    EXPECT_TRUE(all) << describe(all.error());
    return all ? *all : std::vector<TensorSourcePtr>(3, matrix(1, 0));
  }

  TokenizerFolder base_;
  TokenizerFolder other_;
  TokenizerFolder third_;
};

TEST_F(AlignTest, UnionAddsOrdinaryTokensThenAddedOnes) {
  const auto built = build({});
  ASSERT_TRUE(built);
  EXPECT_EQ(built->rows, 5U);
  EXPECT_EQ(built->tokenizer.find("x"), 2U);
  EXPECT_EQ(built->tokenizer.find("y"), 3U);
  EXPECT_EQ(built->tokenizer.find("<im>"), 4U);
  EXPECT_TRUE(built->tokenizer.added().at(4).special);
}

TEST_F(AlignTest, MissingRowsComeFromTheOnlyOwnerTheBaseOrTheMean) {
  const auto all = aligned({});  // a b x y <im>
  EXPECT_THAT(rows_of(all[0]), ElementsAre(10, 11, 21, (22 + 30) / 2.F, (23 + 32) / 2.F));
  EXPECT_THAT(rows_of(all[1]), ElementsAre(10, 20, 21, 22, 23));
  EXPECT_THAT(rows_of(all[2]), ElementsAre(31, 11, 21, 30, 32));
  EXPECT_THAT(rows_of(aligned({}, std::nullopt)[1]), ElementsAre((10 + 31) / 2.F, 20, 21, 22, 23));
}

TEST_F(AlignTest, MeansRoundAfterEachStep) {
  const auto all = aligned({}, 0, DType::kBF16);
  EXPECT_EQ(all[0]->dtype(), DType::kBF16);
  EXPECT_THAT(rows_of(all[0]), ElementsAre(10, 11, 21, 26, 27.5));
}

TEST_F(AlignTest, ReadsAnyRange) {
  const auto all = aligned(padded_to(4));
  for (const auto& source : all) {
    const auto whole = values_of(source, 0, 16);
    for (std::size_t first = 0; first < 16; ++first) {
      for (std::size_t count = 1; first + count <= 16; ++count) {
        EXPECT_EQ(values_of(source, first, count),
                  std::vector<float>(whole.begin() + static_cast<std::ptrdiff_t>(first),
                                     whole.begin() + static_cast<std::ptrdiff_t>(first + count)));
      }
    }
  }
}

TEST_F(AlignTest, PaddingIsTheMeanOfTheAlignedRows) {
  const auto all = aligned(padded_to(4));
  EXPECT_EQ(all[1]->shape()[0], 8U);
  EXPECT_EQ(rows_of(all[1])[5], (10 + 20 + 21 + 22 + 23) / 5.F);
  EXPECT_EQ(rows_of(all[1])[7], rows_of(all[1])[5]);
}

TEST_F(AlignTest, BaseAndModelKeepTheirVocabulary) {
  EXPECT_THAT(rows_of(aligned(choice(TokenizerChoice::kBase))[2]), ElementsAre(31, 11));
  const auto all = aligned(choice(TokenizerChoice::kModel));
  EXPECT_THAT(rows_of(all[0]), ElementsAre(11, 21, 26, 27.5));
}

TEST_F(AlignTest, RulesComeFirst) {
  TokenizerSetting setting;
  setting.tokens = {{"a", from(TokenSource::Kind::kZero), true},
                    {"b", from(TokenSource::Kind::kModelToken, "other", "y"), true},
                    {"x", from(TokenSource::Kind::kModelToken, "third", "", 2), false},
                    {"<new>", from(TokenSource::Kind::kModel, "other"), false}};
  auto failed = build(setting);
  ASSERT_FALSE(failed);
  EXPECT_THAT(describe(failed.error()), HasSubstr("other does not have the token"));
  setting.tokens.back().source = from(TokenSource::Kind::kZero);
  const auto all = aligned(setting);
  EXPECT_THAT(rows_of(all[1]), ElementsAre(0, 22, 21, 22, 23, 0));
  EXPECT_THAT(rows_of(all[0]), ElementsAre(0, 22, 32, 26, 27.5, 0));
}

TEST_F(AlignTest, ARuleWithoutASourceIsAFaultWhereARowIsMissing) {
  TokenizerSetting setting;
  setting.tokens = {{"x", {}, false}};
  auto built = build(setting);
  ASSERT_TRUE(built);
  const auto tokenizer = std::make_shared<const OutputTokenizer>(std::move(*built));
  const auto all =
      align(tokenizer, "embed", {{0, matrix(2, 10)}, {1, matrix(4, 20)}}, 0, DType::kF32);
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().faults.at(0).path, "tokenizer.tokens.x");
}

TEST_F(AlignTest, TokensBeyondAModelsRowsDoNotCount) {
  const auto built = build({}, 2);
  ASSERT_TRUE(built);
  EXPECT_EQ((*built->row_maps[2])[4], -1);
  const auto tokenizer = std::make_shared<const OutputTokenizer>(*built);
  const auto narrow = align(tokenizer, "embed", {{1, matrix(3, 20)}}, std::nullopt, DType::kF32);
  ASSERT_FALSE(narrow);
  EXPECT_THAT(narrow.error().faults.at(0).message, HasSubstr("a token numbered 3"));
}

TEST_F(AlignTest, AModelWithoutTokenizerHasTheBases) {
  std::filesystem::remove(third_.path() / "tokenizer.json");
  const auto built = build({});
  ASSERT_TRUE(built);
  EXPECT_EQ(built->warnings.size(), 1U);
  EXPECT_EQ((*built->row_maps[2])[1], 1);
}

}  // namespace
}  // namespace crucible::tokenizer
