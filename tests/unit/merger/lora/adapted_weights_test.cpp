#include "merger/lora/adapted_weights.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_adapter.hpp"

namespace crucible::lora {
namespace {

using checkpoint::TensorSourcePtr;
using tensor::DType;
using ::testing::HasSubstr;
using Values = std::vector<float>;

class MemoryTensor : public checkpoint::TensorSource {
 public:
  MemoryTensor(DType dtype, tensor::Shape shape, const Values& values)
      : dtype_(dtype), shape_(std::move(shape)), raw_(values.size() * tensor::byte_size(dtype)) {
    if (tensor::is_floating(dtype)) tensor::from_float32(dtype, values, raw_);
  }
  DType dtype() const override { return dtype_; }
  const tensor::Shape& shape() const override { return shape_; }
  std::uint64_t stored_bytes() const override { return raw_.size(); }
  std::string origin() const override { return "memory"; }
  Status read(std::uint64_t first, std::span<std::byte> out) const override {
    std::copy_n(raw_.begin() + static_cast<std::ptrdiff_t>(first * tensor::byte_size(dtype_)),
                out.size(), out.begin());
    return {};
  }

 private:
  DType dtype_;
  tensor::Shape shape_;
  std::vector<std::byte> raw_;
};

class MemoryWeights : public checkpoint::Weights {
 public:
  std::map<std::string, TensorSourcePtr, std::less<>> tensors;
  std::vector<std::string> names() const override {
    std::vector<std::string> found;
    for (const auto& [name, tensor] : tensors) found.push_back(name);
    return found;
  }
  TensorSourcePtr find(std::string_view name) const override {
    const auto found = tensors.find(name);
    return found == tensors.end() ? nullptr : found->second;
  }
  std::vector<std::filesystem::path> folders() const override { return {"base"}; }
};

Values read_all(const checkpoint::TensorSource& source, std::uint64_t piece = 1U << 30) {
  const std::uint64_t elements = tensor::element_count(source.shape()).value();
  Values values(elements);
  for (std::uint64_t first = 0; first < elements; first += piece) {
    const std::uint64_t count = std::min(piece, elements - first);
    std::vector<std::byte> raw(count * tensor::byte_size(source.dtype()));
    const Status status = source.read(first, raw);
    EXPECT_TRUE(status);
    tensor::to_float32(source.dtype(), raw, std::span(values).subspan(first, count));
  }
  return values;
}

// scale * B A, a chain of fused multiply-adds for each element, [out, in].
Values product(const Values& a, const Values& b, std::size_t rank, float scale) {
  const std::size_t inputs = a.size() / rank;
  const std::size_t outputs = b.size() / rank;
  Values result(outputs * inputs);
  for (std::size_t i = 0; i < outputs; ++i) {
    for (std::size_t j = 0; j < inputs; ++j) {
      float sum = 0;
      for (std::size_t k = 0; k < rank; ++k) {
        sum = std::fma(b[i * rank + k], a[k * inputs + j], sum);
      }
      result[i * inputs + j] = sum * scale;
    }
  }
  return result;
}

class Folding : public ::testing::Test {
 protected:
  Values add_base(const std::string& name, tensor::Shape shape, DType dtype = DType::kF32) {
    test::TinyAdapter generator;
    generator.seed = 99;
    generator.add(name, shape, tensor::is_floating(dtype) ? dtype : DType::kF32);
    base_->tensors[name] =
        std::make_shared<MemoryTensor>(dtype, std::move(shape), generator.values(name));
    return generator.values(name);
  }
  Result<std::unique_ptr<const checkpoint::Weights>> fold() {
    auto adapter = Adapter::open(tiny_.write(folder_.path() / "adapter"));
    if (!adapter) return fail(adapter.error());
    return AdaptedWeights::create(std::move(base_), std::move(*adapter), config_);
  }
  TensorSourcePtr folded(const std::string& name) {
    auto weights = fold();
    EXPECT_TRUE(weights) << describe(weights.error());
    if (!weights) return nullptr;
    weights_ = std::move(*weights);
    return weights_->find(name);
  }
  void expect_fault(const std::string& tensor, const std::string& part,
                    ErrorCode code = ErrorCode::kInvalidArgument) {
    const auto weights = fold();
    ASSERT_FALSE(weights);
    EXPECT_EQ(weights.error().code, code);
    ASSERT_EQ(weights.error().faults.size(), 1U) << describe(weights.error());
    EXPECT_THAT(weights.error().faults[0].path, HasSubstr(tensor));
    EXPECT_THAT(weights.error().faults[0].message, HasSubstr(part));
  }

