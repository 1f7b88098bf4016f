#include "merger/safetensors/writer.hpp"

#include <gtest/gtest.h>

#include <random>

#include "merger/safetensors/reader.hpp"
#include "nlohmann/json.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::safetensors {
namespace {

using tensor::DType;

std::vector<std::byte> data_of(std::size_t tensor, std::uint64_t bytes) {
  std::mt19937 random(static_cast<unsigned>(tensor));
  std::vector<std::byte> data(bytes);
  for (std::byte& byte : data) byte = static_cast<std::byte>(random());
  return data;
}

void write_all(ShardedWriter& writer, const std::vector<OutputTensor>& tensors) {
  for (std::size_t i = tensors.size(); i-- > 0;) {  // any order will do
    const auto data = data_of(i, tensor_bytes(tensors[i]).value());
    const std::size_t half = data.size() / 2;
    ASSERT_TRUE(writer.write(i, half, std::span(data).subspan(half)));
    ASSERT_TRUE(writer.write(i, 0, std::span(data).first(half)));
  }
}

const std::vector<OutputTensor> kTensors = {
    {"a", DType::kBF16, {3, 5}}, {"b", DType::kF32, {7}}, {"c", DType::kI64, {2}},
    {"d", DType::kBF16, {0, 4}}, {"e", DType::kU8, {}},   {"\"q\\u\n", DType::kF16, {9}}};

TEST(ShardedWriter, RoundTripInOneFile) {
  const test::ScratchFolder folder;
  auto writer = ShardedWriter::create(folder.path(), kTensors, 1'000'000);
  ASSERT_TRUE(writer) << describe(writer.error());
  write_all(*writer, kTensors);
  ASSERT_TRUE(writer->finish());
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "model.safetensors.index.json"));
  const auto reader = Reader::open(folder.path() / "model.safetensors");
  ASSERT_TRUE(reader) << describe(reader.error());
  EXPECT_EQ(reader->metadata().at("format"), "pt");
  for (std::size_t i = 0; i < kTensors.size(); ++i) {
    const TensorEntry* entry = reader->find(kTensors[i].name);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->dtype, kTensors[i].dtype);
    EXPECT_EQ(entry->shape, kTensors[i].shape);
    std::vector<std::byte> data(entry->bytes);
    ASSERT_TRUE(reader->read(*entry, 0, data));
    EXPECT_EQ(data, data_of(i, entry->bytes));
  }
  // Widest type first, so that every tensor is aligned to its element.
  EXPECT_EQ(reader->tensors().front().name, "c");
  for (const TensorEntry& entry : reader->tensors())
    EXPECT_EQ(entry.offset % byte_size(entry.dtype), 0U);
}

TEST(ShardedWriter, CutsWhereTheNextTensorWouldNotFit) {
  const test::ScratchFolder folder;
  const std::vector<OutputTensor> tensors = {{"x1", DType::kU8, {60}},
                                             {"x2", DType::kU8, {40}},
                                             {"x3", DType::kU8, {1}},
                                             {"x4", DType::kU8, {500}},
                                             {"x5", DType::kU8, {99}}};
  auto writer = ShardedWriter::create(folder.path(), tensors, 100);
  write_all(*writer, tensors);
  ASSERT_TRUE(writer->finish());
  const auto index = nlohmann::json::parse(folder.read("model.safetensors.index.json"));
  EXPECT_EQ(index["metadata"]["total_size"], 700);
  const auto& map = index["weight_map"];
  EXPECT_EQ(map["x1"], "model-00001-of-00004.safetensors");
  EXPECT_EQ(map["x2"], "model-00001-of-00004.safetensors");
  EXPECT_EQ(map["x3"], "model-00002-of-00004.safetensors");
  EXPECT_EQ(map["x4"], "model-00003-of-00004.safetensors");
  EXPECT_EQ(map["x5"], "model-00004-of-00004.safetensors");
  for (const auto& [name, shard] : map.items()) {
    EXPECT_NE(Reader::open(folder.path() / shard.get<std::string>())->find(name), nullptr);
  }
}

TEST(ShardedWriter, RefusesShapesThatOverflow) {
  const test::ScratchFolder folder;
  const std::vector<OutputTensor> tensors = {{"x", DType::kF32, {1ULL << 62}}};
  EXPECT_EQ(ShardedWriter::create(folder.path(), tensors, 100).error().code,
            ErrorCode::kInvalidArgument);
}

class FullDisk : public io::Syscalls {
 public:
  int fallocate(int, std::int64_t) override {
    errno = ENOSPC;
    return -1;
  }
};

TEST(ShardedWriter, ReservesSpaceBeforeAnyWork) {
  const test::ScratchFolder folder;
  FullDisk calls;
  EXPECT_EQ(ShardedWriter::create(folder.path(), kTensors, 100, calls).error().code,
            ErrorCode::kNoSpace);
}

}  // namespace
}  // namespace crucible::safetensors
