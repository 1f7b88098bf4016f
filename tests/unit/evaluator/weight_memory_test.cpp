#include "evaluator/engine/weight_memory.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <set>

// Models that are loaded over each other in the same memory give what each gives by itself.
namespace crucible::engine {
namespace {

namespace fs = std::filesystem;

fs::path golden(const std::string& name) {
  return fs::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate" / "goldens" / name;
}

// A folder's tensors from the last name to the first, each with an identity, some of them changed.
class ChangedModel final : public checkpoint::ModelSource {
 public:
  // `changed`: by which factor a tensor is multiplied; absent ones stay.
  ChangedModel(const fs::path& folder, std::map<std::string, float> changed)
      : stored_(checkpoint::StoredModel::open(folder).value()), changed_(std::move(changed)) {}
  std::string label() const override { return "a changed model"; }
  const nlohmann::json& config() const override { return stored_.config(); }
  const checkpoint::Documents& documents() const override { return stored_.documents(); }
  const checkpoint::TensorHeaders& tensors() const override { return stored_.tensors(); }

  Status visit(checkpoint::TensorVisitor& visitor, const ProgressSink&, std::stop_token) override {
    const auto& all = tensors();
    for (auto one = all.rbegin(); one != all.rend(); ++one) {
      const std::string& name = one->first;
      const auto change = changed_.find(name);
      const float factor = change == changed_.end() ? 1.0F : change->second;
      const Digest identity = sha256(name + " times " + std::to_string(factor));
      if (visitor.has(name, identity)) continue;
      handed_over.insert(name);
      if (name == fails_at) return fail(ErrorCode::kIo, "cannot read " + name);
      const Multiplied tensor(
          std::make_shared<checkpoint::StoredTensor>(stored_.checkpoint().find(name)), factor);
      auto elements = piecewise ? visitor.begin(name, one->second) : nullptr;
      auto given = elements ? give(tensor, *elements) : visitor.take(name, tensor, identity);
      if (given && elements) {
        given_piecewise.insert(name);
        given = visitor.finish(name, identity);
      }
      if (!given) return given;
    }
    return {};
  }

  std::set<std::string> handed_over;
  std::set<std::string> given_piecewise;
  std::string fails_at;
  bool piecewise = false;

 private:
  // From the end, seven elements at a time.
  static Status give(const checkpoint::TensorSource& tensor, checkpoint::ElementSink& elements) {
    std::uint64_t left = tensor::element_count(tensor.shape()).value();
    std::vector<std::byte> data;
    while (left > 0) {
      const std::uint64_t count = std::min<std::uint64_t>(7, left);
      left -= count;
      data.resize(count * tensor::byte_size(tensor.dtype()));
      if (auto read = tensor.read(left, data); !read) return read;
      if (auto written = elements.write(left, data); !written) return written;
    }
    return {};
  }

  class Multiplied final : public checkpoint::TensorSource {
   public:
    Multiplied(checkpoint::TensorSourcePtr stored, float factor)
        : stored_(std::move(stored)), factor_(factor) {}
    tensor::DType dtype() const override { return stored_->dtype(); }
    const tensor::Shape& shape() const override { return stored_->shape(); }
    std::uint64_t stored_bytes() const override { return stored_->stored_bytes(); }
    std::string origin() const override { return stored_->origin(); }
    Status read(std::uint64_t first, std::span<std::byte> out) const override {
      if (auto read = stored_->read(first, out); !read || factor_ == 1) return read;
      std::vector<float> values(out.size() / tensor::byte_size(dtype()));
      tensor::to_float32(dtype(), out, values);
      for (float& value : values) value *= factor_;
      tensor::from_float32(dtype(), values, out);
      return {};
    }

   private:
    checkpoint::TensorSourcePtr stored_;
    float factor_;
  };

