// Weights in fewer bits than the checkpoint's.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include "evaluator/engine/gguf.hpp"
#include "evaluator/engine/llama_model.hpp"
#include "gtest/gtest.h"
#include "tests/support/checkpoint_copy.hpp"

namespace crucible::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kGoldens =
    fs::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate" / "goldens";

// A llama of random float32 weights with rows of 256 and 512, the vocabulary of a golden model.
class WideModel {
 public:
  WideModel() {
    for (const char* name : {"tokenizer.json", "tokenizer_config.json", "config.json"}) {
      fs::copy(kGoldens / "llama-yarn" / name, folder_.path());
    }
    json config = json::parse(folder_.read("config.json"));
    vocabulary_ = config.at("vocab_size");
    config.merge_patch({{"hidden_size", 256},
                        {"intermediate_size", 512},
                        {"num_hidden_layers", 1},
                        {"num_attention_heads", 4},
                        {"num_key_value_heads", 2},
                        {"head_dim", 64},
                        {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 10000.0}}}});
    config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 10000.0}};
    folder_.write("config.json", config.dump());
    write_tensors();
  }
  const fs::path& path() const { return folder_.path(); }

 private:
  void add(const std::string& name, const std::vector<std::size_t>& shape) {
    std::size_t count = 1;
    for (const std::size_t extent : shape) count *= extent;
    const float spread = shape.size() == 1 ? 0.0F : 0.06F;
    std::normal_distribution<float> normal(shape.size() == 1 ? 1.0F : 0.0F, spread + 1e-6F);
    std::string bytes;
    for (std::size_t i = 0; i < count; ++i) {
      const float value = normal(random_);
      bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    header_[name] = {{"dtype", "F32"},
                     {"shape", shape},
                     {"data_offsets", {data_.size(), data_.size() + bytes.size()}}};
    data_ += bytes;
  }
  void write_tensors() {
    const std::string layer = "model.layers.0.";
    add("model.embed_tokens.weight", {vocabulary_, 256});
    add(layer + "input_layernorm.weight", {256});
    add(layer + "self_attn.q_proj.weight", {256, 256});
    add(layer + "self_attn.k_proj.weight", {128, 256});
    add(layer + "self_attn.v_proj.weight", {128, 256});
    add(layer + "self_attn.o_proj.weight", {256, 256});
    add(layer + "post_attention_layernorm.weight", {256});
    add(layer + "mlp.gate_proj.weight", {512, 256});
    add(layer + "mlp.up_proj.weight", {512, 256});
    add(layer + "mlp.down_proj.weight", {256, 512});
    add("model.norm.weight", {256});
    add("lm_head.weight", {vocabulary_, 256});
    const std::string text = header_.dump();
    const std::uint64_t length = text.size();
    folder_.write(
        "model.safetensors",
        std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + data_);
  }

  test::ScratchFolder folder_;
  std::size_t vocabulary_ = 0;
  std::mt19937 random_{3};
  json header_ = json::object();
  std::string data_;
};

double score(const fs::path& folder, WeightType type, const std::string& name) {
  LlamaOptions options;
  options.weights = type;
  const auto model = load_llama_model(folder, options);
  EXPECT_TRUE(model) << describe(model.error());
  if (!model) return std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ((*model)->description().dtype, name);
  const std::vector<LoglikelihoodRequest> requests = {
      {"Question: Which animal barks?\nAnswer:", " the dog, 12 times"}};
  const auto results = (*model)->loglikelihood(requests, {BosRule::kNever, {}, {}});
  EXPECT_TRUE(results) << describe(results.error());
  return results ? results->front().sum_logprob : std::numeric_limits<double>::quiet_NaN();
}

TEST(WeightTypes, FewerBitsDifferMoreButLittle) {
  const WideModel model;
  const double exact = score(model.path(), WeightType::kF32, "f32");
  const double half = std::abs(score(model.path(), WeightType::kF16, "f16") - exact);
  const double brain = std::abs(score(model.path(), WeightType::kBF16, "bf16") - exact);
  const double bytes = std::abs(score(model.path(), WeightType::kQ8_0, "q8_0") - exact);
  const double nibbles = std::abs(score(model.path(), WeightType::kQ4K, "q4_k") - exact);
  EXPECT_GT(half, 0);
  EXPECT_LT(half, 0.05);
  EXPECT_LT(brain, 0.2);
  EXPECT_GT(bytes, 0);
  EXPECT_LT(bytes, 0.3);
  EXPECT_GT(nibbles, 1e-3);
  EXPECT_LT(nibbles, 3);
}

// Rows of 24 and 40 are no whole blocks.
TEST(WeightTypes, RowsThatAreNoWholeBlocksAreKeptWider) {
  for (const char* name : {"llama-yarn", "mixtral", "gpt2", "phi3"}) {
    const double exact = score(kGoldens / name, WeightType::kF32, "f32");
    EXPECT_NEAR(score(kGoldens / name, WeightType::kQ4K, "q4_k"), exact, 3) << name;
    EXPECT_NEAR(score(kGoldens / name, WeightType::kQ8_0, "q8_0"), exact, 1) << name;
  }
}

TEST(WeightTypes, BytesOfARow) {
  EXPECT_EQ(row_bytes(GgufType::kF32, 256), 1024U);
  EXPECT_EQ(row_bytes(GgufType::kBF16, 256), 512U);
  EXPECT_EQ(row_bytes(GgufType::kQ8_0, 256), 272U);
  EXPECT_EQ(row_bytes(GgufType::kQ5_0, 256), 176U);
  EXPECT_EQ(row_bytes(GgufType::kQ4K, 256), 144U);
  EXPECT_EQ(row_bytes(GgufType::kQ6K, 256), 210U);
}

TEST(WeightTypes, WhatF16CannotHoldIsRefused) {
  test::CheckpointCopy copy(kGoldens / "qwen3");
  copy.poke("model.layers.1.mlp.up_proj.weight", std::string("\x80\x49", 2));  // 2^20 as bfloat16
  LlamaOptions options;
  options.weights = WeightType::kF16;
  const auto model = load_llama_model(copy.path(), options);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(describe(model.error()).find("model.layers.1.mlp.up_proj.weight"), std::string::npos);
}

}  // namespace
}  // namespace crucible::engine
