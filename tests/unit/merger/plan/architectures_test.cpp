#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "merger/base/io.hpp"
#include "merger/checkpoint/architecture.hpp"
#include "merger/checkpoint/tensor_source.hpp"
#include "merger/plan/merge.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_checkpoint.hpp"

namespace crucible::plan {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kLinear =
    "{merge_method: linear, models: [{model: a}, {model: b}], parameters: {weight: 1}}";
// Five layers: 0 to 2 of a, then 1 and 2 of b.
constexpr const char* kSlices = R"({merge_method: passthrough, slices: [
  {sources: [{model: a, layer_range: [0, 3]}]}, {sources: [{model: b, layer_range: [1, 3]}]}]})";

// Every size that a table asks for.
test::TinyCheckpoint tiny_of(const checkpoint::Architecture& table) {
  test::TinyCheckpoint tiny;
  tiny.config.update({{"model_type", table.model_type},
                      {"architectures", {table.names.front()}},
                      {"n_embd", 8},
                      {"n_head", 2},
                      {"n_positions", 16},
                      {"max_position_embeddings", 16},
                      {"ffn_dim", 12},
                      {"word_embed_proj_dim", 4},
                      {"num_experts", 2},
                      {"num_local_experts", 2},
                      {"n_routed_experts", 2},
                      {"moe_intermediate_size", 6},
                      {"shared_expert_intermediate_size", 10},
                      {"n_shared_experts", 1},
                      {"q_lora_rank", 4},
                      {"kv_lora_rank", 4},
                      {"qk_nope_head_dim", 4},
                      {"qk_rope_head_dim", 2},
                      {"v_head_dim", 4}});
  tiny.config.erase("num_hidden_layers");
  tiny.config[table.modules.front().layer_count_keys.front()] = 3;
  return tiny;
}

class Scene {
 public:
  const fs::path& folder() const { return scratch_.path(); }
  void write(const char* name, const test::TinyCheckpoint& tiny) const {
    tiny.write(folder() / name);
  }
  Result<MergeReport> run(const std::string& text, const std::string& out,
                          MergeOptions options = {}) const {
    auto recipe = recipe::read_recipe(text);
    EXPECT_TRUE(recipe) << describe(recipe.error());
    options.threads = 1;
    return merge(*recipe, resolve_beneath({folder()}), options, folder() / out, {}, {});
  }
  std::shared_ptr<const Checkpoint> open(const std::string& name) const {
    auto checkpoint = Checkpoint::open(folder() / name);
    EXPECT_TRUE(checkpoint) << describe(checkpoint.error());
    return std::make_shared<const Checkpoint>(std::move(*checkpoint));
  }
  // Bytes of a tensor.
  std::vector<std::byte> bytes(const std::string& model, const std::string& tensor) const {
    const auto checkpoint = open(model);
    const auto source = checkpoint::StoredWeights(checkpoint).find(tensor);
    EXPECT_NE(source, nullptr) << tensor;
    if (source == nullptr) return {};
    std::vector<std::byte> out(source->stored_bytes());
    EXPECT_TRUE(source->read(0, out));
    return out;
  }

 private:
  test::ScratchFolder scratch_;
};

class EveryTable : public ::testing::TestWithParam<std::size_t> {};

