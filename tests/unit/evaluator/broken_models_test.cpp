// Every architecture with something broken: an error that names it, or the result of the whole
// model. Never a crash (which would end this test), never another number.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <vector>

#include "evaluator/engine/architecture_table.hpp"
#include "evaluator/engine/llama_model.hpp"
#include "evaluator/engine/model_shape.hpp"
#include "gtest/gtest.h"
#include "tests/support/checkpoint_copy.hpp"

namespace crucible::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kGoldens =
    fs::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate" / "goldens";

// One small checkpoint of each architecture, in a single file.
std::vector<std::string> models() {
  std::set<std::string> types;
  std::vector<std::string> names;
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(kGoldens)) {
    if (fs::exists(entry.path() / "model.safetensors")) folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  for (const fs::path& folder : folders) {
    std::ifstream in(folder / "config.json");
    if (types.insert(json::parse(in).at("model_type")).second) names.push_back(folder.filename());
  }
  return names;
}

// What a folder gives: a log-likelihood or an error.
Result<double> score(const fs::path& folder) {
  const auto model = load_llama_model(folder, {});
  if (!model) return fail(model.error());
  const std::vector<LoglikelihoodRequest> requests = {
      {"Question: Which animal barks?\nAnswer:", " the dog"}};
  const auto results = (*model)->loglikelihood(requests, {BosRule::kNever, {}, {}});
  if (!results) return fail(results.error());
  return results->front().sum_logprob;
}

class BrokenModel : public testing::TestWithParam<std::string> {
 protected:
  fs::path original() const { return kGoldens / GetParam(); }
};

TEST(ArchitectureTables, EachHasAModelHere) {
  std::set<std::string> types;
  for (const std::string& name : models()) {
    std::ifstream in(kGoldens / name / "config.json");
    types.insert(json::parse(in).at("model_type").get<std::string>());
  }
  for (const ArchitectureTable& table : architecture_tables()) {
    EXPECT_TRUE(types.contains(table.model_type)) << table.model_type;
  }
}

TEST(ArchitectureTables, ExpressionsOfSizes) {
  const Sizes sizes = {{"q", 48}, {"kv", 16}, {"heads", 5}};
  EXPECT_EQ(evaluate_size("q+2*kv", sizes), 80U);
  EXPECT_EQ(evaluate_size("q/kv", sizes), 3U);
  EXPECT_EQ(evaluate_size("q/heads", sizes), std::nullopt);
  EXPECT_EQ(evaluate_size("width", sizes), std::nullopt);
  EXPECT_EQ(evaluate_size("4611686018427387904*q", sizes), std::nullopt);
  EXPECT_TRUE(holds("a&!b", {{"a", true}}));
  EXPECT_FALSE(holds("a&!b", {{"a", true}, {"b", true}}));
}

TEST_P(BrokenModel, WithoutATensor) {
  const auto checkpoint = checkpoint::Checkpoint::open(original());
  ASSERT_TRUE(checkpoint);
  ASSERT_TRUE(score(original())) << describe(score(original()).error());
  for (const std::string& name : checkpoint->tensor_names()) {
    test::CheckpointCopy copy(original());
    copy.edit_header([&](json& header) {
      header["another.tensor"] = header[name];
      header.erase(name);
    });
    const auto result = score(copy.path());
    ASSERT_FALSE(result) << name << ": " << *result;
    EXPECT_EQ(result.error().code, ErrorCode::kCorrupt) << name;
    EXPECT_NE(describe(result.error()).find(name), std::string::npos) << describe(result.error());
  }
}

TEST_P(BrokenModel, WithATensorOfAnotherShape) {
  const auto checkpoint = checkpoint::Checkpoint::open(original());
  ASSERT_TRUE(checkpoint);
  for (const std::string& name : checkpoint->tensor_names()) {
    test::CheckpointCopy copy(original());
    copy.edit_header(
        [&](json& header) { header[name]["shape"].insert(header[name]["shape"].begin(), 1); });
    const auto result = score(copy.path());
    ASSERT_FALSE(result) << name << ": " << *result;
    EXPECT_NE(describe(result.error()).find(name), std::string::npos) << describe(result.error());
  }
}

TEST_P(BrokenModel, WithNaNAndInfinityInATensor) {
  const auto checkpoint = checkpoint::Checkpoint::open(original());
  ASSERT_TRUE(checkpoint);
  bool nan = false;
  for (const std::string& name : checkpoint->tensor_names()) {
    test::CheckpointCopy copy(original());
    nan = !nan;  // of bfloat16 and of float16 alike
    copy.poke(name, nan ? std::string("\xff\x7f", 2)
                    : checkpoint->find(name).entry->dtype == tensor::DType::kF16
                        ? std::string("\x00\x7c", 2)
                        : std::string("\x80\x7f", 2));
    const auto result = score(copy.path());
    ASSERT_FALSE(result) << name << ": " << *result;
    EXPECT_EQ(result.error().code, ErrorCode::kCorrupt) << name;
    EXPECT_NE(describe(result.error()).find(name), std::string::npos) << describe(result.error());
  }
}

// The value at a path like "rope_parameters/rope_theta".
std::vector<json::json_pointer> keys_of(const json& config) {
  std::vector<json::json_pointer> keys;
  for (const auto& [key, value] : config.items()) {
    keys.push_back(json::json_pointer() / key);
    if (!value.is_object()) continue;
    for (const auto& [inner, ignored] : value.items()) {
      keys.push_back(json::json_pointer() / key / inner);
    }
  }
  return keys;
}

