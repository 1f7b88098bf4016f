#include "merger/moe/moe.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "merger/checkpoint/checkpoint.hpp"
#include "merger/checkpoint/tensor_source.hpp"
#include "merger/moe/computed_tensors.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_checkpoint.hpp"

namespace crucible::moe {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kHidden = 8;
constexpr std::size_t kLayers = 3;

// Tokens are a prompt's letters from 'a' = 1; 0 is BOS and padding. The state entering layer l is,
// in element i, token * (l + 1) + i.
class LetterModel : public PromptModel {
 public:
  Result<std::vector<TokenIds>> encode(std::span<const std::string> prompts) const override {
    std::vector<TokenIds> all;
    for (const std::string& prompt : prompts) {
      TokenIds ids = {0};
      for (const char letter : prompt) ids.push_back(letter - 'a' + 1);
      all.push_back(std::move(ids));
    }
    return all;
  }
  std::optional<std::int32_t> padding_token() const override { return 0; }
  Result<std::vector<LayerStates>> layer_inputs(std::span<const TokenIds> prompts,
                                                StatePosition position, const ProgressSink&,
                                                std::stop_token) override {
    std::vector<LayerStates> all;
    for (const TokenIds& ids : prompts) {
      LayerStates states(kLayers * kHidden);
      for (std::size_t t = 0; t < ids.size(); ++t) {
        if (position == StatePosition::kLast && t + 1 != ids.size()) continue;
        for (std::size_t l = 0; l < kLayers; ++l) {
          for (std::size_t i = 0; i < kHidden; ++i)
            states[l * kHidden + i] +=
                static_cast<float>(ids[t] * static_cast<int>(l + 1) + static_cast<int>(i));
        }
      }
      all.push_back(std::move(states));
    }
    return all;
  }
};

Result<std::unique_ptr<PromptModel>> letters(const checkpoint::Checkpoint&) {
  return std::make_unique<LetterModel>();
}

class Moe : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& type = "llama",
             const std::function<void(test::TinyCheckpoint&)>& edit = {}) {
    test::TinyCheckpoint tiny;
    tiny.seed = ++seed_;
    tiny.config["model_type"] = type;
    const std::map<std::string, std::string> classes = {{"llama", "LlamaForCausalLM"},
                                                        {"mistral", "MistralForCausalLM"},
                                                        {"qwen2", "Qwen2ForCausalLM"},
                                                        {"qwen3", "Qwen3ForCausalLM"}};
    tiny.config["architectures"] = json::array({classes.at(type)});
    tiny.config["head_dim"] = 4;
    if (edit) edit(tiny);
    tiny.write(folder() / name);
  }
  void write_all(const std::string& type) {
    for (const char* name : {"base", "a", "b"}) write(name, type);
  }
  const fs::path& folder() const { return scratch_.path(); }
  plan::ModelResolver resolver() const { return plan::resolve_beneath({folder()}); }

  static MoeRecipe recipe_of(const std::string& text) {
    auto recipe = read_moe_recipe(text);
    EXPECT_TRUE(recipe) << describe(recipe.error());
    return recipe ? std::move(*recipe) : MoeRecipe();
  }
  checkpoint::Checkpoint build_ok(const std::string& text, const std::string& out = "out",
                                  const MoeOptions& options = {}) {
    const auto report =
        build(recipe_of(text), resolver(), options, letters, folder() / out, {}, {});
    EXPECT_TRUE(report) << describe(report.error());
    auto opened = checkpoint::Checkpoint::open(folder() / out);
    EXPECT_TRUE(opened) << describe(opened.error());
    if (report && opened) {
      EXPECT_EQ(*checkpoint::content_digest(*opened, 1), report->content_digest);
      EXPECT_EQ(opened->parameter_count(), report->parameters);
    }
    return std::move(*opened);
  }
  std::vector<Fault> faults(const std::string& text, const MoeOptions& options = {}) {
    const auto found = preflight(recipe_of(text), resolver(), options, folder());
    EXPECT_FALSE(found);
    return found ? std::vector<Fault>() : found.error().faults;
  }
  checkpoint::Checkpoint model(const std::string& name) {
    return std::move(*checkpoint::Checkpoint::open(folder() / name));
  }
  static std::vector<float> values(const checkpoint::Checkpoint& from, const std::string& name) {
    const auto found = from.find(name);
    EXPECT_NE(found.shard, nullptr) << name;
    if (found.shard == nullptr) return {};
    const checkpoint::StoredTensor tensor(found);
    std::vector<std::byte> raw(found.entry->bytes);
    EXPECT_TRUE(tensor.read(0, raw));
    std::vector<float> out(raw.size() / tensor::byte_size(tensor.dtype()));
    tensor::to_float32(tensor.dtype(), raw, out);
    return out;
  }

 private:
  test::ScratchFolder scratch_;
  unsigned seed_ = 0;
};

