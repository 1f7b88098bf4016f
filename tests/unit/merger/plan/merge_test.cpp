#include "merger/plan/merge.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <limits>

#include "merger/checkpoint/checkpoint.hpp"
#include "merger/plan/executor.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_checkpoint.hpp"

namespace crucible::plan {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Merge : public ::testing::Test {
 protected:
  void SetUp() override {
    test::TinyCheckpoint tiny;
    for (const char* name : {"base", "a", "b"}) {
      tiny.write(folder() / name);
      ++tiny.seed;
    }
  }
  const fs::path& folder() const { return scratch_.path(); }
  ModelResolver resolver() const { return resolve_beneath({folder()}); }

  recipe::Recipe recipe_of(const std::string& text) const {
    auto recipe = recipe::read_recipe(text);
    EXPECT_TRUE(recipe) << describe(recipe.error());
    return std::move(*recipe);
  }
  Result<MergeReport> run(const std::string& text, const std::string& out = "out",
                          MergeOptions options = {}, std::stop_token stop = {}) const {
    return merge(recipe_of(text), resolver(), options, folder() / out, {}, stop);
  }
  std::vector<Fault> faults(const std::string& text) const {
    const auto found = preflight(recipe_of(text), resolver(), {}, folder());
    EXPECT_FALSE(found);
    return found ? std::vector<Fault>() : found.error().faults;
  }
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& item : fs::directory_iterator(folder()))
      names.push_back(item.path().filename().string());
    std::ranges::sort(names);
    return names;
  }

 private:
  test::ScratchFolder scratch_;
};

constexpr const char* kTies = R"(
merge_method: ties
base_model: base
models:
  - {model: a, parameters: {weight: 0.5, density: 0.3}}
  - {model: b, parameters: {weight: 0.7, density: 0.6}}
)";
constexpr const char* kDare = R"(
merge_method: dare_ties
base_model: base
models:
  - {model: a, parameters: {weight: 0.5, density: 0.3}}
  - {model: b, parameters: {weight: 0.7, density: 0.6}}
dtype: bfloat16
)";
constexpr const char* kLinear =
    "{merge_method: linear, models: [{model: a}, {model: b}], parameters: {weight: 1}}";

TEST_F(Merge, WritesACompleteFolder) {
  ASSERT_TRUE(io::write_new_file(folder() / "base/tokenizer.json", "{\"x\":1}"));
  ASSERT_TRUE(io::write_new_file(folder() / "a/vocab.json", "{}"));
  const auto report = run(kDare);
  ASSERT_TRUE(report) << describe(report.error());
  const auto merged = checkpoint::Checkpoint::open(folder() / "out");
  ASSERT_TRUE(merged) << describe(merged.error());
  EXPECT_EQ(report->content_digest, checkpoint::content_digest(*merged, 2).value());
  EXPECT_EQ(report->output_bytes, merged->weight_bytes());
  EXPECT_EQ(report->parameters, merged->parameter_count());
  EXPECT_EQ(merged->config().at("torch_dtype"), "bfloat16");
  EXPECT_EQ(merged->tokenizer_files(), std::vector<std::string>{"tokenizer.json"})
      << "the base's, not another's";
  EXPECT_EQ(io::read_text(folder() / "out/mergekit_config.yml", 10000).value(), kDare);
  const std::string card = io::read_text(folder() / "out/README.md", 10000).value();
  EXPECT_TRUE(card.starts_with("---\nbase_model:\n- \"")) << card;
  EXPECT_NE(card.find("dare_ties"), std::string::npos);
  EXPECT_EQ(entries(), (std::vector<std::string>{"a", "b", "base", "out"}));
}

TEST_F(Merge, ThreadsAndMemoryDoNotChangeTheBytes) {
  test::TinyCheckpoint large;
  large.config["vocab_size"] = 50000;  // several tiles
  for (const char* name : {"base", "a", "b"}) {
    fs::remove_all(folder() / name);
    large.write(folder() / name);
    ++large.seed;
  }
  for (const char* text : {kTies, kDare}) {
    MergeOptions options;
    options.threads = 1;
    const auto one = run(text, "one", options);
    ASSERT_TRUE(one) << describe(one.error());
    options.threads = 5;
    options.memory_bytes = 1 << 20;
    EXPECT_EQ(run(text, "small", options)->content_digest, one->content_digest);
    options.memory_bytes = 1ULL << 33;
    options.shard_bytes = 100'000;
    EXPECT_EQ(run(text, "large", options)->content_digest, one->content_digest);
    for (const char* name : {"one", "small", "large"}) fs::remove_all(folder() / name);
  }
}

