#include "merger/checkpoint/infer_architecture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace crucible::checkpoint {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

class ShapeOnly : public TensorSource {
 public:
  explicit ShapeOnly(tensor::Shape shape) : shape_(std::move(shape)) {}
  tensor::DType dtype() const override { return tensor::DType::kF32; }
  const tensor::Shape& shape() const override { return shape_; }
  std::uint64_t stored_bytes() const override { return 0; }
  std::string origin() const override { return "nowhere"; }
  Status read(std::uint64_t, std::span<std::byte>) const override { return {}; }

 private:
  tensor::Shape shape_;
};

class NamesOnly : public Weights {
 public:
  std::vector<std::filesystem::path> folders() const override { return {}; }
  std::map<std::string, tensor::Shape> tensors;
  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [name, shape] : tensors) all.push_back(name);
    return all;
  }
  TensorSourcePtr find(std::string_view name) const override {
    const auto found = tensors.find(std::string(name));
    return found == tensors.end() ? nullptr : std::make_shared<const ShapeOnly>(found->second);
  }
};

struct Model {
  json config = {{"model_type", "new"},
                 {"architectures", {"NewForCausalLM"}},
                 {"n_layer", 3},
                 {"vocab_size", 50}};
  NamesOnly weights;
};

Model tiny(std::uint64_t layers = 3) {
  Model model;
  model.config["n_layer"] = layers;
  model.weights.tensors = {{"net.wte.weight", {50, 4}},
                           {"net.emb_norm.weight", {4}},
                           {"net.final_norm.weight", {4}},
                           {"lm_head.weight", {50, 4}}};
  for (std::uint64_t layer = 0; layer < layers; ++layer) {
    model.weights.tensors["net.blocks." + std::to_string(layer) + ".up.weight"] = {4, 4};
    model.weights.tensors["net.blocks." + std::to_string(layer) + ".down.weight"] = {4, 4};
  }
  return model;
}

Result<ArchitecturePtr> infer(const std::vector<const Model*>& models) {
  std::vector<ModelFacts> facts;
  for (std::size_t i = 0; i < models.size(); ++i)
    facts.push_back({"m" + std::to_string(i), &models[i]->config, &models[i]->weights});
  return infer_architecture(facts);
}

std::string refusal(const std::vector<const Model*>& models) {
  const auto found = infer(models);
  EXPECT_FALSE(found);
  if (found) return "";
  EXPECT_EQ(found.error().code, ErrorCode::kUnsupported);
  return found.error().message;
}

std::vector<std::string> names(const std::vector<TensorTemplate>& tensors) {
  std::vector<std::string> all;
  for (const TensorTemplate& tensor : tensors) all.push_back(tensor.name);
  return all;
}

TEST(InferArchitecture, FindsLayersAndBothEnds) {
  const Model a = tiny();
  const auto found = infer({&a});
  ASSERT_TRUE(found) << describe(found.error());
  EXPECT_TRUE((*found)->inferred);
  ASSERT_EQ((*found)->modules.size(), 1U);
  const Module& module = (*found)->modules.front();
  EXPECT_EQ(module.name, "default");
  EXPECT_THAT(module.layer_count_keys, ElementsAre("n_layer"));
  EXPECT_THAT(names(module.before), ElementsAre("net.emb_norm.weight", "net.wte.weight"));
  EXPECT_THAT(names(module.layer), ElementsAre("net.blocks.${layer_index}.down.weight",
                                               "net.blocks.${layer_index}.up.weight"));
  EXPECT_THAT(names(module.after), ElementsAre("lm_head.weight", "net.final_norm.weight"));
  EXPECT_THAT(module.before.back().shape, ElementsAre("vocab_size", ""));
  for (const TensorTemplate& tensor : module.layer) EXPECT_FALSE(tensor.optional);
  EXPECT_THAT(*layer_counts(**found, a.config, a.weights), ElementsAre(3));
}