constexpr const char* kTwo = R"(
base_model: base
gate_mode: hidden
experts:
  - {source_model: a, positive_prompts: [b, abc], negative_prompts: [d]}
  - {source_model: b, positive_prompts: [z]}
)";
constexpr const char* kShared = R"(
base_model: base
gate_mode: cheap_embed
experts:
  - {source_model: a, positive_prompts: [b, abc], negative_prompts: [d]}
  - {source_model: b, positive_prompts: [e]}
shared_experts:
  - {source_model: b, positive_prompts: [q]}
)";

std::string without_prompts(std::string text) {
  const std::string last = ", positive_prompts: [q]";
  return text.replace(text.find(last), last.size(), "");
}

TEST_F(Moe, MixtralHasThePublishedNames) {
  write_all("mistral");
  const auto out = build_ok(kTwo);
  EXPECT_EQ(out.model_type(), "mixtral");
  EXPECT_EQ(out.architecture(), "MixtralForCausalLM");
  EXPECT_EQ(out.config()["num_local_experts"], 2);
  EXPECT_EQ(out.config()["num_experts_per_tok"], 2);
  EXPECT_EQ(out.config()["intermediate_size"], 12);
  EXPECT_TRUE(out.config()["sliding_window"].is_null());
  EXPECT_EQ(out.config()["rms_norm_eps"], 1e-6);  // mistral's default, not mixtral's
  EXPECT_EQ(out.config()["rope_theta"], 10000.0);
  const std::string block = "model.layers.1.block_sparse_moe.";
  EXPECT_EQ(values(out, block + "experts.0.w1.weight"),
            values(model("a"), "model.layers.1.mlp.gate_proj.weight"));
  EXPECT_EQ(values(out, block + "experts.1.w2.weight"),
            values(model("b"), "model.layers.1.mlp.down_proj.weight"));
  EXPECT_EQ(values(out, block + "experts.1.w3.weight"),
            values(model("b"), "model.layers.1.mlp.up_proj.weight"));
  EXPECT_EQ(values(out, "model.layers.2.self_attn.k_proj.weight"),
            values(model("base"), "model.layers.2.self_attn.k_proj.weight"));
  EXPECT_EQ(values(out, "lm_head.weight"), values(model("base"), "lm_head.weight"));
  EXPECT_EQ(out.find("model.layers.0.mlp.gate_proj.weight").shard, nullptr);
  std::size_t expected = 3 + kLayers * (6 + 2 * 3 + 1);
  EXPECT_EQ(out.tensor_names().size(), expected);
}

TEST_F(Moe, FolderHoldsRecipeAndCard) {
  write_all("llama");
  build_ok(kTwo);
  EXPECT_EQ(*io::read_text(folder() / "out" / "mergekit_moe_config.yml", 1 << 20), kTwo);
  const auto card = io::read_text(folder() / "out" / "README.md", 1 << 20);
  EXPECT_NE(card->find("base_model:\n- \"base\"\n- \"a\"\n- \"b\"\n"), std::string::npos) << *card;
  EXPECT_NE(card->find("MixtralForCausalLM"), std::string::npos);
}

TEST_F(Moe, HiddenRowsAreMeansOfLastStates) {
  write_all("llama");
  const auto rows = values(build_ok(kTwo), "model.layers.2.block_sparse_moe.gate.weight");
  // Layer 2, expert 0: last tokens b (2) and c (3), minus d (4): (2.5 - 4) * 3 in every element.
  ASSERT_EQ(rows.size(), 2 * kHidden);
  for (std::size_t i = 0; i < kHidden; ++i)
    EXPECT_NEAR(rows[i], -1 / std::sqrt(static_cast<double>(kHidden)), 1e-6);
  double squares = 0;
  for (std::size_t i = 0; i < kHidden; ++i)
    squares += std::pow(26.0 * 3 + static_cast<double>(i), 2);
  for (std::size_t i = 0; i < kHidden; ++i) {
    EXPECT_NEAR(rows[kHidden + i], (26.0 * 3 + static_cast<double>(i)) / std::sqrt(squares), 1e-6);
  }
}