  checkpoint::StoredModel stored_;
  std::map<std::string, float> changed_;
};

std::vector<double> scores(LanguageModel& model) {
  std::vector<LoglikelihoodRequest> requests;
  for (const char* context : {"Question: Which animal barks?\nAnswer:", "The quick", ""}) {
    for (const char* choice : {" the dog", " the cat", " brown fox", " B"})
      requests.push_back({context, choice});
  }
  const auto results = model.loglikelihood(requests, {});
  EXPECT_TRUE(results) << describe(results.error());
  std::vector<double> sums;
  if (results) {
    for (const auto& one : *results) sums.push_back(one.sum_logprob);
  }
  return sums;
}

std::vector<double> scores_of(checkpoint::ModelSource& source, WeightMemory* memory,
                              const LlamaOptions& options = {}) {
  const auto model = load_llama_model(source, options, {memory, {}, {}});
  EXPECT_TRUE(model) << describe(model.error());
  return model ? scores(**model) : std::vector<double>();
}

std::vector<double> scores_of_folder(const fs::path& folder, const LlamaOptions& options = {}) {
  const auto model = load_llama_model(folder, options);
  EXPECT_TRUE(model) << describe(model.error());
  return model ? scores(**model) : std::vector<double>();
}

class EveryGolden : public testing::TestWithParam<std::string> {};

TEST_P(EveryGolden, IsTheSameFromFolderSourceAndUsedMemory) {
  const fs::path folder = golden(GetParam());
  const std::vector<double> expected = scores_of_folder(folder);
  ASSERT_FALSE(expected.empty());
  WeightMemory memory;
  ChangedModel first(folder, {});
  EXPECT_EQ(scores_of(first, &memory), expected);
  EXPECT_EQ(first.handed_over.size(), first.tensors().size());

  ChangedModel pieces(folder, {});
  pieces.piecewise = true;
  WeightMemory fresh;
  EXPECT_EQ(scores_of(pieces, &fresh), expected);
  ChangedModel same(folder, {});
  EXPECT_EQ(scores_of(same, &fresh), expected);
  EXPECT_TRUE(same.handed_over.empty());

  // One tensor of the middle changes, then changes back.
  auto middle = first.tensors().begin();
  std::advance(middle, first.tensors().size() / 2);
  const std::string name = middle->first;
  ChangedModel other(folder, {{name, -1.5F}});
  const std::vector<double> changed = scores_of(other, &memory);
  EXPECT_EQ(other.handed_over, (std::set<std::string>{name}));
  ChangedModel alone(folder, {{name, -1.5F}});
  EXPECT_EQ(changed, scores_of(alone, nullptr));
  EXPECT_EQ(alone.handed_over.size(), alone.tensors().size());
  ChangedModel back(folder, {});
  EXPECT_EQ(scores_of(back, &memory), expected);
  EXPECT_EQ(back.handed_over, (std::set<std::string>{name}));
}

std::vector<std::string> all_goldens() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(golden("")))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

INSTANTIATE_TEST_SUITE_P(WeightMemory, EveryGolden, testing::ValuesIn(all_goldens()),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::ranges::replace(text, '-', '_');
                           return text;
                         });

TEST(WeightMemoryTest, OnlyPlainTensorsAreTakenInPieces) {
  ChangedModel source(golden("llama-llama3-rope"), {});
  source.piecewise = true;
  WeightMemory memory;
  ASSERT_FALSE(scores_of(source, &memory).empty());
  for (const auto& [name, header] : source.tensors()) {
    const bool rearranged =
        name.find("q_proj") != std::string::npos || name.find("k_proj") != std::string::npos;
    EXPECT_NE(source.given_piecewise.contains(name), rearranged) << name;
  }
}

TEST(WeightMemoryTest, NotFiniteWeightsAreRefusedInPiecesToo) {
  for (const bool piecewise : {false, true}) {
    ChangedModel source(golden("llama-llama3-rope"),
                        {{"model.norm.weight", std::numeric_limits<float>::infinity()}});
    source.piecewise = piecewise;
    WeightMemory memory;
    const auto model = load_llama_model(source, {}, {&memory, {}, {}});
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, ErrorCode::kCorrupt) << describe(model.error());
    EXPECT_NE(describe(model.error()).find("model.norm.weight"), std::string::npos);
  }
}

TEST(WeightMemoryTest, OtherWeightTypesAreLoadedAfresh) {
  const fs::path folder = golden("llama-llama3-rope");
  for (const WeightType type : {WeightType::kBF16, WeightType::kF16, WeightType::kQ8_0}) {
    LlamaOptions options;
    options.weights = type;
    WeightMemory memory;
    for (int pass = 0; pass < 2; ++pass) {
      ChangedModel source(folder, {});
      EXPECT_EQ(scores_of(source, &memory, options), scores_of_folder(folder, options));
      EXPECT_EQ(source.handed_over.size(), source.tensors().size());
    }
  }
}

TEST(WeightMemoryTest, AModelOfAnotherLayoutReplacesTheLast) {
  WeightMemory memory;
  for (const char* name : {"llama-llama3-rope", "qwen2-tied", "llama-llama3-rope"}) {
    ChangedModel source(golden(name), {});
    EXPECT_EQ(scores_of(source, &memory), scores_of_folder(golden(name)));
    EXPECT_EQ(source.handed_over.size(), source.tensors().size());
  }
}

TEST(WeightMemoryTest, AModelInUseIsNotWrittenOver) {
  const fs::path folder = golden("llama-llama3-rope");
  WeightMemory memory;
  ChangedModel first(folder, {});
  const auto held = load_llama_model(first, {}, {&memory, {}, {}});
  ASSERT_TRUE(held) << describe(held.error());
  const std::vector<double> before = scores(**held);
  ChangedModel other(folder, {{"model.norm.weight", 3.0F}});
  const std::vector<double> changed = scores_of(other, &memory);
  EXPECT_NE(changed, before);
  EXPECT_EQ(scores(**held), before);
}

TEST(WeightMemoryTest, AFailedLoadLeavesNothingBehind) {
  const fs::path folder = golden("llama-llama3-rope");
  WeightMemory memory;
  ChangedModel first(folder, {});
  const std::vector<double> expected = scores_of(first, &memory);
  std::map<std::string, float> all;
  for (const auto& [name, header] : first.tensors()) all[name] = 0.5F;
  ChangedModel failing(folder, all);
  failing.fails_at = "model.layers.0.mlp.up_proj.weight";
  const auto failed = load_llama_model(failing, {}, {&memory, {}, {}});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kIo);
  ChangedModel again(folder, {});
  EXPECT_EQ(scores_of(again, &memory), expected);
}

}  // namespace
}  // namespace crucible::engine