TEST(InferArchitecture, WhatNotEveryLayerHasIsOptional) {
  Model a = tiny();
  Model b = tiny(5);  // another depth is no obstacle
  a.weights.tensors["net.blocks.1.bias"] = {4};
  b.weights.tensors.erase("net.emb_norm.weight");
  const Module module = (*infer({&a, &b}))->modules.front();
  EXPECT_TRUE(
      std::ranges::find(module.layer, "net.blocks.${layer_index}.bias", &TensorTemplate::name)
          ->optional);
  EXPECT_TRUE(module.before.front().optional);
  EXPECT_FALSE(module.before.back().optional);
  EXPECT_THAT(module.layer_count_keys, ElementsAre("n_layer")) << "right in both models";
}

TEST(InferArchitecture, TiesTheHeadThatOneModelLacks) {
  const Model a = tiny();
  Model b = tiny();
  b.weights.tensors.erase("lm_head.weight");
  EXPECT_EQ((*infer({&a, &b}))->modules.front().after.front().tied_to, "net.wte.weight");
  b.config["tie_word_embeddings"] = false;
  EXPECT_EQ((*infer({&a, &b}))->modules.front().after.front().tied_to, "");
}

TEST(InferArchitecture, SeveralStacksAreModules) {
  Model a = tiny();
  a.config["vision_config"] = {{"depth", 2}};
  a.weights.tensors["vision.layers.0.w"] = {4};
  a.weights.tensors["vision.layers.1.w"] = {4};
  a.weights.tensors["vision.patch_embed.weight"] = {4};
  a.weights.tensors["vision.post_norm.weight"] = {4};
  a.weights.tensors["projector.0.weight"] = {4};  // no layers, but two steps of a projection
  a.weights.tensors["projector.2.weight"] = {4};
  const auto found = infer({&a});
  ASSERT_TRUE(found) << describe(found.error());
  ASSERT_EQ((*found)->modules.size(), 2U);
  const Module& text = (*found)->modules[0];
  const Module& vision = (*found)->modules[1];
  EXPECT_EQ(text.name, "net.blocks");
  EXPECT_EQ(vision.name, "vision.layers");
  EXPECT_THAT(text.layer_count_keys, ElementsAre("n_layer"));
  EXPECT_THAT(vision.layer_count_keys, ElementsAre("vision_config.depth"));
  EXPECT_THAT(names(vision.before), ElementsAre("vision.patch_embed.weight"));
  EXPECT_THAT(names(vision.after), ElementsAre("vision.post_norm.weight"));
  EXPECT_THAT(names(text.before),
              ::testing::IsSupersetOf({"projector.0.weight", "projector.2.weight"}));
  EXPECT_THAT(*layer_counts(**found, a.config, a.weights), ElementsAre(3, 2));
}

TEST(InferArchitecture, RefusesWithReasons) {
  Model hole = tiny();
  hole.weights.tensors.erase("net.blocks.1.up.weight");
  hole.weights.tensors.erase("net.blocks.1.down.weight");
  EXPECT_NE(refusal({&hole}).find("net.blocks.1"), std::string::npos);

  Model flat = tiny(1);
  flat.weights.tensors.erase("net.blocks.0.up.weight");
  flat.weights.tensors.erase("net.blocks.0.down.weight");
  EXPECT_NE(refusal({&flat}).find("no numbered layers"), std::string::npos);

  const Model a = tiny();
  Model other = tiny();
  other.weights.tensors["extra.0.w"] = {4};
  other.weights.tensors["extra.1.w"] = {4};
  EXPECT_NE(refusal({&a, &other}).find("extra.N"), std::string::npos);

  Model strange;
  for (int layer = 0; layer < 3; ++layer)
    strange.weights.tensors["net.blocks." + std::to_string(layer) + ".w"] = {4};
  EXPECT_NE(refusal({&a, &strange}).find("in common"), std::string::npos);
}

}  // namespace
}  // namespace crucible::checkpoint
