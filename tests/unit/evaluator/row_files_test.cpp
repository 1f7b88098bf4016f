#include "evaluator/task/row_files.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include "evaluator/task/folder_datasets.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.hpp"

namespace crucible::task {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RowFilesTest : public testing::Test {
 protected:
  fs::path put(const std::string& name, std::string_view text) const {
    fs::create_directories((folder_.path() / name).parent_path());
    std::ofstream(folder_.path() / name, std::ios::binary) << text;
    return folder_.path() / name;
  }
  Json rows(const std::string& name, std::string_view text) const {
    const auto read = read_rows(put(name, text));
    EXPECT_TRUE(read) << describe(read.error());
    return read ? Json(*read) : Json();
  }
  std::string error(const std::string& name, std::string_view text) const {
    const auto read = read_rows(put(name, text));
    return read ? "no error" : describe(read.error());
  }
  test::ScratchFolder folder_;
};

TEST_F(RowFilesTest, EveryFormatGivesTheSameRows) {
  const Json expected = Json::parse(R"([{"q": "a, b", "n": 1}, {"q": "c\"d", "n": 2}])");
  EXPECT_EQ(rows("a.json", R"([{"q": "a, b", "n": 1}, {"q": "c\"d", "n": 2}])"), expected);
  EXPECT_EQ(rows("b.json", R"({"version": "1", "data": [{"q": "a, b", "n": 1}, )"
                           R"({"q": "c\"d", "n": 2}]})"),
            expected);
  EXPECT_EQ(rows("c.json", R"({"q": ["a, b", "c\"d"], "n": [1, 2]})"), expected);
  EXPECT_EQ(rows("d.jsonl", "{\"q\": \"a, b\", \"n\": 1}\r\n\n{\"q\": \"c\\\"d\", \"n\": 2}"),
            expected);
  EXPECT_EQ(rows("e.csv", "q,n\r\n\"a, b\",1\r\n\"c\"\"d\",2\r\n"), expected);
  EXPECT_EQ(rows("f.tsv", "q\tn\na, b\t1\n\"c\"\"d\"\t2\n"), expected);
  EXPECT_EQ(rows("g.JSONL", "\xEF\xBB\xBF{\"q\": \"a, b\", \"n\": 1}\n{\"q\":\"c\\\"d\",\"n\":2}"),
            expected);
}

TEST_F(RowFilesTest, LinesOfTextAreRows) {
  EXPECT_EQ(rows("a.txt", "one\r\n\nthree"),
            Json::parse(R"([{"text": "one"}, {"text": ""}, {"text": "three"}])"));
}

TEST_F(RowFilesTest, RowsGetAllColumns) {
  EXPECT_EQ(rows("a.jsonl", "{\"a\": 1}\n{\"b\": 2, \"a\": 1.5}"),
            Json::parse(R"([{"a": 1.0, "b": null}, {"a": 1.5, "b": 2}])"));
}

TEST_F(RowFilesTest, BadRowsAreNamedByFileAndLine) {
  const auto is_named = [&](const std::string& name, std::string_view text, const char* place) {
    const std::string found = error(name, text);
    EXPECT_THAT(found, HasSubstr((folder_.path() / name).string()));
    EXPECT_THAT(found, HasSubstr(place));
  };
  is_named("a.jsonl", "{\"a\": 1}\n\n{\"a\": \n", "line 3");
  is_named("b.jsonl", "{\"a\": 1}\n[1]\n", "line 2");
  is_named("c.json", "[\n{\"a\": 1},\n{\"a\" 2}\n]\n", "line 3");
  is_named("d.json", "[1, 2]", "list of objects");
  is_named("e.csv", "a,b\n1,2\n\"x\ny\",2\n1,2,3\n", "line 5");
  is_named("f.csv", "a,b\n1,\"open\n", "line 2");
  is_named("g.csv", "", "header");
  is_named("h.jsonl", "{\"a\": 1}\n{\"a\": \"\xff\"}\n", "line 2");
  is_named("i.xml", "<a/>", ".jsonl");
  is_named("j.json", std::string(5000, '['), "nested too deeply");
  is_named("k.jsonl", "{\"a\":" + std::string(5000, '[') + "}", "line 1");
  is_named("l.parquet", "no parquet at all", "l.parquet");
  EXPECT_FALSE(read_rows(folder_.path() / "none.json"));
}

TEST_F(RowFilesTest, SplitsAreNamedFilesListsOrPatterns) {
  put("p/part-1.jsonl", "{\"n\": 1}\n{\"n\": 2}\n");
  put("p/part-2.jsonl", "{\"n\": 3}\n");
  put("p/part-10.csv", "n\n4\n");
  DatasetReference dataset;
  dataset.path = "json";
  const fs::path folder = folder_.path() / "p";
  dataset.data_files = {{"all", {folder / "part-?.jsonl"}},
                        {"both", {folder / "part-2.jsonl", folder / "part-1*.csv"}},
                        {"none", {folder / "other-*.jsonl"}}};
  FolderDatasets datasets({});
  EXPECT_EQ(Json(datasets.rows(dataset, "all").value()).dump(), R"([{"n":1},{"n":2},{"n":3}])");
  EXPECT_EQ(Json(datasets.rows(dataset, "both").value()).dump(), R"([{"n":3},{"n":4}])");
  const auto none = datasets.rows(dataset, "none");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(none.error().message, HasSubstr("other-*.jsonl"));
  const auto other = datasets.rows(dataset, "train");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("names no files of that split"));
}

TEST_F(RowFilesTest, DataSetsAreFoundInTheHubsLayout) {
  put("owner/set/main/test-00000-of-00002.jsonl", "{\"n\": 1}\n");
  put("owner/set/main/test-00001-of-00002.jsonl", "{\"n\": 2}\n");
  put("owner/set/train.json", "[{\"n\": 9}]");
  put("secret.jsonl", "{\"n\": 0}\n");
  FolderDatasets datasets({folder_.path()});
  DatasetReference dataset;
  dataset.path = "owner/set";
  dataset.name = "main";
  EXPECT_EQ(Json(datasets.rows(dataset, "test").value()).dump(), R"([{"n":1},{"n":2}])");
  dataset.name = "";
  EXPECT_EQ(Json(datasets.rows(dataset, "train").value()).dump(), R"([{"n":9}])");
  EXPECT_FALSE(datasets.rows(dataset, "../../secret"));
  dataset.path = "..";
  EXPECT_FALSE(datasets.rows(dataset, "secret"));
  dataset.path = "owner/set";
  dataset.data_files = {{"test", {"../../secret.jsonl"}}};
  EXPECT_FALSE(datasets.rows(dataset, "test"));
  dataset.data_files = {{"test", {"main/test-*.jsonl"}}};
  EXPECT_EQ(datasets.rows(dataset, "test").value().size(), 2U);
}

TEST(Rows, ANumberTooLargeIsAnError) {
  EXPECT_FALSE(parse_rows(R"([{"a": 4e999}])", ".json"));
  EXPECT_FALSE(parse_rows(R"({"a": 4e999})", ".jsonl"));
}

}  // namespace
}  // namespace crucible::task