TEST_F(Moe, AveragesCountPadding) {
  write_all("llama");
  std::string text = kTwo;
  text.replace(text.find("hidden"), 6, "hidden_avg");
  const auto rows = values(build_ok(text), "model.layers.0.block_sparse_moe.gate.weight");
  // Expert 0, layer 0. Padded to 4 positions, "b" has 2 of its own: BOS and b.
  const auto padding = values(model("base"), "model.embed_tokens.weight");  // of token 0
  std::vector<double> expected(kHidden);
  double squares = 0;
  for (std::size_t i = 0; i < kHidden; ++i) {
    const double at = static_cast<double>(i);
    const double positive = ((0 + 2 + 2 * at + 2 * static_cast<double>(padding[i])) / 4 +
                             (0 + 1 + 2 + 3 + 4 * at) / 4) /
                            2;
    expected[i] = positive - (0 + 4 + 2 * at) / 2;
    squares += expected[i] * expected[i];
  }
  for (std::size_t i = 0; i < kHidden; ++i)
    EXPECT_NEAR(rows[i], expected[i] / std::sqrt(squares), 1e-6) << i;
}

TEST_F(Moe, PaddingPassesThroughMlpsOnly) {
  write_all("llama");
  plan::FaultList list;
  const SourceModels sources = open_sources(recipe_of(kTwo), resolver(), list);
  ASSERT_TRUE(list.empty());
  const auto states = padding_states(sources, 5, {});
  ASSERT_TRUE(states);
  ASSERT_EQ(states->size(), kLayers * kHidden);
  const auto base = model("base");
  const auto embedding = values(base, "model.embed_tokens.weight");
  const auto norm = values(base, "model.layers.0.post_attention_layernorm.weight");
  const auto gate = values(base, "model.layers.0.mlp.gate_proj.weight");
  const auto up = values(base, "model.layers.0.mlp.up_proj.weight");
  const auto down = values(base, "model.layers.0.mlp.down_proj.weight");
  std::vector<double> x(embedding.begin() + 5 * kHidden, embedding.begin() + 6 * kHidden);
  double squares = 0;
  for (const double value : x) squares += value * value;
  const double scale = 1 / std::sqrt(squares / kHidden + 1e-6);
  for (std::size_t r = 0; r < 12; ++r) {
    double g = 0;
    double u = 0;
    for (std::size_t i = 0; i < kHidden; ++i) {
      const double n = static_cast<double>(embedding[5 * kHidden + i]) * scale * norm[i];
      g += gate[r * kHidden + i] * n;
      u += up[r * kHidden + i] * n;
    }
    for (std::size_t i = 0; i < kHidden; ++i)
      x[i] += down[i * 12 + r] * (g / (1 + std::exp(-g)) * u);
  }
  for (std::size_t i = 0; i < kHidden; ++i) {
    EXPECT_EQ((*states)[i], embedding[5 * kHidden + i]);
    EXPECT_NEAR((*states)[kHidden + i], x[i], 1e-6);
  }
}

TEST_F(Moe, CheapEmbedSumsTokensAndIsEqualInAllLayers) {
  write_all("qwen2");
  const auto out = build_ok(kShared);
  EXPECT_EQ(out.model_type(), "qwen2_moe");
  const auto table = values(model("base"), "model.embed_tokens.weight");
  const auto direction = [&](std::initializer_list<std::size_t> tokens) {
    std::vector<double> sum(kHidden);
    for (const std::size_t token : tokens)
      for (std::size_t i = 0; i < kHidden; ++i) sum[i] += table[token * kHidden + i];
    const double length = std::sqrt(std::inner_product(sum.begin(), sum.end(), sum.begin(), 0.0));
    for (double& value : sum) value /= length;
    return sum;
  };
  auto expected = direction({0, 2, 0, 1, 2, 3});
  const auto negative = direction({0, 4});
  for (std::size_t i = 0; i < kHidden; ++i) expected[i] -= negative[i];
  const double length =
      std::sqrt(std::inner_product(expected.begin(), expected.end(), expected.begin(), 0.0));
  const auto rows = values(out, "model.layers.0.mlp.gate.weight");
  for (std::size_t i = 0; i < kHidden; ++i) EXPECT_NEAR(rows[i], expected[i] / length, 1e-6);
  EXPECT_EQ(rows, values(out, "model.layers.2.mlp.gate.weight"));
  const auto shared = values(out, "model.layers.1.mlp.shared_expert_gate.weight");
  const auto own = direction({0, 17});
  for (std::size_t i = 0; i < kHidden; ++i) EXPECT_NEAR(shared[i], own[i], 1e-6);
}

