#include "merger/safetensors/reader.hpp"

#include <gtest/gtest.h>

#include "merger/safetensors/header.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::safetensors {
namespace {

std::string file_of(const std::string& header, const std::string& data) {
  std::string length;
  for (unsigned shift = 0; shift < 64; shift += 8)
    length += static_cast<char>((header.size() >> shift) & 0xFF);
  return length + header + data;
}

Result<Reader> open(const std::string& header, std::size_t data_bytes) {
  const test::ScratchFolder folder;
  return Reader::open(
      folder.write("model.safetensors", file_of(header, std::string(data_bytes, 'd'))));
}

constexpr const char* kTwo = R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},)"
                             R"("a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]},)"
                             R"("__metadata__":{"format":"pt"}}  )";

TEST(SafetensorsReader, ReadsTensorsByOffset) {
  const auto reader = open(kTwo, 12);
  ASSERT_TRUE(reader) << describe(reader.error());
  ASSERT_EQ(reader->tensors().size(), 2U);
  EXPECT_EQ(reader->tensors()[0].name, "a");
  EXPECT_EQ(reader->tensors()[1].bytes, 8U);
  EXPECT_EQ(reader->metadata().at("format"), "pt");
  EXPECT_EQ(reader->find("b")->shape, (tensor::Shape{2}));
  EXPECT_EQ(reader->find("c"), nullptr);
}

TEST(SafetensorsReader, ReadsBytesAndRefusesToReadPastTheTensor) {
  const test::ScratchFolder folder;
  const auto reader = Reader::open(folder.write(
      "f", file_of(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", "xyz")));
  std::vector<std::byte> two(2);
  ASSERT_TRUE(reader->read(*reader->find("a"), 1, two));
  EXPECT_EQ(two[0], static_cast<std::byte>('y'));
  EXPECT_FALSE(reader->read(*reader->find("a"), 2, two));
  EXPECT_FALSE(reader->read(*reader->find("a"), UINT64_MAX, two));
}

TEST(SafetensorsReader, AllowsZeroSizeTensorsAndScalars) {
  EXPECT_TRUE(open(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)"
                   R"("b":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                   R"("c":{"dtype":"F32","shape":[4,0],"data_offsets":[4,4]}})",
                   4));
  EXPECT_TRUE(open("{}", 0));
  EXPECT_TRUE(open("  {}", 0)) << "leading white space is tolerated, as by the reference";
}

struct Hostile {
  const char* rule;
  std::string header;
  std::size_t data_bytes;
};

class HostileHeader : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileHeader, IsRefused) {
  const auto reader = open(GetParam().header, GetParam().data_bytes);
  ASSERT_FALSE(reader) << GetParam().rule;
  EXPECT_EQ(reader.error().code, ErrorCode::kCorrupt) << describe(reader.error());
  EXPECT_NE(reader.error().message.find("model.safetensors"), std::string::npos);
}

std::string entry(const std::string& fields) { return R"({"a":{)" + fields + "}}"; }