  test::ScratchFolder folder_;
  test::TinyAdapter tiny_;
  nlohmann::json config_ = {{"model_type", "llama"}};
  std::unique_ptr<MemoryWeights> base_ = std::make_unique<MemoryWeights>();
  std::unique_ptr<const checkpoint::Weights> weights_;
};

TEST_F(Folding, LinearLayerInEveryType) {
  tiny_.config["r"] = 5;
  tiny_.add_linear("model.q", 21, 37, 5);
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    base_ = std::make_unique<MemoryWeights>();
    Values expected = add_base("model.q.weight", {21, 37}, dtype);
    std::filesystem::remove_all(folder_.path() / "adapter");
    const Values delta = product(tiny_.values("model.q.lora_A.weight"),
                                 tiny_.values("model.q.lora_B.weight"), 5, 0.6F);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected[i] = tensor::round_to(dtype, expected[i] + delta[i]);
    }
    const auto tensor = folded("model.q.weight");
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->dtype(), dtype);
    EXPECT_EQ(read_all(*tensor), expected);
    for (const std::uint64_t piece : {1U, 36U, 37U, 38U, 100U}) {
      EXPECT_EQ(read_all(*tensor, piece), expected) << piece;
    }
  }
}

TEST_F(Folding, UntouchedTensorsAreTheBase) {
  const Values expected = add_base("model.k.weight", {3, 4});
  add_base("model.q.weight", {4, 6});
  tiny_.add_linear("model.q", 4, 6);
  EXPECT_EQ(read_all(*folded("model.k.weight")), expected);
  EXPECT_EQ(weights_->names(), (std::vector<std::string>{"model.k.weight", "model.q.weight"}));
  EXPECT_EQ(weights_->find("model.v.weight"), nullptr);
}

TEST_F(Folding, WeightsStoredInOut) {
  Values expected = add_base("h.0.c_attn.weight", {6, 18});
  tiny_.add_linear("transformer.h.0.c_attn", 18, 6);
  const Values delta = product(tiny_.values("transformer.h.0.c_attn.lora_A.weight"),
                               tiny_.values("transformer.h.0.c_attn.lora_B.weight"), 2, 1.5F);
  for (std::size_t i = 0; i < 6; ++i) {
    for (std::size_t j = 0; j < 18; ++j) expected[i * 18 + j] += delta[j * 6 + i];
  }
  EXPECT_EQ(read_all(*folded("h.0.c_attn.weight")), expected);
}

TEST_F(Folding, SquareWeightFollowsFanInFanOut) {
  tiny_.config["fan_in_fan_out"] = true;
  Values expected = add_base("c_proj.weight", {6, 6});
  tiny_.add_linear("c_proj", 6, 6);
  const Values delta =
      product(tiny_.values("c_proj.lora_A.weight"), tiny_.values("c_proj.lora_B.weight"), 2, 1.5F);
  for (std::size_t i = 0; i < 6; ++i) {
    for (std::size_t j = 0; j < 6; ++j) expected[i * 6 + j] += delta[j * 6 + i];
  }
  EXPECT_EQ(read_all(*folded("c_proj.weight")), expected);
}

TEST_F(Folding, EmbeddingRoundsItsDifferenceFirst) {
  Values expected = add_base("embed.weight", {40, 24}, DType::kBF16);
  tiny_.add("embed.lora_embedding_A", {2, 40});
  tiny_.add("embed.lora_embedding_B", {24, 2});
  const Values delta = product(tiny_.values("embed.lora_embedding_A"),
                               tiny_.values("embed.lora_embedding_B"), 2, 1.5F);
  bool differs_from_one_rounding = false;
  for (std::size_t i = 0; i < 40; ++i) {
    for (std::size_t j = 0; j < 24; ++j) {
      float& value = expected[i * 24 + j];
      const float once = tensor::round_to(DType::kBF16, value + delta[j * 40 + i]);
      value =
          tensor::round_to(DType::kBF16, value + tensor::round_to(DType::kBF16, delta[j * 40 + i]));
      differs_from_one_rounding = differs_from_one_rounding || once != value;
    }
  }
  EXPECT_TRUE(differs_from_one_rounding);
  EXPECT_EQ(read_all(*folded("embed.weight")), expected);
}

TEST_F(Folding, ReplacementTakesTheBaseType) {
  add_base("lm_head.weight", {5, 4}, DType::kBF16);
  tiny_.add("lm_head.weight", {5, 4});
  Values expected = tiny_.values("lm_head.weight");
  for (float& value : expected) value = tensor::round_to(DType::kBF16, value);
  const auto tensor = folded("lm_head.weight");
  EXPECT_EQ(tensor->dtype(), DType::kBF16);
  EXPECT_EQ(read_all(*tensor, 3), expected);
}