TEST_P(BrokenModel, WithAnImpossibleValueInTheConfig) {
  std::ifstream in(original() / "config.json");
  const json config = json::parse(in);
  const auto whole = score(original());
  ASSERT_TRUE(whole);
  const json values[] = {-1, 0, 1e39, "text", json::array({"text"}), json::object({{"a", 1}})};
  for (const json::json_pointer& key : keys_of(config)) {
    for (const json& value : values) {
      test::CheckpointCopy copy(original());
      copy.edit_config([&](json& edited) { edited[key] = value; });
      const auto result = score(copy.path());
      if (!result) continue;
      EXPECT_EQ(*result, *whole) << key << " = " << value;
    }
  }
}

// Transformers fills in what a configuration lacks, and so does the engine: another number may be
// right.
TEST_P(BrokenModel, WithoutAKeyOfTheConfig) {
  std::ifstream in(original() / "config.json");
  const json config = json::parse(in);
  for (const auto& [key, ignored] : config.items()) {
    for (const bool null : {false, true}) {
      test::CheckpointCopy copy(original());
      copy.edit_config([&](json& edited) {
        edited.erase(key);
        if (null) edited[key] = nullptr;
      });
      const auto result = score(copy.path());
      EXPECT_TRUE(!result || std::isfinite(*result)) << key;
    }
  }
}

TEST_P(BrokenModel, WithATruncatedFile) {
  for (const double part : {0.0, 0.001, 0.02, 0.5, 0.9999}) {
    test::CheckpointCopy copy(original());
    const fs::path file = copy.path() / "model.safetensors";
    fs::resize_file(file,
                    static_cast<std::uintmax_t>(static_cast<double>(fs::file_size(file)) * part));
    const auto result = score(copy.path());
    ASSERT_FALSE(result) << part << ": " << *result;
    EXPECT_EQ(result.error().code, ErrorCode::kCorrupt) << describe(result.error());
  }
}

TEST_P(BrokenModel, WithTooFewOrTooManyEmbeddingRowsInTheConfig) {
  std::ifstream in(original() / "config.json");
  const auto rows = json::parse(in).at("vocab_size").get<int>();
  for (const int wrong : {1, rows - 1, rows + 1, 2 * rows}) {
    test::CheckpointCopy copy(original());
    copy.edit_config([&](json& config) { config["vocab_size"] = wrong; });
    const auto result = score(copy.path());
    ASSERT_FALSE(result) << wrong;
    EXPECT_EQ(result.error().code, ErrorCode::kCorrupt) << describe(result.error());
  }
}

TEST_P(BrokenModel, WithoutATokenizer) {
  test::CheckpointCopy copy(original());
  fs::remove(copy.path() / "tokenizer.json");
  const auto result = score(copy.path());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(result.error().message.find("tokenizer.json"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Architectures, BrokenModel, testing::ValuesIn(models()), [](auto& info) {
  std::string name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

// A tokenizer whose ids reach past the embedding: kept from the model.
TEST(BrokenTokenizer, IdsBeyondTheEmbeddingAreRefused) {
  test::CheckpointCopy copy(kGoldens / "gpt2");
  std::ifstream in(copy.path() / "tokenizer.json");
  json tokenizer = json::parse(in);
  for (auto& [token, id] : tokenizer["model"]["vocab"].items()) id = id.get<int>() + 1000;
  std::ofstream(copy.path() / "tokenizer.json") << tokenizer.dump();
  const auto result = score(copy.path());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(describe(result.error()).find("embedding rows"), std::string::npos);
}

// Long contexts are cut by the stated rule and flagged; a continuation that does not fit is
// refused.
TEST(ShortContext, CutsAreFlagged) {
  for (const char* name : {"llama-yarn", "gemma2", "gpt_neox", "mixtral"}) {
    LlamaOptions options;
    options.context_length = 16;
    const auto model = load_llama_model(kGoldens / name, options);
    ASSERT_TRUE(model) << describe(model.error());
    const std::string context = "The quick brown fox jumps over the lazy dog, 12 times or more.";
    const std::vector<LoglikelihoodRequest> cut = {{context, " the dog"}, {"The", " dog"}};
    const auto results = (*model)->loglikelihood(cut, {BosRule::kNever, {}, {}});
    ASSERT_TRUE(results) << describe(results.error());
    EXPECT_TRUE(results->at(0).truncated);
    EXPECT_FALSE(results->at(1).truncated);
    const std::vector<LoglikelihoodRequest> longer = {{"a", context + context}};
    const auto refused = (*model)->loglikelihood(longer, {BosRule::kNever, {}, {}});
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  }
}

// Factors of longer texts, and positions the graph's own window does not end at.
TEST(ContextLimits, FollowWhatTheGraphComputes) {
  const auto length_of = [](const std::string& name, const std::function<void(json&)>& edit) {
    test::CheckpointCopy copy(kGoldens / name);
    copy.edit_config(edit);
    const auto model = load_llama_model(copy.path(), {});
    return model ? (*model)->description().context_length : 0;
  };
  EXPECT_EQ(length_of("phi3-longrope", [](json&) {}), 192U);
  EXPECT_EQ(length_of("phi3", [](json& config) { config["sliding_window"] = 100; }), 100U);
  EXPECT_EQ(length_of("mixtral", [](json& config) { config["sliding_window"] = 80; }), 80U);
  EXPECT_EQ(length_of("gemma2", [](json&) {}), 256U);
  EXPECT_EQ(length_of("gemma3", [](json&) {}), 256U);
}

}  // namespace
}  // namespace crucible::engine
