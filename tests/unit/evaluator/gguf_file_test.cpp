// A .gguf file as a model by itself.
#include "evaluator/engine/gguf_file.hpp"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "evaluator/engine/gguf_codec.hpp"
#include "evaluator/engine/gguf_export.hpp"
#include "evaluator/engine/llama_model.hpp"
#include "evaluator/engine/opened_model.hpp"
#include "evaluator/tokenizer/tokenizer.hpp"
#include "gtest/gtest.h"
#include "tests/support/checkpoint_copy.hpp"

namespace crucible::engine {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = CRUCIBLE_SOURCE_DIR;
const fs::path kGoldens = kSource / "tests" / "oracle" / "evaluate" / "goldens";
const fs::path kBase = kSource / "deploy" / "demo-family" / "base";

const std::vector<LoglikelihoodRequest> kRequests = {
    {"Question: Which animal barks?\nAnswer:", " the dog"},
    {"Question: Which animal barks?\nAnswer:", " the cat."},
    {"The quick brown fox, 12 times", " or 345 times"},
    {"x", " Éléphants, œufs: 数学"}};

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// A model exported into a folder of its own.
class Exported {
 public:
  explicit Exported(const fs::path& model, GgufFileType type = GgufFileType::kF32) {
    const auto report = export_gguf(model, path(), {type, "", 1}, {}, {});
    EXPECT_TRUE(report) << describe(report.error());
  }
  fs::path path() const { return folder_.path() / "model.gguf"; }