std::vector<Hostile> hostile() {
  const std::string good = R"("dtype":"U8","shape":[4],"data_offsets":[0,4])";
  return {
      {"empty", "", 0},
      {"not_json", "{", 0},
      {"array", "[]", 0},
      {"number", "1", 0},
      {"trailing_text", "{} x", 0},
      {"nul_padding", std::string("{}\0", 3), 0},
      {"byte_order_mark", "\xEF\xBB\xBF{}", 0},
      {"bad_utf8", "{\"\xFF\":{" + good + "}}", 4},
      {"overlong_utf8", "{\"\xC0\xAF\":{" + good + "}}", 4},
      {"duplicate_tensor", R"({"a":{)" + good + R"(},"a":{)" + good + "}}", 4},
      {"duplicate_key", entry(good + R"(,"dtype":"U8")"), 4},
      {"duplicate_metadata", R"({"__metadata__":{"x":"1","x":"2"}})", 0},
      {"two_metadata", R"({"__metadata__":{},"__metadata__":{}})", 0},
      {"metadata_number", R"({"__metadata__":{"x":1}})", 0},
      {"metadata_object", R"({"__metadata__":{"x":{}}})", 0},
      {"unknown_key", entry(good + R"(,"extra":[1])"), 4},
      {"tensor_is_string", R"({"a":"U8"})", 0},
      {"tensor_is_null", R"({"a":null})", 0},
      {"no_dtype", entry(R"("shape":[4],"data_offsets":[0,4])"), 4},
      {"no_shape", entry(R"("dtype":"U8","data_offsets":[0,4])"), 4},
      {"no_offsets", entry(R"("dtype":"U8","shape":[4])"), 4},
      {"dtype_number", entry(R"("dtype":[1],"shape":[4],"data_offsets":[0,4])"), 4},
      {"shape_string", entry(R"("dtype":"U8","shape":"4","data_offsets":[0,4])"), 4},
      {"shape_nested", entry(R"("dtype":"U8","shape":[[4]],"data_offsets":[0,4])"), 4},
      {"shape_float", entry(R"("dtype":"U8","shape":[4.0],"data_offsets":[0,4])"), 4},
      {"shape_negative", entry(R"("dtype":"U8","shape":[-4],"data_offsets":[0,4])"), 4},
      {"shape_bool", entry(R"("dtype":"U8","shape":[true],"data_offsets":[0,4])"), 4},
      {"shape_2_to_64",
       entry(R"("dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,4])"), 4},
      {"shape_overflow",
       entry(R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0])"), 0},
      {"overflow_before_zero",
       entry(R"("dtype":"U8","shape":[1099511627776,1099511627776,0],"data_offsets":[0,0])"), 0},
      {"bytes_overflow",
       entry(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0])"), 0},
      {"rank_nine", entry(R"("dtype":"U8","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,4])"), 4},
      {"three_offsets", entry(R"("dtype":"U8","shape":[4],"data_offsets":[0,4,4])"), 4},
      {"one_offset", entry(R"("dtype":"U8","shape":[4],"data_offsets":[4])"), 4},
      {"offsets_backwards", entry(R"("dtype":"U8","shape":[4],"data_offsets":[4,0])"), 4},
      {"size_mismatch", entry(R"("dtype":"U8","shape":[3],"data_offsets":[0,4])"), 4},
      {"past_the_end", entry(good), 3},
      {"trailing_bytes", entry(good), 5},
      {"no_tensor_but_data", "{}", 1},
      {"hole_at_start", entry(R"("dtype":"U8","shape":[3],"data_offsets":[1,4])"), 4},
      {"hole",
       R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],)"
       R"("data_offsets":[2,3]}})",
       3},
      {"overlap",
       R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],)"
       R"("data_offsets":[1,3]}})",
       3},
      {"same_range",
       R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],)"
       R"("data_offsets":[0,2]}})",
       2},
      {"unknown_dtype", entry(R"("dtype":"Q4","shape":[4],"data_offsets":[0,4])"), 4},
      {"long_name", R"({")" + std::string(513, 'n') + R"(":{)" + good + "}}", 4},
      {"deep", std::string(100000, '['), 0},
  };
}

INSTANTIATE_TEST_SUITE_P(Rules, HostileHeader, ::testing::ValuesIn(hostile()),
                         [](const auto& hostile_info) {
                           return std::string(hostile_info.param.rule);
                         });

TEST(SafetensorsReader, RefusesNewerElementTypesAsUnsupported) {
  EXPECT_EQ(open(entry(R"("dtype":"F4","shape":[8],"data_offsets":[0,4])"), 4).error().code,
            ErrorCode::kUnsupported);
}

TEST(SafetensorsReader, ChecksTheFileBeforeTheHeader) {
  const test::ScratchFolder folder;
  EXPECT_FALSE(Reader::open(folder.write("short", "1234567")));
  EXPECT_FALSE(Reader::open(folder.write("huge", std::string(8, '\xFF') + "{}")));
  EXPECT_FALSE(Reader::open(folder.write("beyond", std::string("\x03\0\0\0\0\0\0\0{}", 10))));
  EXPECT_FALSE(Reader::open(folder.path()));
  EXPECT_EQ(Reader::open(folder.path() / "none").error().code, ErrorCode::kNotFound);
}

TEST(SafetensorsReader, HeaderAboveTheCapIsNotRead) {
  const test::ScratchFolder folder;
  const std::string header = "{}" + std::string(kHeaderLimitBytes, ' ');
  const auto reader = Reader::open(folder.write("f", file_of(header, "")));
  ASSERT_FALSE(reader);
  EXPECT_NE(reader.error().message.find("limit"), std::string::npos);
}

// Every single-byte change of a good file is either refused or still a file that obeys the rules.
TEST(SafetensorsReader, SurvivesEveryByteChange) {
  const test::ScratchFolder folder;
  const std::string good = file_of(kTwo, std::string(12, 'd'));
  for (std::size_t at = 0; at < good.size() - 12; ++at) {
    for (const char change : {'\0', '"', '9', '{', ']', '\xFF'}) {
      std::string bad = good;
      bad[at] = change;
      const auto reader = Reader::open(folder.write("f", bad));
      if (!reader) continue;
      for (const TensorEntry& tensor : reader->tensors()) {
        ASSERT_LE(tensor.offset + tensor.bytes, reader->file_bytes());
      }
    }
  }
}

}  // namespace
}  // namespace crucible::safetensors
