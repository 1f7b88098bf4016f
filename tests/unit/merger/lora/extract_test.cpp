#include "merger/lora/extract.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "merger/lora/adapted_weights.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_adapter.hpp"
#include "tests/support/tiny_checkpoint.hpp"

namespace crucible::lora {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Values = std::vector<float>;

Values read_all(const checkpoint::TensorSource& source) {
  Values values(tensor::element_count(source.shape()).value());
  std::vector<std::byte> raw(values.size() * tensor::byte_size(source.dtype()));
  EXPECT_TRUE(source.read(0, raw));
  tensor::to_float32(source.dtype(), raw, values);
  return values;
}

class Extracting : public ::testing::Test {
 protected:
  // A base, an adapter on every kind of module, and the model that they make.
  void SetUp() override {
    test::TinyCheckpoint tiny;
    tiny.config["hidden_size"] = 24;
    tiny.config["intermediate_size"] = 40;
    tiny.config["vocab_size"] = 50;
    tiny.write(base());
    tiny_.add_linear("model.layers.0.self_attn.q_proj", 24, 24);
    tiny_.add_linear("model.layers.1.mlp.down_proj", 24, 40);
    tiny_.add_linear("lm_head", 50, 24);
    tiny_.add("model.embed_tokens.lora_embedding_A", {2, 50});
    tiny_.add("model.embed_tokens.lora_embedding_B", {24, 2});
    tiny_.add("model.norm.weight", {24});
    write_folded(tiny_.write(folder_.path() / "original"), tuned());
  }
  fs::path base() const { return folder_.path() / "base"; }
  fs::path tuned() const { return folder_.path() / "tuned"; }
  fs::path out() const { return folder_.path() / "adapter"; }

  std::unique_ptr<const checkpoint::Weights> fold(const fs::path& adapter_folder) {
    auto checkpoint = checkpoint::Checkpoint::open(base());
    EXPECT_TRUE(checkpoint);
    checkpoint_ = std::make_shared<const checkpoint::Checkpoint>(std::move(*checkpoint));
    auto adapter = Adapter::open(adapter_folder);
    EXPECT_TRUE(adapter) << describe(adapter.error());
    auto weights = AdaptedWeights::create(std::make_unique<checkpoint::StoredWeights>(checkpoint_),
                                          std::move(*adapter), checkpoint_->config());
    EXPECT_TRUE(weights) << describe(weights.error());
    return std::move(*weights);
  }
  void write_folded(const fs::path& adapter, const fs::path& to) {
    const auto weights = fold(adapter);
    fs::create_directories(to);
    fs::copy_file(base() / "config.json", to / "config.json");
    std::vector<safetensors::OutputTensor> outputs;
    for (const std::string& name : weights->names()) {
      outputs.push_back({name, weights->find(name)->dtype(), weights->find(name)->shape()});
    }
    auto writer = safetensors::ShardedWriter::create(to, outputs, 1ULL << 40);
    ASSERT_TRUE(writer);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Values values = read_all(*weights->find(outputs[i].name));
      ASSERT_TRUE(writer->write(i, 0, std::as_bytes(std::span(values))));
    }
    ASSERT_TRUE(writer->finish());
  }
  Result<ExtractReport> run(const ExtractOptions& options, io::Syscalls& calls = io::system()) {
    return extract(base(), tuned(), out(), options, {}, {}, calls);
  }
  // Largest relative error of a tensor, Frobenius, of the difference to the base.
  double worst_error(const std::vector<std::string>& except = {}) {
    const auto weights = fold(out());
    auto wanted = checkpoint::Checkpoint::open(tuned());
    EXPECT_TRUE(wanted);
    double worst = 0;
    for (const std::string& name : weights->names()) {
      if (std::ranges::find(except, name) != except.end()) continue;
      const Values base = read_all(checkpoint::StoredTensor(checkpoint_->find(name)));
      const Values tuned = read_all(checkpoint::StoredTensor(wanted->find(name)));
      const Values found = read_all(*weights->find(name));
      double whole = 0;
      double rest = 0;
      for (std::size_t i = 0; i < base.size(); ++i) {
        whole += std::pow(tuned[i] - base[i], 2);
        rest += std::pow(tuned[i] - found[i], 2);
      }
      worst = std::max(worst, whole == 0 ? rest : std::sqrt(rest / whole));
    }
    return worst;
  }

  test::ScratchFolder folder_;
  test::TinyAdapter tiny_;
  std::shared_ptr<const checkpoint::Checkpoint> checkpoint_;
};