 private:
  test::ScratchFolder folder_;
};

std::vector<double> scores(const fs::path& path, BosRule bos) {
  const auto model = load_llama_model(path, {});
  EXPECT_TRUE(model) << describe(model.error());
  if (!model) return {};
  const auto results = (*model)->loglikelihood(kRequests, {bos, {}, {}});
  EXPECT_TRUE(results) << describe(results.error());
  std::vector<double> sums;
  if (results) {
    for (const auto& result : *results) sums.push_back(result.sum_logprob);
  }
  return sums;
}

class GgufOf : public testing::TestWithParam<std::string> {};

TEST_P(GgufOf, ScoresAsItsFolder) {
  const fs::path folder = GetParam() == "demo" ? kBase : kGoldens / GetParam();
  const Exported file(folder);
  for (const BosRule bos : {BosRule::kNever, BosRule::kTokenizer}) {
    EXPECT_EQ(scores(file.path(), bos), scores(folder, bos));
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, GgufOf,
                         testing::Values("demo", "llama-llama3-rope", "mixtral", "qwen3_moe",
                                         "gemma2", "gemma3", "phi", "phi3-longrope", "gpt2",
                                         "stablelm-parallel", "falcon-40b", "granite", "exaone"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(GgufCodec, EncodesAsTheTokenizerOfTheFolder) {
  const Exported file(kBase);
  const auto checkpoint = checkpoint::Checkpoint::open(kBase);
  ASSERT_TRUE(checkpoint);
  const auto facts = read_gguf_facts(file.path());
  ASSERT_TRUE(facts) << describe(facts.error());
  const auto tokenizer = tokenizer::Tokenizer::load(*checkpoint, facts->shape.vocabulary);
  ASSERT_TRUE(tokenizer);
  const auto codec = open_gguf_codec(file.path(), *facts);
  ASSERT_TRUE(codec) << describe(codec.error());
  EXPECT_EQ((*codec)->bos(), tokenizer->bos());
  EXPECT_EQ((*codec)->eos(), tokenizer->eos());
  EXPECT_EQ((*codec)->bos_text(), tokenizer->bos_text());
  EXPECT_EQ((*codec)->eos_text(), tokenizer->eos_text());
  EXPECT_EQ((*codec)->prefix(), tokenizer->prefix());
  EXPECT_EQ((*codec)->adds_behind(), tokenizer->adds_behind());
  for (const std::string text : {"Two and two are 4.", " leading", "", "数学 🙂", "a\n\n  b"}) {
    for (const bool special : {false, true}) {
      const auto ids = (*codec)->encode(text, special);
      ASSERT_TRUE(ids) << describe(ids.error());
      EXPECT_EQ(*ids, *tokenizer->encode(text, special)) << text;
      const auto decoded = (*codec)->decode(*ids, true);
      ASSERT_TRUE(decoded);
      EXPECT_EQ(*decoded, text);
    }
  }
  EXPECT_FALSE((*codec)->decode(std::vector<std::int32_t>{-1}, false));
  EXPECT_FALSE((*codec)->decode(std::vector<std::int32_t>{1 << 30}, false));
}

TEST(GgufModel, SaysWhatTheFileSays) {
  const Exported file(kBase, GgufFileType::kQ8_0);
  const auto opened = open_model(file.path(), {});
  ASSERT_TRUE(opened) << describe(opened.error());
  EXPECT_EQ(opened->description.dtype, "q8_0");
  EXPECT_EQ(opened->description.architecture, "llama");
  test::CheckpointCopy copy(kBase);
  write_file(copy.path() / "chat_template.jinja", "{{ messages[0].content }}");
  const Exported talking(copy.path());
  const auto model = open_model(talking.path(), {});
  ASSERT_TRUE(model);
  ASSERT_TRUE(model->chat_template) << describe(model->chat_template.error());
  EXPECT_EQ(model->chat_template->source(), "{{ messages[0].content }}");
  LlamaOptions longer;
  longer.context_length = opened->description.context_length + 1;
  const auto refused = open_model(file.path(), longer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
}

TEST(BrokenGguf, TruncatedFilesAreErrors) {
  const Exported file(kGoldens / "gpt2");
  const std::string whole = read_file(file.path());
  const test::ScratchFolder folder;
  const fs::path broken = folder.path() / "broken.gguf";
  for (std::size_t bytes = 0; bytes < whole.size(); bytes += 1 + bytes / 7) {
    write_file(broken, whole.substr(0, bytes));
    const auto model = load_llama_model(broken, {});
    ASSERT_FALSE(model) << bytes;
    EXPECT_EQ(model.error().code, ErrorCode::kCorrupt) << describe(model.error());
  }
}

TEST(BrokenGguf, AbsentAndForeignFilesAreNamed) {
  EXPECT_EQ(load_llama_model("/nowhere/at/all.gguf", {}).error().code, ErrorCode::kNotFound);
  const test::ScratchFolder folder;
  const fs::path other = folder.path() / "other.gguf";
  write_file(other, "not a model at all");
  EXPECT_EQ(load_llama_model(other, {}).error().code, ErrorCode::kCorrupt);
  LlamaOptions options;
  options.weights_file = other;
  EXPECT_EQ(load_llama_model(kBase, options).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(load_llama_model(other, options).error().code, ErrorCode::kInvalidArgument);
}

TEST(BrokenGguf, NotANumberIsFound) {
  const Exported file(kGoldens / "gpt2");
  std::string bytes = read_file(file.path());
  const float nan = std::nanf("");
  std::memcpy(bytes.data() + bytes.size() - 4096, &nan, sizeof nan);
  const test::ScratchFolder folder;
  const fs::path broken = folder.path() / "broken.gguf";
  write_file(broken, bytes);
  const auto model = load_llama_model(broken, {});
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::kCorrupt) << describe(model.error());
}

// The 32 bits behind a key and its type.
std::size_t value_of(const std::string& bytes, const std::string& key) {
  const std::size_t at = bytes.find(key);
  EXPECT_NE(at, std::string::npos) << key;
  return at + key.size() + sizeof(std::uint32_t);
}

TEST(BrokenGguf, ImpossibleSizesAreNamed) {
  const Exported mixtral(kGoldens / "mixtral");
  const Exported gemma(kGoldens / "gemma2");
  struct Case {
    const Exported& file;
    std::string key;
    std::vector<std::uint32_t> values;
  };
  const Case cases[] = {
      {mixtral, "llama.block_count", {0, 513, 4000000000U}},
      {mixtral, "llama.context_length", {0, 4000000000U}},
      {mixtral, "llama.embedding_length", {0, 4000000000U}},
      {mixtral, "llama.attention.head_count", {0, 5, 4000000000U}},
      {mixtral, "llama.attention.head_count_kv", {0, 4, 4000000000U}},
      {mixtral, "llama.attention.key_length", {0, 4000000000U}},
      {mixtral, "llama.attention.value_length", {0, 6}},
      {mixtral, "llama.rope.dimension_count", {0, 2, 3, 4000000000U}},
      {mixtral, "llama.expert_count", {0, 1, 4000000000U}},
      {mixtral, "llama.expert_used_count", {0, 6, 4000000000U}},
      {mixtral, "llama.attention.layer_norm_rms_epsilon", {0, 0x7f800000U, 0xbf800000U}},
      {mixtral, "llama.rope.freq_base", {0, 0x7fc00000U}},
      {mixtral, "tokenizer.ggml.bos_token_id", {400, 4000000000U}},
      {gemma, "gemma2.attn_logit_softcapping", {0, 0x7fc00000U}},
      {gemma, "gemma2.rope.dimension_count", {4, 18}}};
  const test::ScratchFolder folder;
  const fs::path broken = folder.path() / "broken.gguf";
  for (const Case& one : cases) {
    for (const std::uint32_t value : one.values) {
      std::string bytes = read_file(one.file.path());
      std::memcpy(bytes.data() + value_of(bytes, one.key), &value, sizeof value);
      write_file(broken, bytes);
      const auto model = load_llama_model(broken, {});
      ASSERT_FALSE(model) << one.key << " " << value;
      EXPECT_EQ(model.error().code, ErrorCode::kInvalidArgument) << describe(model.error());
      const std::string named = one.key == "llama.expert_count" ? "expert_used_count" : one.key;
      EXPECT_NE(describe(model.error()).find(named), std::string::npos) << describe(model.error());
    }
  }
}

// Anything but a crash: what loads computes, or says why not.
TEST(BrokenGguf, RandomDamageNeverEndsTheProcess) {
  std::mt19937 random(7);
  const test::ScratchFolder folder;
  const fs::path broken = folder.path() / "broken.gguf";
  for (const char* name : {"gpt2", "mixtral", "gemma3", "llama-yarn"}) {
    const Exported file(kGoldens / name);
    const std::string whole = read_file(file.path());
    const std::size_t header = whole.find("token_embd.weight") + 4000;
    for (int i = 0; i < 150; ++i) {
      std::string bytes = whole;
      for (int flips = 1 + i % 4; flips > 0; --flips) {
        // The first kilobytes hold what is not the list of tokens.
        const std::size_t range = i % 2 == 0 ? 1500 : header;
        bytes[random() % std::min(range, bytes.size())] = static_cast<char>(random());
      }
      write_file(broken, bytes);
      const auto model = load_llama_model(broken, {});
      if (!model) continue;
      const auto results = (*model)->loglikelihood(kRequests, {BosRule::kTokenizer, {}, {}});
      if (!results) continue;
      for (const auto& result : *results) EXPECT_TRUE(std::isfinite(result.sum_logprob));
    }
  }
}

}  // namespace
}  // namespace crucible::engine
