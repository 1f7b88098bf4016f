#include "evaluator/engine/llama_model.hpp"

#include <cmath>
#include <filesystem>
#include <numbers>
#include <thread>

#include "evaluator/engine/model_shape.hpp"
#include "gtest/gtest.h"
#include "tests/support/checkpoint_copy.hpp"

namespace crucible::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path golden(const char* name) {
  return fs::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate" / "goldens" / name;
}

Error load_error(const fs::path& folder, const LlamaOptions& options = {}) {
  const auto model = load_llama_model(folder, options);
  return model ? Error{ErrorCode::kInternal, "loaded after all", {}} : model.error();
}

Error error_of_config(const char* name, const std::function<void(json&)>& edit) {
  test::CheckpointCopy copy(golden(name));
  copy.edit_config(edit);
  return load_error(copy.path());
}

std::vector<LoglikelihoodRequest> some_requests() {
  std::vector<LoglikelihoodRequest> requests;
  for (const char* context : {"Question: Which animal barks?\nAnswer:", "The quick", "数学", ""}) {
    for (const char* choice : {" the dog", " the cat", " Paris", " brown fox", " A", " B"}) {
      requests.push_back({context, choice});
    }
  }
  return requests;
}

TEST(HostileConfig, ImpossibleNumbersAreNamed) {
  struct Case {
    const char* key;
    json value;
  };
  const Case cases[] = {{"num_attention_heads", 0},
                        {"num_attention_heads", -4},
                        {"num_attention_heads", "four"},
                        {"num_attention_heads", 3},
                        {"num_key_value_heads", 3},
                        {"num_key_value_heads", 0},
                        {"hidden_size", 0},
                        {"hidden_size", 1e9},
                        {"hidden_size", nullptr},
                        {"num_hidden_layers", 0},
                        {"num_hidden_layers", 100000},
                        {"vocab_size", 2147483648U},
                        {"vocab_size", 18446744073709551615ULL},
                        {"vocab_size", -1},
                        {"intermediate_size", 0},
                        {"max_position_embeddings", 0},
                        {"head_dim", 15},
                        {"head_dim", 0},
                        {"rms_norm_eps", -1},
                        {"rms_norm_eps", "tiny"},
                        {"tie_word_embeddings", 1},
                        {"rope_parameters", 3}};
  for (const Case& one : cases) {
    const Error error =
        error_of_config("llama-llama3-rope", [&](json& config) { config[one.key] = one.value; });
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument)
        << one.key << " " << one.value << ": " << describe(error);
    EXPECT_NE(describe(error).find(one.key), std::string::npos) << describe(error);
  }
}

TEST(HostileConfig, AllFaultsComeAtOnce) {
  const Error error = error_of_config("qwen2-tied", [](json& config) {
    config["num_attention_heads"] = 0;
    config["hidden_size"] = -1;
    config.erase("vocab_size");
  });
  EXPECT_GE(error.faults.size(), 3U);
}

TEST(HostileConfig, SizesThatDoNotFitTheTensorsAreCorrupt) {
  struct Case {
    const char* key;
    std::uint32_t value;
  };
  for (const Case& one :
       {Case{"vocab_size", 1000}, Case{"num_attention_heads", 2}, Case{"num_hidden_layers", 3},
        Case{"num_hidden_layers", 1}, Case{"intermediate_size", 32}, Case{"head_dim", 8},
        Case{"num_key_value_heads", 1}, Case{"hidden_size", 16}}) {
    const Error error =
        error_of_config("llama-llama3-rope", [&](json& config) { config[one.key] = one.value; });
    EXPECT_EQ(error.code, ErrorCode::kCorrupt) << one.key << ": " << describe(error);
    EXPECT_FALSE(error.faults.empty());
  }
}