TEST_F(Merge, SeedDecidesRandomMethods) {
  MergeOptions options;
  const auto first = run(kDare, "1", options);
  EXPECT_EQ(run(kDare, "2", options)->content_digest, first->content_digest);
  options.seed = 1;
  EXPECT_NE(run(kDare, "3", options)->content_digest, first->content_digest);
}

TEST_F(Merge, RefusesAnExistingTarget) {
  ASSERT_TRUE(run(kLinear));
  EXPECT_EQ(run(kLinear).error().code, ErrorCode::kConflict);
}

TEST_F(Merge, CancellationLeavesNothingBehind) {
  std::stop_source stop;
  stop.request_stop();
  const auto report = run(kTies, "out", {}, stop.get_token());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(entries(), (std::vector<std::string>{"a", "b", "base"}));
}

// Fails the n-th call that changes the disk.
class FailAt : public io::Syscalls {
 public:
  explicit FailAt(int n) : left_(n) {}
  bool failed() const { return left_ <= 0; }
  std::ptrdiff_t pwrite(int fd, const void* data, std::size_t size, std::int64_t offset) override {
    return hit() ? -1 : Syscalls::pwrite(fd, data, size, offset);
  }
  int fsync(int fd) override { return hit() ? -1 : Syscalls::fsync(fd); }
  int fallocate(int fd, std::int64_t size) override {
    return hit() ? -1 : Syscalls::fallocate(fd, size);
  }
  int open(const char* path, int flags, unsigned mode) override {
    return hit() ? -1 : Syscalls::open(path, flags, mode);
  }
  int rename_noreplace(const char* from, const char* to) override {
    return hit() ? -1 : Syscalls::rename_noreplace(from, to);
  }
  int mkdir(const char* path, unsigned mode) override {
    return hit() ? -1 : Syscalls::mkdir(path, mode);
  }

 private:
  bool hit() {
    if (--left_ != 0) return false;
    errno = ENOSPC;
    return true;
  }
  std::atomic<int> left_;
};

TEST_F(Merge, EveryFailedCallFailsTheMergeAndLeavesNothing) {
  const recipe::Recipe recipe = recipe_of(kLinear);
  const auto plan = build_plan(recipe, resolver(), {});
  ASSERT_TRUE(plan);
  MergeOptions options;
  options.shard_bytes = 2000;
  int calls = 0;
  for (int n = 1;; ++n) {
    FailAt fault(n);
    const auto report = execute(*plan, recipe, options, folder() / "out", {}, {}, fault);
    if (!fault.failed()) {
      EXPECT_TRUE(report) << describe(report.error());
      calls = n - 1;
      break;
    }
    ASSERT_FALSE(report) << "call " << n;
    EXPECT_EQ(report.error().code, ErrorCode::kNoSpace) << describe(report.error());
    ASSERT_EQ(entries(), (std::vector<std::string>{"a", "b", "base"})) << "call " << n;
  }
  EXPECT_GT(calls, 50);
}

TEST_F(Merge, NotANumberInAnInputIsAnErrorUnlessAllowed) {
  const char* name = "model.layers.1.mlp.up_proj.weight";
  {
    const auto checkpoint = checkpoint::Checkpoint::open(folder() / "a");
    auto file = io::File::open_write(folder() / "a/model.safetensors");
    const float nan = std::numeric_limits<float>::quiet_NaN();
    ASSERT_TRUE(file->pwrite(std::as_bytes(std::span(&nan, 1)),
                             checkpoint->find(name).entry->offset + 4 * sizeof(float)));
  }
  for (const char* text : {kTies, kDare, kLinear}) {
    const auto report = run(text);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(report.error().message.find(name), std::string::npos) << report.error().message;
    EXPECT_NE(report.error().message.find("a/model.safetensors"), std::string::npos);
    EXPECT_EQ(entries(), (std::vector<std::string>{"a", "b", "base"}));
  }
  MergeOptions options;
  options.allow_nonfinite = true;
  const auto report = run(kLinear, "out", options);
  ASSERT_TRUE(report) << describe(report.error());
  ASSERT_EQ(report->warnings.size(), 1U);
  EXPECT_NE(report->warnings.front().find("has 1 values that are NaN"), std::string::npos)
      << report->warnings.front();
}