TEST_F(Moe, Qwen2MoeGetsZeroBiasesFromLlama) {
  write_all("llama");
  const auto out = build_ok(kShared);
  EXPECT_EQ(out.model_type(), "qwen2_moe");
  EXPECT_EQ(out.config()["shared_expert_intermediate_size"], 12);
  EXPECT_EQ(out.config()["norm_topk_prob"], true);
  EXPECT_EQ(values(out, "model.layers.0.self_attn.q_proj.bias"), std::vector<float>(8, 0.0F));
  EXPECT_EQ(values(out, "model.layers.0.self_attn.v_proj.bias"), std::vector<float>(4, 0.0F));
  EXPECT_EQ(values(out, "model.layers.0.mlp.shared_expert.up_proj.weight"),
            values(model("b"), "model.layers.0.mlp.up_proj.weight"));
}

TEST_F(Moe, DeepseekHoldsAnUngatedSharedExpert) {
  write_all("llama");
  const auto out = build_ok(without_prompts(kShared));
  EXPECT_EQ(out.model_type(), "deepseek");
  EXPECT_EQ(out.config()["n_shared_experts"], 1);
  EXPECT_EQ(out.config()["scoring_func"], "softmax");
  EXPECT_EQ(values(out, "model.layers.2.mlp.shared_experts.down_proj.weight"),
            values(model("b"), "model.layers.2.mlp.down_proj.weight"));
  EXPECT_EQ(out.find("model.layers.2.mlp.shared_expert_gate.weight").shard, nullptr);
}

TEST_F(Moe, TiedEmbeddingsStayTied) {
  for (const char* name : {"base", "a", "b"}) {
    write(name, "qwen3", [](test::TinyCheckpoint& tiny) { tiny.tied = true; });
  }
  const auto out = build_ok(kTwo);
  EXPECT_EQ(out.model_type(), "qwen3_moe");
  EXPECT_EQ(out.config()["tie_word_embeddings"], true);
  EXPECT_EQ(out.find("lm_head.weight").shard, nullptr);
  EXPECT_EQ(values(out, "model.layers.0.mlp.experts.1.gate_proj.weight"),
            values(model("b"), "model.layers.0.mlp.gate_proj.weight"));
  EXPECT_EQ(out.config()["head_dim"], 4);
}

TEST_F(Moe, ScaleAndNoise) {
  write_all("llama");
  std::string text = kTwo;
  text.replace(text.find("[z]"), 3, "[z], noise_scale: 0.5, residual_scale: 0.25");
  MoeOptions options;
  options.merge.seed = 3;
  options.merge.threads = 1;
  const auto out = build_ok(text, "out", options);
  options.merge.threads = 2;
  options.merge.memory_bytes = 1 << 16;
  const auto again = build_ok(text, "again", options);
  options.merge.seed = 4;
  const auto other = build_ok(text, "other", options);
  const std::string up = "model.layers.0.block_sparse_moe.experts.1.w3.weight";
  EXPECT_EQ(values(out, up), values(again, up));
  EXPECT_NE(values(out, up), values(other, up));
  const auto plain = values(model("b"), "model.layers.0.mlp.up_proj.weight");
  double squares = 0;
  for (std::size_t i = 0; i < plain.size(); ++i)
    squares += std::pow(static_cast<double>(values(out, up)[i] - plain[i]), 2);
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(plain.size())), 0.5, 0.15);
  EXPECT_EQ(values(out, "model.layers.0.block_sparse_moe.experts.0.w3.weight"),
            values(model("a"), "model.layers.0.mlp.up_proj.weight"));
}

TEST_F(Moe, RandomRowsAreTorchs) {
  write_all("llama");
  const std::string experts = R"(
base_model: base
experts: [{source_model: a, positive_prompts: [x]}, {source_model: b, positive_prompts: [y]}]
)";
  MoeOptions options;
  options.merge.seed = 7;
  // torch.manual_seed(7); torch.rand((3, 2, 8)) and torch.randn((3, 2, 8)), first four of each.
  const double uniform[] = {0.5349225402, 0.1988031864, 0.6592116952, 0.6568902731};
  const double normal[] = {-0.8201345205, 0.3956311643, 0.8989084959, -1.3884038925};
  const auto rows = values(build_ok("gate_mode: uniform_random" + experts, "uniform", options),
                           "model.layers.0.block_sparse_moe.gate.weight");
  const double bound = 1 / std::sqrt(8.0);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(rows[i], (2 * uniform[i] - 1) * bound, 1e-7);
  const auto gauss = values(build_ok("gate_mode: random" + experts, "gauss", options),
                            "model.layers.0.block_sparse_moe.gate.weight");
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(gauss[i], normal[i], 1e-6);
}