TEST(HostileConfig, WhatCannotBeComputedIsUnsupported) {
  const std::function<void(json&)> edits[] = {
      [](json& config) { config["model_type"] = "gpt2"; },
      [](json& config) { config["architectures"] = {"LlamaForSequenceClassification"}; },
      [](json& config) { config["hidden_act"] = "gelu"; },
      [](json& config) { config["quantization_config"] = {{"quant_method", "gptq"}}; },
      [](json& config) { config["rope_parameters"]["rope_type"] = "longrope"; },
      [](json& config) { config["rope_parameters"]["rope_type"] = 7; },
      [](json& config) { config["rope_parameters"]["partial_rotary_factor"] = 0.5; }};
  for (const auto& edit : edits) {
    const Error error = error_of_config("llama-llama3-rope", edit);
    EXPECT_EQ(error.code, ErrorCode::kUnsupported) << describe(error);
  }
  EXPECT_NE(error_of_config("llama-llama3-rope", edits[0]).message.find("gpt2"), std::string::npos);
  EXPECT_NE(error_of_config("llama-llama3-rope", edits[4]).message.find("longrope"),
            std::string::npos);
}

TEST(HostileTensors, MissingMisshapenAndForeignOnesAreAllNamed) {
  test::CheckpointCopy copy(golden("llama-llama3-rope"));
  copy.edit_header([](json& header) {
    header["model.layers.0.self_attn.extra.weight"] = header["model.norm.weight"];
    header.erase("model.norm.weight");
    auto& shape = header["model.layers.1.mlp.down_proj.weight"]["shape"];
    std::swap(shape[0], shape[1]);
    header["model.layers.0.mlp.up_proj.weight"]["dtype"] = "I16";
  });
  const Error error = load_error(copy.path());
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  ASSERT_EQ(error.faults.size(), 4U) << describe(error);
  const std::string text = describe(error);
  EXPECT_NE(text.find("model.norm.weight"), std::string::npos);
  EXPECT_NE(text.find("has shape [64, 32]"), std::string::npos);
  EXPECT_NE(text.find("I16"), std::string::npos);
  EXPECT_NE(text.find("self_attn.extra"), std::string::npos);
}

TEST(HostileTensors, NanWeightsGiveAnErrorNotAScore) {
  test::CheckpointCopy copy(golden("llama-llama3-rope"));
  copy.poke("model.norm.weight", "\xC0\x7F");  // a bfloat16 NaN
  const Error error = load_error(copy.path());
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_NE(error.message.find("model.norm.weight holds NaN"), std::string::npos);
}

TEST(HostileTensors, LogitsThatOverflowGiveAnErrorNotAScore) {
  test::CheckpointCopy copy(golden("llama-llama3-rope"));
  copy.poke("model.norm.weight", "\x7F\x7F");  // the largest bfloat16
  const auto model = load_llama_model(copy.path(), {});
  ASSERT_TRUE(model) << describe(model.error());
  const auto results = (*model)->loglikelihood(some_requests(), {BosRule::kNever, {}, {}});
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(results.error().message.find("NaN"), std::string::npos);
}

TEST(LoadLlamaModel, AbsentFoldersAndTokenizersAreNamed) {
  EXPECT_EQ(load_error("/nowhere/at/all").code, ErrorCode::kNotFound);
  test::CheckpointCopy copy(golden("qwen2-tied"));
  fs::remove(copy.path() / "tokenizer.json");
  const Error error = load_error(copy.path());
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_NE(error.message.find("tokenizer.json"), std::string::npos);
}

TEST(LoadLlamaModel, ContextStopsAtPositionsAndWindow) {
  EXPECT_EQ(load_error(golden("llama-llama3-rope"), {.context_length = 257}).code,
            ErrorCode::kInvalidArgument);
  const Error window = load_error(golden("mistral"), {.context_length = 97});
  EXPECT_EQ(window.code, ErrorCode::kInvalidArgument);
  EXPECT_NE(window.message.find("sliding window, 96"), std::string::npos);
  const auto model = load_llama_model(golden("mistral"), {});
  ASSERT_TRUE(model);
  EXPECT_EQ((*model)->description().context_length, 96U);
  EXPECT_EQ((*model)->description().architecture, "mistral");
  EXPECT_EQ((*model)->description().dtype, "f32");
}

TEST(Loglikelihood, SameBytesWhateverTheThreads) {
  const auto requests = some_requests();
  std::vector<LoglikelihoodResult> first;
  for (const unsigned threads : {1U, 2U, 3U}) {
    const auto model = load_llama_model(golden("llama-llama3-rope"), {.threads = threads});
    ASSERT_TRUE(model);
    const auto results = (*model)->loglikelihood(requests, {BosRule::kNever, {}, {}});
    ASSERT_TRUE(results);
    if (first.empty()) first = *results;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ((*results)[i].sum_logprob, first[i].sum_logprob) << threads << " threads";
    }
  }
}