TEST_F(Merge, InputThatShrinksIsAnError) {
  const recipe::Recipe recipe = recipe_of(kLinear);
  const auto plan = build_plan(recipe, resolver(), {});
  fs::resize_file(folder() / "a/model.safetensors",
                  fs::file_size(folder() / "a/model.safetensors") / 2);
  const auto report = execute(*plan, recipe, {}, folder() / "out", {}, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(entries(), (std::vector<std::string>{"a", "b", "base"}));
}

TEST_F(Merge, ReportsProgressToTheEnd) {
  std::uint64_t last = 0;
  std::uint64_t total = 0;
  const auto report = merge(recipe_of(kLinear), resolver(), {}, folder() / "out",
                            [&](const Progress& progress) {
                              EXPECT_GE(progress.done, last);
                              last = progress.done;
                              total = progress.total;
                            },
                            {});
  ASSERT_TRUE(report);
  EXPECT_EQ(last, report->output_bytes);
  EXPECT_EQ(total, report->output_bytes);
}

TEST_F(Merge, NumbersThatOverflowAreReported) {
  const auto report =
      run("{merge_method: passthrough, models: [{model: a}], parameters: {scale: 1.0e+8}, "
          "out_dtype: float16}");
  ASSERT_TRUE(report) << describe(report.error());
  ASSERT_FALSE(report->warnings.empty());
  EXPECT_NE(report->warnings.front().find("NaN or infinite"), std::string::npos);
}

TEST_F(Merge, IntegerTensorsMustBeEqual) {
  test::TinyCheckpoint tiny;
  tiny.edit = [](safetensors::OutputTensor& tensor) {
    if (tensor.name == "model.norm.weight") tensor.dtype = tensor::DType::kI32;
    return true;
  };
  tiny.write(folder() / "i1");
  tiny.seed = 5;
  tiny.write(folder() / "i2");
  const std::string text =
      "{merge_method: linear, models: [{model: i1}, {model: i2}], parameters: {weight: 1}}";
  ASSERT_TRUE(run(text));
  fs::remove_all(folder() / "out");
  const auto reader = safetensors::Reader::open(folder() / "i2/model.safetensors");
  std::fstream file(folder() / "i2/model.safetensors",
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(reader->find("model.norm.weight")->offset));
  file.put('x');
  file.close();
  EXPECT_EQ(run(text).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(Merge, SlicesSetLayerCountAndPerLayerLists) {
  test::TinyCheckpoint tiny;
  tiny.config["layer_types"] = {"zero", "one", "two"};
  tiny.config["eos_token_id"] = {1, 2, 3};
  tiny.write(folder() / "typed");
  ASSERT_TRUE(
      run("{merge_method: passthrough, slices: [{sources: [{model: typed, layer_range: [1, 3]}]}, "
          "{sources: [{model: typed, layer_range: [0, 3]}]}]}"));
  const auto merged = checkpoint::Checkpoint::open(folder() / "out");
  EXPECT_EQ(merged->config()["num_hidden_layers"], 5);
  EXPECT_EQ(merged->config()["layer_types"], json({"one", "two", "zero", "one", "two"}));
  EXPECT_EQ(merged->config()["eos_token_id"], json({1, 2, 3}));
}

TEST_F(Merge, PreflightTellsWhatComesOut) {
  const auto found = preflight(recipe_of(kDare), resolver(), {}, folder() / "not/yet");
  ASSERT_TRUE(found) << describe(found.error());
  const auto a = checkpoint::Checkpoint::open(folder() / "a");
  EXPECT_EQ(found->architecture, "llama");
  EXPECT_EQ(found->layers, 3U);
  EXPECT_EQ(found->parameters, a->parameter_count());
  EXPECT_EQ(found->output_bytes, 2 * a->parameter_count());
  EXPECT_EQ(found->input_bytes, 3 * a->weight_bytes());
  EXPECT_EQ(found->dtype, "bfloat16");
  EXPECT_GT(found->free_disk_bytes, 0U);
  EXPECT_GT(found->memory_bytes, 0U);
}

TEST_F(Merge, MemoryStaysInTheBudget) {
  const auto plan = build_plan(recipe_of(kTies), resolver(), {});
  MergeOptions options;
  options.threads = 64;
  for (const std::uint64_t budget : {16ULL << 20, 64ULL << 20, 1ULL << 30}) {
    options.memory_bytes = budget;
    EXPECT_LE(plan_buffers(*plan, options).bytes, budget);
    EXPECT_GE(plan_buffers(*plan, options).workers, 1U);
  }
}

TEST_F(Merge, InputsAreKeptBetweenPassesWhereTheyFit) {
  const auto ties = build_plan(recipe_of(kTies), resolver(), {});
  MergeOptions options;
  EXPECT_GT(plan_buffers(*ties, options).kept_bytes, 0U);
  options.memory_bytes = 1;
  EXPECT_EQ(plan_buffers(*ties, options).kept_bytes, 0U);
  const auto linear = build_plan(recipe_of(kLinear), resolver(), {});
  EXPECT_EQ(plan_buffers(*linear, {}).kept_bytes, 0U) << "it passes over its inputs once";
}

TEST_F(Merge, FaultsNameModelsThatAreNotThere) {
  const auto found = faults(
      "{merge_method: linear, models: [{model: a}, {model: gone}, {model: lost}], parameters: "
      "{weight: 1}}");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].path, "models[1].model");
  EXPECT_EQ(found[1].path, "models[2].model");
  EXPECT_FALSE(found[0].suggestion.empty());
}

TEST_F(Merge, FaultsNameLayerRanges) {
  const auto found = faults(
      "{merge_method: linear, parameters: {weight: 1}, slices: ["
      "{sources: [{model: a, layer_range: [0, 2]}, {model: b, layer_range: [1, 3]}]},"
      "{sources: [{model: a, layer_range: [2, 4]}, {model: b, layer_range: [3, 5]}]}]}");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].path, "slices[1].sources[0].layer_range");
  EXPECT_NE(found[0].message.find("3 layers"), std::string::npos);
  EXPECT_EQ(found[1].path, "slices[1].sources[1].layer_range");
}