TEST_F(Moe, PreflightSaysWhichLayoutsArePossible) {
  write_all("llama");
  const auto found = preflight(recipe_of(kTwo), resolver(), {}, folder());
  ASSERT_TRUE(found) << describe(found.error());
  EXPECT_EQ(found->layout, Layout::kMixtral);
  ASSERT_EQ(found->layouts.size(), 5U);
  EXPECT_TRUE(found->layouts[1].obstacles.empty());  // deepseek
  EXPECT_EQ(found->layouts[2].obstacles,
            std::vector<std::string>{"it has exactly one shared expert, the recipe has 0"});
  EXPECT_EQ(found->layouts[3].obstacles,
            std::vector<std::string>{"its experts are qwen3 models, not llama"});
  EXPECT_EQ(found->layouts[4].obstacles.front(), "its experts are phi models, not llama");
  EXPECT_EQ(found->active_parameters, found->output.parameters);  // both experts are chosen
  EXPECT_GT(found->state_bytes, 0U);
  const auto out = build_ok(kTwo);
  EXPECT_EQ(out.parameter_count(), found->output.parameters);
  EXPECT_EQ(out.weight_bytes(), found->output.output_bytes);
}

TEST_F(Moe, ALayoutCanBeAskedFor) {
  write_all("llama");
  MoeOptions options;
  options.layout = Layout::kDeepseek;
  EXPECT_EQ(build_ok(kTwo, "out", options).model_type(), "deepseek");
  EXPECT_EQ(build_ok("architecture: DeepSeek\n" + std::string(kTwo), "other").model_type(),
            "deepseek");
  options.layout = Layout::kQwen3Moe;
  const auto found = faults(kTwo, options);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].message.find("qwen3_moe"), std::string::npos);
  EXPECT_EQ(faults("architecture: Mamba\n" + std::string(kTwo)).at(0).path, "architecture");
}

TEST_F(Moe, ExpertsThatDoNotFitAreNamedTogether) {
  write("base");
  write("a", "llama", [](test::TinyCheckpoint& tiny) { tiny.config["num_hidden_layers"] = 2; });
  write("b", "mistral");
  const auto found = faults(kTwo);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].path, "experts[0].source_model");
  EXPECT_EQ(found[1].path, "experts[1].source_model");
  EXPECT_NE(found[1].message.find("mistral"), std::string::npos);
}

TEST_F(Moe, ExpertsOfTwoWidthsAreRefused) {
  write("base");
  write("a");
  write("b", "llama", [](test::TinyCheckpoint& tiny) { tiny.config["intermediate_size"] = 16; });
  const auto found = faults(kTwo);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].message.find("16"), std::string::npos);
}

TEST_F(Moe, AFailureLeavesNothing) {
  write_all("llama");
  const auto broken = [](const checkpoint::Checkpoint&) -> Result<std::unique_ptr<PromptModel>> {
    return fail(ErrorCode::kUnsupported, "no engine here");
  };
  const auto report = build(recipe_of(kTwo), resolver(), {}, broken, folder() / "out", {}, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().message, "base_model: no engine here");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder()), fs::directory_iterator()), 3);
}

TEST(ConditionNumber, OfKnownMatrices) {
  const std::vector<float> orthogonal = {1, 0, 0, 0, 2, 0};
  EXPECT_NEAR(condition_number(orthogonal, 2), 2, 1e-12);
  const std::vector<float> dependent = {1, 2, 2, 4};
  EXPECT_TRUE(std::isinf(condition_number(dependent, 2)));
  const std::vector<float> near = {1, 0, 1, 0.1F};  // singular values of [[1, 0], [1, 0.1]]
  EXPECT_NEAR(condition_number(near, 2), 20.05, 0.01);
}

// Random123's known answers (kat_vectors, philox4x32 10): key and counter zero, and all ones.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox(0, 0),
            (std::array<std::uint32_t, 4>{0x6627E8D5U, 0xE169C58DU, 0xBC57AC4CU, 0x9B00DBD8U}));
}

}  // namespace
}  // namespace crucible::moe