TEST_P(EveryTable, MergesWholeAndSliced) {
  const checkpoint::Architecture& table = checkpoint::architectures()[GetParam()];
  const Scene scene;
  test::TinyCheckpoint tiny = tiny_of(table);
  tiny.optional = true;
  scene.write("a", tiny);
  tiny.seed = 2;
  scene.write("b", tiny);
  const auto whole = scene.run(kLinear, "whole");
  ASSERT_TRUE(whole) << describe(whole.error());
  EXPECT_THAT(whole->warnings, ElementsAre());
  EXPECT_EQ(scene.open("whole")->tensor_names(), scene.open("a")->tensor_names());

  const auto sliced = scene.run(kSlices, "sliced");
  ASSERT_TRUE(sliced) << describe(sliced.error());
  const auto merged = scene.open("sliced");
  const std::string key = table.modules.front().layer_count_keys.front();
  EXPECT_EQ(merged->config().at(key), 5);
  const checkpoint::Architecture written = checkpoint::written_out(table, tiny.config).value();
  for (const auto& tensor : written.modules.front().layer) {
    EXPECT_EQ(scene.bytes("sliced", tensor.in_layer(4)), scene.bytes("b", tensor.in_layer(2)))
        << tensor.name;
  }
  EXPECT_EQ(merged->find(written.modules.front().layer.front().in_layer(5)).shard, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Architectures, EveryTable,
                         ::testing::Range<std::size_t>(0, checkpoint::architectures().size()),
                         [](const auto& info) {
                           return checkpoint::architectures()[info.param].model_type;
                         });

test::TinyCheckpoint tiny_of(const std::string& model_type) {
  return tiny_of(*std::ranges::find(checkpoint::architectures(), model_type,
                                    &checkpoint::Architecture::model_type));
}

TEST(Experts, AreMergedAsTheyLieOrPacked) {
  const Scene scene;
  test::TinyCheckpoint tiny = tiny_of("mixtral");
  scene.write("a", tiny);
  tiny.seed = 2;
  scene.write("b", tiny);
  ASSERT_TRUE(scene.run(kLinear, "single"));
  tiny.packed = true;
  tiny.edit = [](auto&) { return true; };
  const std::string name = "model.layers.2.mlp.experts.gate_up_proj";
  EXPECT_EQ(scene.open("single")->find(name).shard, nullptr) << "the inputs' layout stays";

  MergeOptions options;
  options.compatibility = method::Compatibility::kMergekit;
  ASSERT_TRUE(scene.run(kLinear, "packed", options));
  std::vector<std::byte> experts;
  for (int expert = 0; expert < 2; ++expert) {
    for (const char* part : {"w1", "w3"}) {
      const auto one = scene.bytes("single", "model.layers.2.block_sparse_moe.experts." +
                                                 std::to_string(expert) + "." + part + ".weight");
      experts.insert(experts.end(), one.begin(), one.end());
    }
  }
  EXPECT_EQ(scene.bytes("packed", name), experts);

  // One of each kind: a packed copy of a and b as it is.
  ASSERT_TRUE(scene.run("{merge_method: passthrough, models: [{model: a}]}", "packed-a", options));
  ASSERT_TRUE(
      scene.run("{merge_method: linear, parameters: {weight: 1}, models: "
                "[{model: packed-a}, {model: b}]}",
                "mixed"));
  EXPECT_EQ(scene.bytes("mixed", name), experts);
}

TEST(Names, AreTheInputsWhereTheyAgree) {
  const Scene scene;
  test::TinyCheckpoint tiny = tiny_of("gpt2");
  tiny.tied = true;
  scene.write("prefixed", tiny);
  tiny.edit = [](safetensors::OutputTensor& tensor) {
    tensor.name = tensor.name.substr(tensor.name.find('.') + 1);
    return true;
  };
  scene.write("a", tiny);
  scene.write("b", tiny);
  ASSERT_TRUE(scene.run(kLinear, "bare"));
  EXPECT_EQ(scene.open("bare")->tensor_names(), scene.open("a")->tensor_names());
  ASSERT_TRUE(
      scene.run("{merge_method: linear, parameters: {weight: 1}, models: "
                "[{model: a}, {model: prefixed}]}",
                "mixed"));
  EXPECT_EQ(scene.open("mixed")->tensor_names(), scene.open("prefixed")->tensor_names());
}

TEST(Names, FiltersMatchEverySpelling) {
  const Scene scene;
  test::TinyCheckpoint tiny = tiny_of("mixtral");
  tiny.edit = [](safetensors::OutputTensor& tensor) {
    const std::size_t at = tensor.name.find("mlp.gate.");
    if (at != std::string::npos) tensor.name.replace(at, 3, "block_sparse_moe");
    return true;
  };
  scene.write("a", tiny);
  const auto report = scene.run(R"({merge_method: passthrough, models: [{model: a,
      parameters: {scale: [{filter: mlp.gate, value: 0}, {value: 1}]}}]})",
                                "out");
  ASSERT_TRUE(report) << describe(report.error());
  const std::string name = "model.layers.0.block_sparse_moe.gate.weight";
  const auto values = scene.bytes("out", name);
  EXPECT_TRUE(std::ranges::all_of(values, [](std::byte byte) {
    return (byte & std::byte{0x7F}) == std::byte{0};  // 0 or -0
  }));
}