TEST_F(Merge, FaultsNameShapesAndBothModels) {
  test::TinyCheckpoint wide;
  wide.config["intermediate_size"] = 16;
  wide.config["vocab_size"] = 24;
  wide.write(folder() / "wide");
  const auto found = faults(
      "{merge_method: linear, models: [{model: a}, {model: wide}], parameters: {weight: 1}}");
  ASSERT_EQ(found.size(), 5U) << "embeddings, three matrices, head; each once, not once a layer";
  EXPECT_EQ(found[0].path, "models[1]");
  EXPECT_NE(found[0].message.find("vocabularies differ"), std::string::npos);
  EXPECT_NE(found[0].suggestion.find("tokenizer_source"), std::string::npos);
  EXPECT_NE(found[1].message.find("mlp"), std::string::npos);
  EXPECT_NE(found[1].message.find("wide"), std::string::npos);
}

TEST_F(Merge, FaultsNameMissingTensors) {
  test::TinyCheckpoint tiny;
  tiny.edit = [](const safetensors::OutputTensor& tensor) {
    return tensor.name != "model.layers.1.mlp.up_proj.weight" && tensor.name != "model.norm.weight";
  };
  tiny.write(folder() / "holes");
  const auto found = faults(
      "{merge_method: linear, models: [{model: a}, {model: holes}], parameters: {weight: 1}}");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_NE(found[0].message.find("model.layers.1.mlp.up_proj.weight"), std::string::npos);
  EXPECT_EQ(found[0].path, "models[1].model");
}

TEST_F(Merge, FaultsNameArchitecturesAndLayerCounts) {
  test::TinyCheckpoint other;
  other.config["architectures"] = {"MistralForCausalLM", "x"};
  other.config["model_type"] = "mistral";
  other.write(folder() / "mistral");
  auto found = faults(
      "{merge_method: linear, models: [{model: a}, {model: mistral}], parameters: {weight: 1}}");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].path, "models[1].model");
  test::TinyCheckpoint deep;
  deep.config["num_hidden_layers"] = 4;
  deep.write(folder() / "deep");
  found = faults(
      "{merge_method: linear, models: [{model: a}, {model: deep}], parameters: {weight: 1}}");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].path, "models[1]");
  EXPECT_NE(found[0].message.find("4 layers"), std::string::npos);
}

TEST_F(Merge, RequiredParametersMayBeLeftOpenByFilters) {
  const auto found = faults(
      "{merge_method: linear, models: [{model: a, parameters: {weight: [{filter: mlp, value: "
      "1}]}}, "
      "{model: b, parameters: {weight: 1}}]}");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].path, "models[0].parameters.weight");
}

TEST(ResolveBeneath, TriesFoldersInOrder) {
  const test::ScratchFolder folder;
  fs::create_directories(folder.path() / "x/m");
  fs::create_directories(folder.path() / "y/m");
  const auto resolve = resolve_beneath({folder.path() / "x", folder.path() / "y"});
  EXPECT_EQ(resolve({"m", "", "", ""}).value(), folder.path() / "x/m");
  EXPECT_EQ(resolve({(folder.path() / "y/m").string(), "", "", ""}).value(), folder.path() / "y/m");
  EXPECT_EQ(resolve({"n", "", "", ""}).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace crucible::plan