TEST(Loglikelihood, SharingPrefixesChangesNothingThatMatters) {
  const auto requests = some_requests();
  const auto shared = load_llama_model(golden("qwen2-tied"), {});
  const auto alone = load_llama_model(golden("qwen2-tied"), {.share_prefixes = false});
  const auto a = (*shared)->loglikelihood(requests, {BosRule::kNever, {}, {}});
  const auto b = (*alone)->loglikelihood(requests, {BosRule::kNever, {}, {}});
  ASSERT_TRUE(a && b);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_NEAR((*a)[i].sum_logprob, (*b)[i].sum_logprob, 2e-5);
  }
}

TEST(Loglikelihood, LowerPrecisionStaysNear) {
  const auto requests = some_requests();
  const auto exact = load_llama_model(golden("qwen2-tied"), {});
  const auto reference = (*exact)->loglikelihood(requests, {BosRule::kNever, {}, {}});
  for (const WeightType weights : {WeightType::kBF16, WeightType::kF16, WeightType::kQ8_0}) {
    const auto model = load_llama_model(golden("qwen2-tied"), {.weights = weights});
    ASSERT_TRUE(model) << describe(model.error());
    const auto results = (*model)->loglikelihood(requests, {BosRule::kNever, {}, {}});
    ASSERT_TRUE(results);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const double difference = (*results)[i].sum_logprob - (*reference)[i].sum_logprob;
      EXPECT_LT(std::abs(difference), 1.0) << (*model)->description().dtype << " " << i;
    }
  }
}

TEST(Loglikelihood, CountsProgressAndReportsTokens) {
  const auto model = load_llama_model(golden("mistral"), {});
  std::vector<Progress> seen;
  const auto requests = some_requests();
  const auto results = (*model)->loglikelihood(
      requests, {BosRule::kNever, [&](const Progress& now) { seen.push_back(now); }, {}});
  ASSERT_TRUE(results);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back().done, requests.size());
  EXPECT_EQ(seen.back().total, requests.size());
  for (const LoglikelihoodResult& result : *results) {
    EXPECT_GT(result.tokens, 0U);
    EXPECT_LT(result.sum_logprob, 0);
  }
  EXPECT_TRUE((*model)->loglikelihood({}, {})->empty());
}

TEST(Loglikelihood, StopsWhenAsked) {
  const auto model = load_llama_model(golden("llama-llama3-rope"), {});
  std::vector<LoglikelihoodRequest> many;
  for (int i = 0; i < 3000; ++i) {
    many.push_back(
        {"Item " + std::to_string(i) + " of very many, each unlike the others:", " yes"});
  }
  std::stop_source source;
  std::uint64_t done = 0;
  const auto results = (*model)->loglikelihood(many, {BosRule::kNever,
                                                      [&](const Progress& now) {
                                                        done = now.done;
                                                        source.request_stop();
                                                      },
                                                      source.get_token()});
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().code, ErrorCode::kCancelled);
  EXPECT_LT(done, 100U);
  EXPECT_TRUE((*model)->loglikelihood(some_requests(), {BosRule::kNever, {}, {}}))
      << "the model stays usable";
}

TEST(RopeDivisors, FollowTheLlama3Bands) {
  Rope rope;
  rope.dimensions = 64;
  rope.theta = 500000;
  rope.scaling.kind = RopeScaling::Kind::kLlama3;
  rope.scaling.factor = 8;
  const auto divisors = rope_divisors(rope);
  ASSERT_EQ(divisors.size(), 32U);
  EXPECT_EQ(divisors.front(), 1.0F);  // short waves stay
  EXPECT_EQ(divisors.back(), 8.0F);   // long ones are stretched in full
  for (std::size_t i = 1; i < divisors.size(); ++i) EXPECT_GE(divisors[i], divisors[i - 1]);
  rope.scaling.kind = RopeScaling::Kind::kLinear;
  EXPECT_TRUE(rope_divisors(rope).empty());
}

}  // namespace
}  // namespace crucible::engine