TEST_F(Folding, BiasOfTheFactorB) {
  add_base("q.weight", {4, 6});
  Values expected = add_base("q.bias", {4});
  tiny_.add_linear("q", 4, 6);
  tiny_.add("q.lora_B.bias", {4});
  for (std::size_t i = 0; i < 4; ++i) expected[i] += tiny_.values("q.lora_B.bias")[i] * 1.5F;
  EXPECT_EQ(read_all(*folded("q.bias"), 3), expected);
}

TEST_F(Folding, DoraGivesEveryOutputItsMagnitude) {
  tiny_.config["use_dora"] = true;
  Values base = add_base("q.weight", {19, 33});
  tiny_.add_linear("q", 19, 33);
  tiny_.add("q.lora_magnitude_vector", {19});
  const Values found = read_all(*folded("q.weight"), 50);
  const Values delta =
      product(tiny_.values("q.lora_A.weight"), tiny_.values("q.lora_B.weight"), 2, 1.5F);
  for (std::size_t i = 0; i < 19; ++i) {
    double norm = 0;
    for (std::size_t j = 0; j < 33; ++j) {
      const double value = base[i * 33 + j] + delta[i * 33 + j];
      norm += value * value;
    }
    const double factor = tiny_.values("q.lora_magnitude_vector")[i] / std::sqrt(norm);
    for (std::size_t j = 0; j < 33; ++j) {
      EXPECT_NEAR(found[i * 33 + j], factor * (base[i * 33 + j] + delta[i * 33 + j]), 1e-7);
    }
  }
}

TEST_F(Folding, ThreadsReadTheSame) {
  tiny_.config["use_dora"] = true;
  for (int i = 0; i < 6; ++i) {  // more modules than are kept in memory
    const std::string module = "q" + std::to_string(i);
    add_base(module + ".weight", {64, 48}, DType::kBF16);
    tiny_.add_linear(module, 64, 48);
    tiny_.add(module + ".lora_magnitude_vector", {64});
  }
  auto created = fold();
  ASSERT_TRUE(created) << describe(created.error());
  std::vector<std::vector<Values>> found(4);
  std::vector<std::thread> threads;
  for (std::vector<Values>& mine : found) {
    threads.emplace_back([&] {
      for (int i = 0; i < 6; ++i) {
        mine.push_back(read_all(*(*created)->find("q" + std::to_string(i) + ".weight"), 1000));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& other : found) EXPECT_EQ(other, found.front());
}

TEST_F(Folding, TargetThatTheBaseLacks) {
  add_base("q.weight", {4, 6});
  tiny_.add_linear("q", 4, 6);
  tiny_.add_linear("z", 4, 6);
  expect_fault("z.lora_A.weight", "no tensor z.weight");
}

TEST_F(Folding, FactorsOfAnotherSize) {
  add_base("q.weight", {4, 7});
  tiny_.add_linear("q", 4, 6);
  expect_fault("q.lora_A.weight", "[4, 7]");
}

TEST_F(Folding, ReplacementOfAnotherSize) {
  add_base("embed.weight", {4, 7});
  tiny_.add("embed.weight", {5, 7});
  expect_fault("embed.weight", "[5, 7]");
}

TEST_F(Folding, TiedHeadCannotBeChanged) {
  config_["tie_word_embeddings"] = true;
  add_base("model.embed.weight", {4, 7});
  tiny_.add("lm_head.weight", {4, 7});
  expect_fault("lm_head.weight", "shares the embeddings", ErrorCode::kUnsupported);
}

TEST_F(Folding, AConfigurationOfWrongTypesDoesNotThrow) {
  config_["tie_word_embeddings"] = nullptr;
  add_base("model.embed.weight", {4, 7});
  tiny_.add("lm_head.weight", {4, 7});
  expect_fault("lm_head.weight", "the base model has no tensor");
}

TEST_F(Folding, QuantisedBases) {
  add_base("q.weight", {4, 6}, DType::kI8);
  tiny_.add_linear("q", 4, 6);
  expect_fault("q.lora_A.weight", "int8", ErrorCode::kUnsupported);
  config_["quantization_config"] = {{"bits", 4}};
  base_ = std::make_unique<MemoryWeights>();
  std::filesystem::remove_all(folder_.path() / "adapter");
  const auto weights = fold();
  ASSERT_FALSE(weights);
  EXPECT_THAT(weights.error().message, HasSubstr("quantised"));
}

}  // namespace
}  // namespace crucible::lora
