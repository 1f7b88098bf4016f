#include "merger/checkpoint/checkpoint.hpp"

#include <gtest/gtest.h>

#include "merger/checkpoint/json_file.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_checkpoint.hpp"

namespace crucible::checkpoint {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void replace_text(const fs::path& path, const std::string& text) {
  fs::remove(path);
  ASSERT_TRUE(io::write_new_file(path, text));
}

ErrorCode open_error(const fs::path& folder) {
  const auto checkpoint = Checkpoint::open(folder);
  EXPECT_FALSE(checkpoint);
  return checkpoint ? ErrorCode::kInternal : checkpoint.error().code;
}

TEST(Checkpoint, OpensOneFile) {
  const test::ScratchFolder folder;
  const auto path = test::TinyCheckpoint{}.write(folder.path() / "m");
  ASSERT_TRUE(io::write_new_file(path / "tokenizer.json", "{}"));
  const auto checkpoint = Checkpoint::open(path);
  ASSERT_TRUE(checkpoint) << describe(checkpoint.error());
  EXPECT_EQ(checkpoint->model_type(), "llama");
  EXPECT_EQ(checkpoint->architecture(), "LlamaForCausalLM");
  EXPECT_EQ(checkpoint->tensor_names().size(), 3U * 9 + 3);
  EXPECT_TRUE(std::ranges::is_sorted(checkpoint->tensor_names()));
  EXPECT_EQ(checkpoint->tokenizer_files(), std::vector<std::string>{"tokenizer.json"});
  EXPECT_EQ(checkpoint->weight_bytes(), 4 * checkpoint->parameter_count());
  EXPECT_EQ(checkpoint->find("nothing").shard, nullptr);
}

TEST(Checkpoint, ShardsAndOneFileHaveTheSameDigest) {
  const test::ScratchFolder folder;
  test::TinyCheckpoint tiny;
  const auto one = Checkpoint::open(tiny.write(folder.path() / "one"));
  tiny.shard_bytes = 1000;
  const auto many = Checkpoint::open(tiny.write(folder.path() / "many"));
  ASSERT_TRUE(many) << describe(many.error());
  EXPECT_TRUE(fs::exists(folder.path() / "many/model.safetensors.index.json"));
  const Digest digest = content_digest(*one, 1).value();
  EXPECT_EQ(content_digest(*many, 3).value(), digest);
  tiny.seed = 2;
  EXPECT_NE(content_digest(*Checkpoint::open(tiny.write(folder.path() / "other")), 1).value(),
            digest);
}

TEST(Checkpoint, DigestSeesConfigAndTokenizerButNotFormattingOrReadme) {
  const test::ScratchFolder folder;
  const test::TinyCheckpoint tiny;
  const auto path = tiny.write(folder.path() / "m");
  const auto digest = [&path] { return content_digest(*Checkpoint::open(path), 1).value(); };
  const Digest before = digest();
  replace_text(path / "config.json", tiny.config.dump(4));
  ASSERT_TRUE(io::write_new_file(path / "README.md", "hello"));
  EXPECT_EQ(digest(), before);
  ASSERT_TRUE(io::write_new_file(path / "tokenizer.json", "{}"));
  const Digest with_tokenizer = digest();
  EXPECT_NE(with_tokenizer, before);
  json config = tiny.config;
  config["rope_theta"] = 5;
  replace_text(path / "config.json", config.dump());
  EXPECT_NE(digest(), with_tokenizer);
}

TEST(Checkpoint, SaysWhatIsMissing) {
  const test::ScratchFolder folder;
  EXPECT_EQ(open_error(folder.path() / "none"), ErrorCode::kNotFound);
  EXPECT_EQ(open_error(folder.path()), ErrorCode::kNotFound);
  folder.write("config.json", "{}");
  EXPECT_EQ(open_error(folder.path()), ErrorCode::kNotFound);
  folder.write("pytorch_model.bin", "PK");
  const auto pickle = Checkpoint::open(folder.path());
  EXPECT_EQ(pickle.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(pickle.error().message.find("convert"), std::string::npos);
}

TEST(Checkpoint, RefusesIndexesThatPointElsewhere) {
  const test::ScratchFolder folder;
  folder.write("config.json", "{}");
  for (const char* shard : {"../evil.safetensors", "/etc/passwd", "a/b.safetensors", "..", "",
                            "x.bin", "a\\b.safetensors"}) {
    folder.write("model.safetensors.index.json", json{{"weight_map", {{"t", shard}}}}.dump());
    EXPECT_EQ(open_error(folder.path()), ErrorCode::kCorrupt) << shard;
  }
  folder.write("model.safetensors.index.json", R"({"weight_map":{"t":1}})");
  EXPECT_EQ(open_error(folder.path()), ErrorCode::kCorrupt);
  folder.write("model.safetensors.index.json",
               R"({"weight_map":{"t":"a.safetensors","t":"b.safetensors"}})");
  EXPECT_EQ(open_error(folder.path()), ErrorCode::kCorrupt);
  folder.write("model.safetensors.index.json", "{}");
  EXPECT_EQ(open_error(folder.path()), ErrorCode::kCorrupt);
}

TEST(Checkpoint, EachTensorIsInExactlyOneShard) {
  const test::ScratchFolder folder;
  test::TinyCheckpoint tiny;
  tiny.shard_bytes = 4000;
  const auto path = tiny.write(folder.path() / "m");
  json index = json::parse(io::read_text(path / "model.safetensors.index.json", 1 << 20).value());
  const json good = index;
  ASSERT_NE(index["weight_map"]["lm_head.weight"],
            index["weight_map"]["model.embed_tokens.weight"]);
  index["weight_map"]["lm_head.weight"] = index["weight_map"]["model.embed_tokens.weight"];
  replace_text(path / "model.safetensors.index.json", index.dump());
  EXPECT_EQ(open_error(path), ErrorCode::kCorrupt);
  index = good;
  const std::string shard = index["weight_map"]["model.norm.weight"];
  fs::copy(path / shard, path / "copy.safetensors");
  index["weight_map"]["extra"] = "copy.safetensors";
  replace_text(path / "model.safetensors.index.json", index.dump());
  EXPECT_EQ(open_error(path), ErrorCode::kCorrupt);
}

TEST(JsonFile, IsStrict) {
  const test::ScratchFolder folder;
  const auto read = [&folder](const std::string& text) {
    return read_json_object(folder.write("f.json", text), 1000);
  };
  EXPECT_TRUE(read(R"({"a":{"b":1},"c":{"b":2}})"));
  EXPECT_EQ(read(R"({"a":{"b":1,"b":2}})").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(read("[1]").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(read("{\"a\":NaN}").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(read("{} {}").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(read("{\"a\":\"\xFF\"}").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(read(std::string("{}\0", 3)).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(read("{\"a\":" + std::string(80, '[') + std::string(80, ']') + "}").error().code,
            ErrorCode::kCorrupt);
  EXPECT_FALSE(read("{\"a\":\"" + std::string(1000, 'x') + "\"}"));
}

}  // namespace
}  // namespace crucible::checkpoint
