#include "evaluator/task/parquet.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

// The files and what pyarrow says is in them come from data/parquet/make_parquet.py.
namespace crucible::task {
namespace {

namespace fs = std::filesystem;

const fs::path kData =
    fs::path(CRUCIBLE_SOURCE_DIR) / "tests" / "unit" / "evaluator" / "data" / "parquet";

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

Json written(const char* name) { return Json::parse(read(kData / "rows.json")).at(name); }

// A file of its own for damaged bytes.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& bytes)
      : path_(fs::temp_directory_path() /
              ("crucible-parquet-" + std::to_string(::getpid()) + ".parquet")) {
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~ScratchFile() { fs::remove(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

class Codecs : public testing::TestWithParam<const char*> {};

// 25 rows in three row groups: nested lists and structs, nulls, a dictionary, text beyond ASCII.
TEST_P(Codecs, GiveTheRowsThatPyarrowWrote) {
  const auto rows = read_parquet(kData / (std::string(GetParam()) + ".parquet"));
  ASSERT_TRUE(rows) << describe(rows.error());
  const Json expected = written("rows");
  ASSERT_EQ(rows->size(), expected.size());
  for (std::size_t i = 0; i < rows->size(); ++i) EXPECT_EQ((*rows)[i], expected[i]) << "row " << i;
}

INSTANTIATE_TEST_SUITE_P(All, Codecs,
                         testing::Values("none", "snappy", "gzip", "zstd", "brotli", "lz4",
                                         "plain"));

TEST(Parquet, OtherTypesBecomeTheTextThatPythonPrints) {
  const auto rows = read_parquet(kData / "types.parquet");
  ASSERT_TRUE(rows) << describe(rows.error());
  const Json expected = written("types");
  ASSERT_EQ(rows->size(), expected.size());
  for (std::size_t i = 0; i < rows->size(); ++i) {
    for (const auto& [name, value] : expected[i].items()) {
      EXPECT_EQ((*rows)[i].at(name), value) << "row " << i << ", " << name;
    }
  }
}

TEST(Parquet, ColumnsKeepTheirOrder) {
  const auto rows = read_parquet(kData / "none.parquet");
  ASSERT_TRUE(rows);
  EXPECT_EQ((*rows)[0].begin().key(), "id");
  EXPECT_EQ(std::next((*rows)[0].begin()).key(), "question");
}

TEST(Parquet, AFileMayHaveNoRows) {
  const auto rows = read_parquet(kData / "no_rows.parquet");
  ASSERT_TRUE(rows) << describe(rows.error());
  EXPECT_TRUE(rows->empty());
}

TEST(Parquet, BytesThatAreNoTextAreNamed) {
  const auto rows = read_parquet(kData / "binary.parquet");
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(describe(rows.error()), testing::HasSubstr("row 0: image"));
}

TEST(Parquet, AMissingFileIsNotFound) {
  const auto rows = read_parquet(kData / "none.parquet.missing");
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, ErrorCode::kNotFound);
}

TEST(Parquet, NoParquetIsCorruptAndNamed) {
  for (const std::string& bytes :
       {std::string(), std::string("{\"a\": 1}\n"), std::string("PAR1"), std::string(64, '\0'),
        "PAR1" + std::string(40, 'x') + std::string("\xff\xff\xff\x7fPAR1", 8)}) {
    const ScratchFile file(bytes);
    const auto rows = read_parquet(file.path());
    ASSERT_FALSE(rows);
    EXPECT_EQ(rows.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(describe(rows.error()), testing::HasSubstr(file.path().string()));
  }
}

TEST(Parquet, ATruncatedFileIsCorrupt) {
  const std::string whole = read(kData / "zstd.parquet");
  for (std::size_t length = 0; length < whole.size(); length += 97) {
    const ScratchFile file(whole.substr(0, length));
    const auto rows = read_parquet(file.path());
    ASSERT_FALSE(rows) << length;
    EXPECT_EQ(rows.error().code, ErrorCode::kCorrupt);
  }
}

// Damage anywhere: other rows or an error, never a crash, and not a lot of memory for a few bytes.
TEST(Parquet, DamageIsSurvived) {
  std::uint32_t state = 1;
  const auto random = [&state](std::size_t below) {
    state = state * 1664525 + 1013904223;
    return static_cast<std::size_t>(state >> 8) % below;
  };
  int refused = 0;
  for (const char* name : {"none", "snappy", "gzip", "zstd", "plain"}) {
    const std::string whole = read(kData / (std::string(name) + ".parquet"));
    for (int i = 0; i < 60; ++i) {
      std::string bytes = whole;
      for (int j = 0; j < 5; ++j) bytes[random(bytes.size())] = static_cast<char>(random(256));
      const ScratchFile file(bytes);
      const auto rows = read_parquet(file.path());
      if (rows) continue;
      ++refused;
      EXPECT_EQ(rows.error().code, ErrorCode::kCorrupt);
      EXPECT_THAT(describe(rows.error()), testing::Not(testing::HasSubstr("internal error")));
    }
  }
  EXPECT_GT(refused, 50);
}

}  // namespace
}  // namespace crucible::task
