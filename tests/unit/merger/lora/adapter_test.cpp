#include "merger/lora/adapter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_adapter.hpp"

namespace crucible::lora {
namespace {

using ::testing::HasSubstr;

class AdapterFile : public ::testing::Test {
 protected:
  Result<Adapter> open() const { return Adapter::open(tiny_.write(folder_.path() / "adapter")); }
  void expect_error(ErrorCode code, const std::string& part) const {
    const auto adapter = open();
    ASSERT_FALSE(adapter);
    EXPECT_EQ(adapter.error().code, code);
    EXPECT_THAT(adapter.error().message, HasSubstr(part));
  }
  test::ScratchFolder folder_;
  test::TinyAdapter tiny_;
};

TEST_F(AdapterFile, NamesOfAllKinds) {
  tiny_.add_linear("model.layers.0.q", 4, 6);
  tiny_.add("model.layers.0.q.lora_B.bias", {4});
  tiny_.add("model.layers.1.q.lora_A.default.weight", {2, 6});
  tiny_.add("model.layers.1.q.lora_B.default.weight", {4, 2});
  tiny_.add("model.embed.lora_embedding_A", {2, 9});
  tiny_.add("model.embed.lora_embedding_B", {5, 2});
  tiny_.add("model.embed.base_layer.weight", {9, 5});
  tiny_.add("lm_head.modules_to_save.default.weight", {9, 5});
  tiny_.add("model.layers.0.k.bias", {4});
  const auto adapter = open();
  ASSERT_TRUE(adapter) << describe(adapter.error());
  ASSERT_EQ(adapter->modules().size(), 3U);
  EXPECT_EQ(adapter->modules()[0].name, "model.embed");
  EXPECT_TRUE(adapter->modules()[0].is_embedding);
  EXPECT_EQ(adapter->modules()[1].name, "model.layers.0.q");
  EXPECT_NE(adapter->modules()[1].bias, nullptr);
  EXPECT_EQ(adapter->modules()[2].name, "model.layers.1.q");
  EXPECT_FLOAT_EQ(adapter->modules()[2].scale, 1.5F);
  std::vector<std::string> replaced;
  for (const auto& [name, entry] : adapter->replacements()) replaced.push_back(name);
  EXPECT_EQ(replaced, (std::vector<std::string>{"lm_head.weight", "model.embed.weight",
                                                "model.layers.0.k.bias"}));
}

TEST_F(AdapterFile, PatternsAndRankStabilisation) {
  tiny_.config["use_rslora"] = true;
  tiny_.config["rank_pattern"] = {{"^model.layers.0.q", 4}, {"layers\\.[01]\\.(q|k)", 3}};
  tiny_.config["alpha_pattern"] = {{"q", 10}};
  tiny_.add_linear("model.layers.0.q", 4, 6, 4);
  tiny_.add_linear("model.layers.1.q", 4, 6, 3);
  tiny_.add_linear("model.layers.1.k", 4, 6, 3);
  tiny_.add_linear("model.layers.1.vq", 4, 6, 2);  // "q" must follow a dot
  const auto adapter = open();
  ASSERT_TRUE(adapter) << describe(adapter.error());
  std::map<std::string, float> scales;
  for (const AdapterModule& module : adapter->modules()) scales[module.name] = module.scale;
  EXPECT_FLOAT_EQ(scales["model.layers.0.q"], 5.0F);
  EXPECT_FLOAT_EQ(scales["model.layers.1.q"], static_cast<float>(10 / std::sqrt(3.0)));
  EXPECT_FLOAT_EQ(scales["model.layers.1.k"], static_cast<float>(3 / std::sqrt(3.0)));
  EXPECT_FLOAT_EQ(scales["model.layers.1.vq"], static_cast<float>(3 / std::sqrt(2.0)));
}

TEST_F(AdapterFile, OtherMethodsAreRefused) {
  tiny_.config["peft_type"] = "LOHA";
  expect_error(ErrorCode::kUnsupported, "LOHA");
}

TEST_F(AdapterFile, SettingsThatChangeMoreThanTheProductAreRefused) {
  const std::vector<std::pair<std::string, nlohmann::ordered_json>> settings = {
      {"target_parameters", {"experts.gate_up_proj"}},
      {"trainable_token_indices", {1}},
      {"layer_replication", {{0, 1}}},
      {"init_lora_weights", "pissa_niter_4"}};
  for (const auto& [field, value] : settings) {
    test::TinyAdapter tiny;
    tiny.config[field] = value;
    tiny.add_linear("q", 4, 6);
    const auto adapter = Adapter::open(tiny.write(folder_.path() / field));
    ASSERT_FALSE(adapter) << field;
    EXPECT_EQ(adapter.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(adapter.error().message, HasSubstr(field));
  }
}

TEST_F(AdapterFile, TensorOfAnotherMethod) {
  tiny_.add_linear("q", 4, 6);
  tiny_.add("q.lora_E", {2, 1});
  expect_error(ErrorCode::kUnsupported, "q.lora_E");
}

TEST_F(AdapterFile, MissingFactor) {
  tiny_.add("q.lora_A.weight", {2, 6});
  expect_error(ErrorCode::kCorrupt, "module q lacks its factor B");
}

TEST_F(AdapterFile, RankOfAnotherSizeThanConfigured) {
  tiny_.add_linear("q", 4, 6, 3);
  expect_error(ErrorCode::kCorrupt, "says rank 2");
}

TEST_F(AdapterFile, MagnitudeWithoutDora) {
  tiny_.add_linear("q", 4, 6);
  tiny_.add("q.lora_magnitude_vector", {4});
  expect_error(ErrorCode::kCorrupt, "use_dora is not set");
}

TEST_F(AdapterFile, ConvolutionsAreRefused) {
  tiny_.add("q.lora_A.weight", {2, 6, 1, 1});
  tiny_.add("q.lora_B.weight", {4, 2, 1, 1});
  expect_error(ErrorCode::kUnsupported, "[2, 6, 1, 1]");
}

TEST_F(AdapterFile, BadPattern) {
  tiny_.config["alpha_pattern"] = {{"q(", 4}};
  tiny_.add_linear("q", 4, 6);
  expect_error(ErrorCode::kInvalidArgument, "q(");
}

TEST_F(AdapterFile, PickleIsNotRead) {
  tiny_.add_linear("q", 4, 6);
  const auto folder = tiny_.write(folder_.path() / "adapter");
  std::filesystem::rename(folder / "adapter_model.safetensors", folder / "adapter_model.bin");
  const auto adapter = Adapter::open(folder);
  ASSERT_FALSE(adapter);
  EXPECT_EQ(adapter.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(adapter.error().message, HasSubstr("adapter_model.bin is a pickle"));
}

TEST_F(AdapterFile, DigestFollowsConfigurationAndWeights) {
  tiny_.add_linear("q", 4, 6);
  const auto first = adapter_digest(tiny_.write(folder_.path() / "a"));
  const auto same = adapter_digest(tiny_.write(folder_.path() / "b"));
  tiny_.config["lora_alpha"] = 4;
  const auto other = adapter_digest(tiny_.write(folder_.path() / "c"));
  ASSERT_TRUE(first && same && other);
  EXPECT_EQ(*first, *same);
  EXPECT_NE(*first, *other);
}

}  // namespace
}  // namespace crucible::lora
