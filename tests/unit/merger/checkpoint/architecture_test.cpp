#include "merger/checkpoint/architecture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "merger/checkpoint/packed_experts.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_checkpoint.hpp"

namespace crucible::checkpoint {
namespace {

using nlohmann::json;

test::TinyCheckpoint tiny_mixtral() {
  test::TinyCheckpoint tiny;
  tiny.config["model_type"] = "mixtral";
  tiny.config["architectures"] = {"MixtralForCausalLM"};
  tiny.config["num_local_experts"] = 3;
  tiny.config["num_hidden_layers"] = 2;
  return tiny;
}

std::shared_ptr<const Checkpoint> opened(const std::filesystem::path& path) {
  auto checkpoint = Checkpoint::open(path);
  EXPECT_TRUE(checkpoint);
  return std::make_shared<const Checkpoint>(std::move(*checkpoint));
}

const Architecture& table(const std::string& model_type) {
  return *std::ranges::find(architectures(), model_type, &Architecture::model_type);
}

TEST(Architecture, TablesAreSound) {
  std::set<std::pair<std::string, std::string>> seen;
  for (const Architecture& known : architectures()) {
    for (const std::string& name : known.names)
      EXPECT_TRUE(seen.emplace(known.model_type, name).second) << name;
    ASSERT_EQ(known.modules.size(), 1U);
    const Module& module = known.modules.front();
    EXPECT_FALSE(module.layer_count_keys.empty()) << known.model_type;
    for (const TensorTemplate& tensor : module.layer)
      EXPECT_NE(tensor.name.find("${layer_index}"), std::string::npos) << tensor.name;
    for (const TensorTemplate& tensor : module.after) {
      if (tensor.tied_to.empty()) continue;
      const bool known_tie = std::ranges::any_of(
          module.before, [&](const TensorTemplate& other) { return other.name == tensor.tied_to; });
      EXPECT_TRUE(known_tie) << known.model_type << " " << tensor.tied_to;
    }
    std::size_t parts = 0;
    for (const TensorTemplate& packed : module.packed) {
      parts += packed.parts.size();
      EXPECT_FALSE(packed.count.empty()) << known.model_type;
    }
    EXPECT_EQ(std::ranges::count_if(module.layer, &TensorTemplate::per_expert),
              static_cast<std::ptrdiff_t>(parts))
        << known.model_type;
  }
}

TEST(Architecture, ShapesFollowTheConfiguration) {
  json config = test::TinyCheckpoint{}.config;
  config["head_dim"] = 6;
  const TensorTemplate query{"q", {"attention_size", "hidden_size"}};
  EXPECT_EQ(expected_shape(query, config), (tensor::Shape{12, 8}));
  const TensorTemplate key{"k", {"key_value_size"}};
  EXPECT_EQ(expected_shape(key, config), (tensor::Shape{6}));
  config.erase("num_key_value_heads");
  config.erase("head_dim");
  EXPECT_EQ(expected_shape(key, config), (tensor::Shape{8}));
  EXPECT_FALSE(expected_shape({"x", {"hidden_size", ""}}, config)) << "an extent is not known";
  EXPECT_FALSE(expected_shape({"x", {}}, config));
  config["hidden_size"] = -8;
  EXPECT_FALSE(expected_shape(query, config));
}

TEST(Architecture, SizesAreExpressions) {
  const json config = {{"a", 5},
                       {"b", 7},
                       {"nothing", nullptr},
                       {"huge", 4'000'000'000},
                       {"text_config", {{"c", 3}, {"a", 99}}}};
  EXPECT_EQ(evaluate_size(config, "2*a"), 10U);
  EXPECT_EQ(evaluate_size(config, "a+2*b"), 19U);
  EXPECT_EQ(evaluate_size(config, "missing|4*a"), 20U);
  EXPECT_EQ(evaluate_size(config, "nothing|b"), 7U);
  EXPECT_EQ(evaluate_size(config, "a|b"), 5U);
  EXPECT_EQ(evaluate_size(config, "c"), 3U) << "found in text_config";
  EXPECT_EQ(evaluate_size(config, "text_config.a"), 99U);
  EXPECT_EQ(evaluate_size(config, "1"), 1U);
  for (const char* bad : {"", "missing", "a+missing", "2*", "huge*huge*huge", "a.b"})
    EXPECT_FALSE(evaluate_size(config, bad)) << bad;
}

TEST(Architecture, FusedAttentionCountsKeyValueHeads) {
  json config = {{"hidden_size", 32}, {"num_attention_heads", 4}};
  EXPECT_EQ(evaluate_size(config, "query_key_value_size"), 96U);
  config["multi_query"] = true;
  EXPECT_EQ(evaluate_size(config, "query_key_value_size"), 48U);
  config["new_decoder_architecture"] = true;
  config["num_kv_heads"] = 2;
  EXPECT_EQ(evaluate_size(config, "query_key_value_size"), 64U);
}

TEST(Architecture, UnknownOnesHaveNoTable) {
  const test::ScratchFolder folder;
  test::TinyCheckpoint tiny;
  tiny.config["architectures"] = {"MambaForCausalLM"};
  EXPECT_EQ(find_architecture(*opened(tiny.write(folder.path() / "class"))).value(), nullptr);
  tiny.config["architectures"] = json::array();
  EXPECT_NE(find_architecture(*opened(tiny.write(folder.path() / "none"))).value(), nullptr)
      << "the model type is enough where no class is named";
  EXPECT_NE(supported_names().find("Qwen2ForCausalLM"), std::string::npos);
}

TEST(Architecture, LayerCountMustBeSensible) {
  const Architecture& llama = table("llama");
  const test::ScratchFolder folder;
  const StoredWeights weights(opened(test::TinyCheckpoint{}.write(folder.path() / "m")));
  EXPECT_EQ(layer_counts(llama, {{"num_hidden_layers", 12}}, weights)->front(), 12U);
  for (const json& bad :
       {json(0), json(-1), json(1.5), json("12"), json(1'000'000'000'000), json(nullptr)}) {
    EXPECT_FALSE(layer_counts(llama, {{"num_hidden_layers", bad}}, weights));
  }
  EXPECT_FALSE(layer_counts(llama, json::object(), weights));
  EXPECT_EQ(layer_counts(table("gpt2"), {{"n_layer", 5}}, weights)->front(), 5U);
}

TEST(Architecture, PrefixesAreAliases) {
  const Module& gpt2 = table("gpt2").modules.front();
  EXPECT_THAT(gpt2.layer.front().spellings(7),
              ::testing::ElementsAre("transformer.h.7.ln_1.weight", "h.7.ln_1.weight"));
  const auto head = std::ranges::find(gpt2.after, "lm_head.weight", &TensorTemplate::name);
  ASSERT_NE(head, gpt2.after.end());
  EXPECT_THAT(head->tied_spellings(),
              ::testing::ElementsAre("transformer.wte.weight", "wte.weight"));
}

TEST(Architecture, ExpertsAreWrittenOut) {
  const test::ScratchFolder folder;
  test::TinyCheckpoint tiny = tiny_mixtral();
  const auto found = find_architecture(*opened(tiny.write(folder.path() / "m"))).value();
  ASSERT_NE(found, nullptr);
  EXPECT_FALSE(found->packed_experts);
  const auto& layer = found->modules.front().layer;
  const auto last =
      std::ranges::find(layer, "model.layers.${layer_index}.block_sparse_moe.experts.2.w3.weight",
                        &TensorTemplate::name);
  EXPECT_NE(last, layer.end());
  EXPECT_EQ(std::ranges::count_if(layer, &TensorTemplate::per_expert), 9);
  tiny.packed = true;
  const auto packed = find_architecture(*opened(tiny.write(folder.path() / "packed"))).value();
  EXPECT_TRUE(packed->packed_experts);
  tiny.packed = false;
  const auto broken = opened(tiny.write(folder.path() / "broken"));
  tiny.config.erase("num_local_experts");
  EXPECT_FALSE(written_out(table("mixtral"), tiny.config));
}

std::vector<float> values_of(const TensorSource& source) {
  std::vector<float> values(tensor::element_count(source.shape()).value());
  EXPECT_TRUE(source.read(0, std::as_writable_bytes(std::span(values))));
  return values;
}

TEST(PackedExperts, AreTheExpertsOneAfterTheOther) {
  const test::ScratchFolder folder;
  const auto checkpoint = opened(tiny_mixtral().write(folder.path() / "m"));
  const auto packed_form = with_packed_experts(*find_architecture(*checkpoint).value());
  const StoredWeights stored(checkpoint);
  const auto packed =
      pack_experts(std::make_unique<const StoredWeights>(checkpoint), *packed_form, 2);
  ASSERT_TRUE(packed) << describe(packed.error());
  const auto gate_up = (*packed)->find("model.layers.1.mlp.experts.gate_up_proj");
  ASSERT_NE(gate_up, nullptr);
  EXPECT_EQ(gate_up->shape(), (tensor::Shape{3, 24, 8}));
  EXPECT_EQ(gate_up->stored_bytes(), 3U * 24 * 8 * 4);
  std::vector<float> expected;
  for (int expert = 0; expert < 3; ++expert) {
    for (const char* part : {"w1", "w3"}) {
      const auto one = values_of(*stored.find("model.layers.1.block_sparse_moe.experts." +
                                              std::to_string(expert) + "." + part + ".weight"));
      expected.insert(expected.end(), one.begin(), one.end());
    }
  }
  EXPECT_EQ(values_of(*gate_up), expected);
  std::vector<float> middle(150);  // from inside one part to inside the next but one
  ASSERT_TRUE(gate_up->read(90, std::as_writable_bytes(std::span(middle))));
  EXPECT_TRUE(std::ranges::equal(middle, std::span(expected).subspan(90, 150)));
  EXPECT_EQ((*packed)->find("model.layers.1.mlp.experts.down_proj")->shape(),
            (tensor::Shape{3, 8, 12}));
  for (const std::string& name : (*packed)->names())
    EXPECT_EQ(name.find("experts.0"), std::string::npos) << name;
  EXPECT_TRUE(std::ranges::is_sorted((*packed)->names()));
}

TEST(PackedExperts, NeedEveryPart) {
  const test::ScratchFolder folder;
  test::TinyCheckpoint tiny = tiny_mixtral();
  tiny.edit = [](safetensors::OutputTensor& tensor) {
    return tensor.name != "model.layers.1.block_sparse_moe.experts.2.w3.weight";
  };
  const auto checkpoint = opened(tiny.write(folder.path() / "m"));
  const auto packed_form = with_packed_experts(*find_architecture(*checkpoint).value());
  const auto packed =
      pack_experts(std::make_unique<const StoredWeights>(checkpoint), *packed_form, 2);
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(packed.error().message.find("experts.2.w3"), std::string::npos);
}

}  // namespace
}  // namespace crucible::checkpoint