TEST(LayerConfig, FollowsTheChosenLayers) {
  const Scene scene;
  test::TinyCheckpoint tiny = tiny_of("qwen3_moe");
  tiny.optional = true;
  tiny.config.update({{"layer_types", {"x", "y", "z"}},
                      {"mlp_only_layers", {1}},
                      {"decoder_sparse_step", 1},
                      {"eos_token_id", {1, 2, 3}}});
  scene.write("a", tiny);
  scene.write("b", tiny);
  ASSERT_TRUE(scene.run(kSlices, "out"));
  const json config = scene.open("out")->config();
  EXPECT_EQ(config.at("layer_types"), json({"x", "y", "z", "y", "z"}));
  EXPECT_EQ(config.at("mlp_only_layers"), json({1, 3}));
  EXPECT_EQ(config.at("eos_token_id"), json({1, 2, 3}));

  tiny.config["decoder_sparse_step"] = 2;  // layers 0 and 2 are dense, 1 by the list
  for (const char* name : {"a", "b"}) fs::remove_all(scene.folder() / name);
  scene.write("a", tiny);
  scene.write("b", tiny);
  ASSERT_TRUE(scene.run(kSlices, "steps"));
  const json steps = scene.open("steps")->config();
  EXPECT_EQ(steps.at("decoder_sparse_step"), 1);
  EXPECT_EQ(steps.at("mlp_only_layers"), json({0, 1, 2, 3, 4}));
}

TEST(LayerConfig, CountsLeadingLayers) {
  const Scene scene;
  test::TinyCheckpoint tiny = tiny_of("deepseek_v3");
  tiny.optional = true;
  tiny.config["first_k_dense_replace"] = 1;
  scene.write("a", tiny);
  scene.write("b", tiny);
  const auto fits = scene.run(kSlices, "fits");
  ASSERT_TRUE(fits) << describe(fits.error());
  EXPECT_THAT(fits->warnings, ElementsAre());
  EXPECT_EQ(scene.open("fits")->config().at("first_k_dense_replace"), 1);
  const auto odd = scene.run(R"({merge_method: passthrough, slices: [
      {sources: [{model: a, layer_range: [0, 2]}]}, {sources: [{model: b, layer_range: [0, 3]}]}]})",
                             "odd");
  ASSERT_TRUE(odd);
  EXPECT_THAT(odd->warnings, ElementsAre(HasSubstr("first_k_dense_replace")));
}

TEST(LayerConfig, WritesOutTheKindsThatFollowFromNumbers) {
  const Scene scene;
  const test::TinyCheckpoint tiny = tiny_of("gemma2");
  scene.write("a", tiny);
  scene.write("b", tiny);
  ASSERT_TRUE(scene.run(kSlices, "out"));
  const std::string full = "full_attention";
  const std::string sliding = "sliding_attention";
  EXPECT_EQ(scene.open("out")->config().at("layer_types"),
            json({sliding, full, sliding, full, sliding}));
  ASSERT_TRUE(scene.run(kLinear, "whole"));
  EXPECT_FALSE(scene.open("whole")->config().contains("layer_types"));
}

// A llama under names that no table has.
test::TinyCheckpoint unknown() {
  test::TinyCheckpoint tiny;
  tiny.edit = [](safetensors::OutputTensor& tensor) {
    const std::size_t at = tensor.name.find("model.");
    if (at != std::string::npos) tensor.name.replace(at, 6, "net.");
    return true;
  };
  return tiny;
}
void rename_class(const fs::path& folder, json config) {
  config["model_type"] = "new";
  config["architectures"] = {"NewForCausalLM"};
  fs::remove(folder / "config.json");
  ASSERT_TRUE(io::write_new_file(folder / "config.json", config.dump()));
}

class Unknown : public ::testing::Test {
 protected:
  void SetUp() override {
    test::TinyCheckpoint tiny = unknown();
    for (const char* name : {"a", "b"}) {
      tiny.write(scene.folder() / name);
      ++tiny.seed;
      rename_class(scene.folder() / name, tiny.config);
    }
  }
  Scene scene;
};

TEST_F(Unknown, ArchitecturesAreInferred) {
  const auto whole = scene.run(kLinear, "whole");
  ASSERT_TRUE(whole) << describe(whole.error());
  EXPECT_THAT(whole->warnings, ElementsAre());
  EXPECT_EQ(scene.open("whole")->tensor_names(), scene.open("a")->tensor_names());
  const auto sliced = scene.run(kSlices, "sliced");
  ASSERT_TRUE(sliced) << describe(sliced.error());
  EXPECT_EQ(scene.open("sliced")->config().at("num_hidden_layers"), 5);
  EXPECT_EQ(scene.bytes("sliced", "net.layers.4.mlp.up_proj.weight"),
            scene.bytes("b", "net.layers.2.mlp.up_proj.weight"));
  EXPECT_EQ(scene.bytes("sliced", "net.embed_tokens.weight"),
            scene.bytes("a", "net.embed_tokens.weight"));
  EXPECT_EQ(scene.bytes("sliced", "lm_head.weight"), scene.bytes("b", "lm_head.weight"))
      << "the head of the last slice";
  EXPECT_EQ(scene.bytes("sliced", "net.norm.weight"), scene.bytes("b", "net.norm.weight"));
}