TEST_F(Extracting, FindsTheAdapterThatMadeTheModel) {
  for (const bool exact : {false, true}) {
    ExtractOptions options;
    options.energy = 1 - 1e-9;
    options.exact = exact;
    options.save_modules = true;
    const auto report = run(options);
    ASSERT_TRUE(report) << describe(report.error());
    ASSERT_EQ(report->modules.size(), 4U);
    for (const ExtractedModule& module : report->modules) {
      EXPECT_EQ(module.rank, 2U) << module.name;
      EXPECT_LT(module.relative_error, 1e-5) << module.name;
    }
    EXPECT_EQ(report->saved, std::vector<std::string>{"model.norm"});
    EXPECT_TRUE(report->skipped.empty());
    EXPECT_LT(worst_error(), 1e-5) << exact;
    fs::remove_all(out());
  }
}

TEST_F(Extracting, SaysWhatIsNotInTheAdapter) {
  ExtractOptions options;
  options.include = "layers|lm_head";
  options.exclude = "down";
  const auto report = run(options);
  ASSERT_TRUE(report) << describe(report.error());
  ASSERT_EQ(report->modules.size(), 2U);
  EXPECT_EQ(report->modules[0].name, "lm_head");
  EXPECT_EQ(report->modules[1].name, "model.layers.0.self_attn.q_proj");
  std::vector<std::string> skipped;
  for (const SkippedTensor& tensor : report->skipped) skipped.push_back(tensor.name);
  EXPECT_EQ(skipped,
            (std::vector<std::string>{"model.embed_tokens.weight",
                                      "model.layers.1.mlp.down_proj.weight", "model.norm.weight"}));
  EXPECT_LT(worst_error(skipped), 0.11);  // energy 0.99
}

TEST_F(Extracting, RanksDifferBetweenModules) {
  ExtractOptions options;
  options.energy = 0.6;
  options.dtype = tensor::DType::kBF16;
  const auto report = run(options);
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_TRUE(Adapter::open(out()));
  EXPECT_NEAR(
      worst_error({"model.norm.weight"}),
      std::ranges::max(report->modules, {}, &ExtractedModule::relative_error).relative_error, 1e-3);
}

TEST_F(Extracting, SameBytesForEveryNumberOfThreads) {
  ExtractOptions options;
  options.threads = 1;
  ASSERT_TRUE(run(options));
  const std::string first = folder_.read("adapter/adapter_model.safetensors");
  fs::remove_all(out());
  options.threads = 4;
  ASSERT_TRUE(run(options));
  EXPECT_EQ(folder_.read("adapter/adapter_model.safetensors"), first);
}

TEST_F(Extracting, EqualModelsHaveNoAdapter) {
  const auto report = extract(base(), base(), out(), {}, {}, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(fs::exists(out()));
}

TEST_F(Extracting, ExistingFolderIsLeftAlone) {
  fs::create_directories(out());
  const auto report = run({});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kConflict);
}

TEST_F(Extracting, CancellationLeavesNothing) {
  std::stop_source stop;
  const auto report = extract(
      base(), tuned(), out(), {}, [&](const Progress&) { stop.request_stop(); }, stop.get_token());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kCancelled);
  EXPECT_FALSE(fs::exists(out()));
}

// Fails the n-th call that changes the disk.
class FailingWrites : public io::Syscalls {
 public:
  explicit FailingWrites(int fail_at) : left_(fail_at) {}
  std::ptrdiff_t pwrite(int fd, const void* data, std::size_t size, std::int64_t at) override {
    return is_due() ? -1 : io::Syscalls::pwrite(fd, data, size, at);
  }
  int fsync(int fd) override { return is_due() ? -1 : io::Syscalls::fsync(fd); }
  int rename_noreplace(const char* from, const char* to) override {
    return is_due() ? -1 : io::Syscalls::rename_noreplace(from, to);
  }
  bool reached() const { return left_ < 0; }

 private:
  bool is_due() {
    if (left_-- != 0) return false;
    errno = ENOSPC;
    return true;
  }
  int left_;
};

TEST_F(Extracting, AppearsWholeOrNotAtAll) {
  int failures = 0;
  for (int n = 0; n < 100; ++n) {
    FailingWrites calls(n);
    const auto report = run({}, calls);
    if (!calls.reached()) {
      EXPECT_TRUE(report);
      break;
    }
    ++failures;
    ASSERT_FALSE(report) << n;
    EXPECT_EQ(report.error().code, ErrorCode::kNoSpace);
    std::size_t entries = 0;
    for ([[maybe_unused]] const auto& item : fs::directory_iterator(folder_.path())) ++entries;
    EXPECT_EQ(entries, 3U) << n;  // base, tuned, original
  }
  EXPECT_GT(failures, 5);
}

}  // namespace
}  // namespace crucible::lora