TEST_F(Unknown, LayerCountsThatNoKeyHoldsCannotChange) {
  for (const char* name : {"a", "b"}) {
    json config = unknown().config;
    config["num_hidden_layers"] = 7;
    rename_class(scene.folder() / name, config);
  }
  ASSERT_TRUE(scene.run(kLinear, "whole"));
  const auto sliced = scene.run(kSlices, "sliced");
  ASSERT_FALSE(sliced);
  EXPECT_EQ(sliced.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(describe(sliced.error()), HasSubstr("net.layers.N"));
}

TEST_F(Unknown, SeveralModulesAreMergedOneByOne) {
  for (const char* name : {"a", "b"}) {
    fs::remove_all(scene.folder() / name);
    test::TinyCheckpoint tiny = unknown();
    tiny.seed = *name == 'a' ? 1U : 2U;
    // Layers 0 and 1 become a second stack; what was layer 2 is then the first of the main one.
    tiny.config["num_hidden_layers"] = 5;
    tiny.edit = [](safetensors::OutputTensor& tensor) {
      const std::size_t at = tensor.name.find("layers.");
      if (at == std::string::npos) return true;
      const int layer = tensor.name[at + 7] - '0';
      const std::string rest = tensor.name.substr(at + 8);
      tensor.name = layer < 2 ? "vision.layers." + std::to_string(layer) + rest
                              : "model.layers." + std::to_string(layer - 2) + rest;
      return true;
    };
    tiny.write(scene.folder() / name);
    json config = tiny.config;
    config["num_hidden_layers"] = 3;
    config["vision_config"] = {{"num_hidden_layers", 2}};
    rename_class(scene.folder() / name, config);
  }
  const auto whole = scene.run(kLinear, "whole");
  ASSERT_TRUE(whole) << describe(whole.error());
  EXPECT_EQ(scene.open("whole")->tensor_names(), scene.open("a")->tensor_names());
  const auto refused = scene.run(kSlices, "sliced");
  ASSERT_FALSE(refused);
  EXPECT_THAT(describe(refused.error()), HasSubstr("vision.layers"));

  const std::string text_slices = R"({slices: [
      {sources: [{model: a, layer_range: [0, 3]}]}, {sources: [{model: b, layer_range: [1, 3]}]}]})";
  const auto modules =
      scene.run("{merge_method: passthrough, modules: {model.layers: " + text_slices +
                    ", vision.layers: {models: [{model: b}]}}}",
                "modules");
  ASSERT_TRUE(modules) << describe(modules.error());
  const auto merged = scene.open("modules");
  EXPECT_EQ(merged->config().at("num_hidden_layers"), 5);
  EXPECT_EQ(merged->config().at("vision_config").at("num_hidden_layers"), 2);
  EXPECT_EQ(scene.bytes("modules", "vision.layers.1.mlp.up_proj.weight"),
            scene.bytes("b", "vision.layers.1.mlp.up_proj.weight"));
  const auto half = scene.run("{merge_method: passthrough, modules: {model.layers: " + text_slices +
                                  ", audio: {models: [{model: b}]}}}",
                              "half");
  ASSERT_FALSE(half);
  EXPECT_THAT(describe(half.error()), HasSubstr("vision.layers"));
  EXPECT_THAT(describe(half.error()), HasSubstr("modules.audio"));
}

TEST(MixedArchitectures, NeedPermission) {
  const Scene scene;
  scene.write("a", tiny_of("llama"));
  scene.write("b", tiny_of("mistral"));
  const auto refused = scene.run(kLinear, "refused");
  ASSERT_FALSE(refused);
  EXPECT_THAT(describe(refused.error()), HasSubstr("--allow-crimes"));
  MergeOptions options;
  options.allow_mixed_architectures = true;
  ASSERT_TRUE(scene.run(kLinear, "out", options));
  EXPECT_EQ(scene.open("out")->config().at("model_type"), "llama");
}

}  // namespace
}  // namespace crucible::plan
