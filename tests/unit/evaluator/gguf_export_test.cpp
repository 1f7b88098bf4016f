#include "evaluator/engine/gguf_export.hpp"

#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "evaluator/engine/llama_model.hpp"
#include "evaluator/engine/vocabulary_probe.hpp"
#include "gtest/gtest.h"
#include "tests/support/checkpoint_copy.hpp"

namespace crucible::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kSource = CRUCIBLE_SOURCE_DIR;
const fs::path kDemo = kSource / "deploy" / "demo-family";

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Result<GgufReport> write(const fs::path& model, const fs::path& out,
                         GgufFileType type = GgufFileType::kF32,
                         io::Syscalls& calls = io::system()) {
  return export_gguf(model, out, {type, "", 1}, {}, {}, calls);
}

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// The demo's base model with another tokenizer.json.
class Retokenized {
 public:
  explicit Retokenized(const std::function<void(json&)>& edit) : copy_(kDemo / "base") {
    json whole = json::parse(read_file(copy_.path() / "tokenizer.json"));
    edit(whole);
    std::ofstream(copy_.path() / "tokenizer.json") << whole.dump();
  }
  const fs::path& path() const { return copy_.path(); }
  Result<GgufReport> report() const { return write(copy_.path(), out()); }
  fs::path out() const { return out_.path() / "model.gguf"; }

 private:
  test::CheckpointCopy copy_;
  test::ScratchFolder out_;
};

void split_by(json& whole, const std::string& regex) {
  const json split = {{"type", "Split"},
                      {"pattern", {{"Regex", regex}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  const json bytes = {{"type", "ByteLevel"},
                      {"add_prefix_space", false},
                      {"trim_offsets", true},
                      {"use_regex", false}};
  whole["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}};
}

// Adds tokens for the digits in pairs and triples, in place of the last ones.
void merge_digits(json& whole) {
  json& model = whole["model"];
  std::map<int, std::string> by_id;
  for (const auto& [token, id] : model["vocab"].items()) by_id[id.get<int>()] = token;
  json merges = json::array();
  std::set<std::string> dropped;
  int id = by_id.rbegin()->first;
  for (const std::string token : {"12", "34", "123", "1234", "45"}) {
    while (by_id[id].empty() || dropped.contains(by_id[id])) --id;
    dropped.insert(by_id[id]);
    model["vocab"].erase(by_id[id]);
    model["vocab"][token] = id--;
  }
  for (const json& merge : model["merges"]) {
    const std::string left = merge[0], right = merge[1];
    if (!dropped.contains(left) && !dropped.contains(right) && !dropped.contains(left + right)) {
      merges.push_back(merge);
    }
  }
  merges.push_back({"1", "2"});
  merges.push_back({"3", "4"});
  merges.push_back({"12", "3"});
  merges.push_back({"12", "34"});
  merges.push_back({"4", "5"});
  model["merges"] = merges;
}

// A tokenizer as SentencePiece's BPE comes out in tokenizer.json: ▁ for spaces, bytes for the rest.
void become_byte_fallback(json& whole, bool prefix) {
  json vocab = {{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
  int id = 3;
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", byte);
    vocab[text] = id++;
  }
  const auto spell = [](std::string token) {
    for (std::size_t at; (at = token.find("Ġ")) != std::string::npos;) token.replace(at, 2, "▁");
    return token;
  };
  vocab["▁"] = id++;
  for (int c = '!'; c <= '~'; ++c) vocab[std::string(1, static_cast<char>(c))] = id++;
  json merges = json::array();
  for (const json& merge : whole["model"]["merges"]) {
    const std::string left = spell(merge[0]), right = spell(merge[1]);
    if (id == 939 || !vocab.contains(left) || !vocab.contains(right)) continue;
    if (vocab.contains(left + right)) continue;
    vocab[left + right] = id++;
    merges.push_back({left, right});
  }
  whole["model"]["vocab"] = vocab;
  whole["model"]["merges"] = merges;
  whole["model"]["unk_token"] = "<unk>";
  whole["model"]["byte_fallback"] = true;
  whole["model"]["fuse_unk"] = true;
  json replace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}};
  json steps = json::array();
  if (prefix) steps.push_back({{"type", "Prepend"}, {"prepend", "▁"}});
  steps.push_back(replace);
  whole["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
  whole["pre_tokenizer"] = nullptr;
  whole["post_processor"] = nullptr;
  whole["decoder"] = {{"type", "Sequence"},
                      {"decoders",
                       {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
                        {{"type", "ByteFallback"}},
                        {{"type", "Fuse"}}}}};
  int added = 0;
  for (json& token : whole["added_tokens"]) {
    token["content"] =
        std::vector<std::string>{"<unk>", "<s>", "</s>"}.at(static_cast<std::size_t>(added++));
  }
}

std::vector<std::string> texts() {
  std::vector<std::string> all(probe_texts().begin(), probe_texts().end());
  for (const char* suite : {"sums.jsonl", "words.jsonl", "feelings.jsonl"}) {
    std::ifstream in(kDemo / "suites" / suite);
    for (std::string line; std::getline(in, line);) {
      const json item = json::parse(line);
      for (const json& value : item) {
        all.push_back(value.is_string() ? value.get<std::string>() : value.dump());
      }
    }
  }
  return all;
}

void expect_same_tokens(const fs::path& folder, const fs::path& gguf) {
  const auto checkpoint = checkpoint::Checkpoint::open(folder);
  const auto tokenizer = tokenizer::Tokenizer::load(*checkpoint, 939);
  ASSERT_TRUE(tokenizer);
  const std::vector<std::string> all = texts();
  for (const bool special : {false, true}) {
    const auto ids = encode_by_gguf(gguf, all, special);
    ASSERT_TRUE(ids) << describe(ids.error());
    for (std::size_t i = 0; i < ids->size(); ++i) {
      EXPECT_EQ((*ids)[i], tokenizer->encode(all[i], special)) << all[i];
    }
  }
}

std::vector<double> scores(const fs::path& folder, const LlamaOptions& options) {
  const auto model = load_llama_model(folder, options);
  EXPECT_TRUE(model) << describe(model.error());
  if (!model) return {};
  std::vector<LoglikelihoodRequest> requests;
  for (const char* context : {"2 + 3 =", "The cat is", "I feel", "Question: who?\nAnswer:"}) {
    for (const char* text : {" 5", " happy", " a dog", "\nno"}) requests.push_back({context, text});
  }
  const auto results = (*model)->loglikelihood(requests, {BosRule::kNever, {}, {}});
  EXPECT_TRUE(results) << describe(results.error());
  std::vector<double> sums;
  for (const auto& result : *results) sums.push_back(result.sum_logprob);
  return sums;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

TEST(GgufExport, TokensAreTheTokenizersOnes) {
  const test::ScratchFolder folder;
  const fs::path out = folder.path() / "base.gguf";
  const auto report = write(kDemo / "base", out);
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_EQ(report->architecture, "llama");
  EXPECT_EQ(report->tokenizer, "gpt2");
  EXPECT_EQ(report->pre_tokenizer, "gpt-2");
  EXPECT_EQ(report->tokens, 939U);
  EXPECT_EQ(report->bytes, fs::file_size(out));
  EXPECT_EQ(entries(folder.path()), 1U);
  expect_same_tokens(kDemo / "base", out);
  const std::string file = read_file(out);
  EXPECT_NE(file.find("{% for message in messages %}"), std::string::npos);
}

TEST(GgufExport, ScoresAreTheCheckpointsOnes) {
  const test::ScratchFolder folder;
  const std::vector<double> reference = scores(kDemo / "base", {.threads = 1});
  struct Case {
    GgufFileType type;
    const char* name;
    WeightType own;
    double tolerance;  // to the checkpoint's in float32
  };
  for (const Case& one : {Case{GgufFileType::kF32, "f32", WeightType::kF32, 1e-5},
                          Case{GgufFileType::kBF16, "bf16", WeightType::kBF16, 0.2},
                          Case{GgufFileType::kF16, "f16", WeightType::kF16, 0.02},
                          Case{GgufFileType::kQ8_0, "q8_0", WeightType::kQ8_0, 0.3}}) {
    const fs::path out = folder.path() / one.name;
    ASSERT_TRUE(write(kDemo / "base", out, one.type));
    const auto exported = scores(kDemo / "base", {.threads = 1, .weights_file = out});
    const auto own = scores(kDemo / "base", {.weights = one.own, .threads = 1});
    RecordProperty(one.name, std::to_string(largest_difference(exported, reference)));
    EXPECT_LT(largest_difference(exported, reference), one.tolerance) << one.name;
    EXPECT_LT(largest_difference(exported, own), 1e-5) << one.name;
  }
}

TEST(GgufExport, FourBitsGoThroughTheQuantiser) {
  const test::ScratchFolder folder;
  const fs::path small = folder.path() / "q4.gguf";
  const fs::path large = folder.path() / "q8.gguf";
  ASSERT_TRUE(write(kDemo / "base", small, GgufFileType::kQ4KM));
  ASSERT_TRUE(write(kDemo / "base", large, GgufFileType::kQ8_0));
  EXPECT_LT(fs::file_size(small), fs::file_size(large));
  EXPECT_EQ(entries(folder.path()), 2U);
  expect_same_tokens(kDemo / "base", small);
  const LlamaOptions options{.threads = 1, .weights_file = small};
  EXPECT_EQ((*load_llama_model(kDemo / "base", options))->description().dtype, "q4_k_m");
  const double difference =
      largest_difference(scores(kDemo / "base", options), scores(kDemo / "base", {.threads = 1}));
  RecordProperty("q4_k_m", std::to_string(difference));
  EXPECT_LT(difference, 2.0);
  EXPECT_GT(difference, 1e-3);
}

TEST(GgufExport, EveryArchitectureScoresAlike) {
  const test::ScratchFolder folder;
  for (const char* name :
       {"llama-biases-linear-rope", "llama-llama3-rope", "mistral", "qwen2-tied"}) {
    const fs::path model = kSource / "tests" / "oracle" / "evaluate" / "goldens" / name;
    const fs::path out = folder.path() / name;
    const auto report = write(model, out);
    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_EQ(report->warnings.size(), name == std::string("mistral") ? 1U : 0U);
    EXPECT_LT(largest_difference(scores(model, {.threads = 1, .weights_file = out}),
                                 scores(model, {.threads = 1})),
              1e-5)
        << name;
  }
}

TEST(GgufExport, PreTokenizersAreFoundByTrying) {
  const std::string begin = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)";
  const std::string end = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  for (const auto& [digits, pre] :
       std::map<std::string, std::string>{{R"(\p{N}{1,3})", "llama-bpe"}, {R"(\p{N})", "qwen2"}}) {
    const Retokenized model([&](json& whole) {
      merge_digits(whole);
      split_by(whole, begin + digits + end);
    });
    const auto report = model.report();
    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_EQ(report->pre_tokenizer, pre);
    expect_same_tokens(model.path(), model.out());
  }
}

TEST(GgufExport, AnUnknownPreTokenizerIsRefusedWithTheDifference) {
  const Retokenized model([](json& whole) { split_by(whole, "[aeiou]|[^aeiou]+"); });
  const auto report = model.report();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(report.error().message.find("by tokenizer.json, but ["), std::string::npos)
      << describe(report.error());
  EXPECT_EQ(entries(model.out().parent_path()), 0U);
}

TEST(GgufExport, ByteFallbackBecomesScores) {
  for (const bool prefix : {true, false}) {
    const Retokenized model([&](json& whole) { become_byte_fallback(whole, prefix); });
    const auto report = model.report();
    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_EQ(report->tokenizer, "llama");
    EXPECT_EQ(report->tokens, 939U);
    expect_same_tokens(model.path(), model.out());
  }
}

TEST(GgufExport, RowsWithoutATokenAreUnused) {
  const Retokenized model([](json& whole) {
    json& bpe = whole["model"];
    const json last = bpe["merges"].back();
    bpe["vocab"].erase(last[0].get<std::string>() + last[1].get<std::string>());
    bpe["merges"].erase(bpe["merges"].size() - 1);
  });
  const auto report = model.report();
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_EQ(report->tokens, 939U);
  EXPECT_NE(read_file(model.out()).find("[PAD938]"), std::string::npos);
  expect_same_tokens(model.path(), model.out());
}

TEST(GgufExport, AddedTokensKeepTheirKind) {
  const auto add = [](bool normalized, bool lstrip) {
    return [=](json& whole) {
      json token = whole["added_tokens"].at(2);
      token["special"] = false;
      token["content"] = "<tool>";
      token["lstrip"] = lstrip;
      token["normalized"] = normalized;
      whole["added_tokens"].at(2) = token;
      whole["model"]["vocab"].erase("<|im_end|>");
      whole["model"]["vocab"]["<tool>"] = 2;
    };
  };
  const Retokenized plain(add(false, false));
  const auto report = plain.report();
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_TRUE(report->warnings.empty());
  const std::vector<std::string> text = {"a <tool>b<|im_start|><tool>"};
  const auto checkpoint = checkpoint::Checkpoint::open(plain.path());
  const auto tokenizer = tokenizer::Tokenizer::load(*checkpoint, 939);
  EXPECT_EQ(encode_by_gguf(plain.out(), text, false)->front(), tokenizer->encode(text[0], false));
  const Retokenized stripping(add(false, true));  // GGUF cannot say that
  const auto warned = stripping.report();
  ASSERT_TRUE(warned) << describe(warned.error());
  ASSERT_EQ(warned->warnings.size(), 1U);
  EXPECT_NE(warned->warnings[0].find("<tool>"), std::string::npos) << warned->warnings[0];
}

TEST(GgufExport, OtherTokenizersAreRefused) {
  const Retokenized unigram([](json& whole) {
    json vocab = json::array();
    vocab.push_back({"<|endoftext|>", 0.0});
    vocab.push_back({"a", -1.0});
    whole["model"] = {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", vocab}};
  });
  const auto refused = unigram.report();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message.find("Unigram"), std::string::npos);
  test::CheckpointCopy bare(kDemo / "base");
  fs::remove(bare.path() / "tokenizer.json");
  const test::ScratchFolder folder;
  const auto missing = write(bare.path(), folder.path() / "out.gguf");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(missing.error().message.find("no tokenizer.json"), std::string::npos);
  EXPECT_EQ(entries(folder.path()), 0U);
}

TEST(GgufExport, UnknownArchitecturesAndExistingFilesAreRefused) {
  test::CheckpointCopy other(kDemo / "base");
  other.edit_config([](json& config) {
    config["model_type"] = "opt";
    config["architectures"] = {"OPTForCausalLM"};
  });
  const test::ScratchFolder folder;
  const fs::path out = folder.path() / "out.gguf";
  EXPECT_EQ(write(other.path(), out).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(entries(folder.path()), 0U);
  std::ofstream(out) << "mine";
  EXPECT_EQ(write(kDemo / "base", out).error().code, ErrorCode::kConflict);
  EXPECT_EQ(read_file(out), "mine");
  EXPECT_EQ(entries(folder.path()), 1U);
}

// Fails one kind of call, from the n-th on.
class FailingCalls final : public io::Syscalls {
 public:
  FailingCalls(std::string call, int from) : call_(std::move(call)), from_(from) {}
  std::ptrdiff_t pwrite(int fd, const void* data, std::size_t size, std::int64_t offset) override {
    return fails("pwrite", ENOSPC) ? -1 : Syscalls::pwrite(fd, data, size, offset);
  }
  int fsync(int fd) override { return fails("fsync", EIO) ? -1 : Syscalls::fsync(fd); }
  int ftruncate(int fd, std::int64_t size) override {
    return fails("ftruncate", EFBIG) ? -1 : Syscalls::ftruncate(fd, size);
  }
  int rename_noreplace(const char* from, const char* to) override {
    return fails("rename", EIO) ? -1 : Syscalls::rename_noreplace(from, to);
  }

 private:
  bool fails(const char* call, int error) {
    if (call_ != call || count_++ < from_) return false;
    errno = error;
    return true;
  }
  std::string call_;
  int from_;
  int count_ = 0;
};

TEST(GgufExport, AFailedWriteLeavesNothing) {
  struct Case {
    const char* call;
    int from;
    ErrorCode code;
  };
  for (const Case& one :
       {Case{"pwrite", 0, ErrorCode::kNoSpace}, Case{"pwrite", 20, ErrorCode::kNoSpace},
        Case{"ftruncate", 0, ErrorCode::kIo}, Case{"fsync", 0, ErrorCode::kIo},
        Case{"fsync", 1, ErrorCode::kIo}, Case{"rename", 0, ErrorCode::kIo}}) {
    const test::ScratchFolder folder;
    FailingCalls calls(one.call, one.from);
    const auto report =
        write(kDemo / "base", folder.path() / "out.gguf", GgufFileType::kF32, calls);
    ASSERT_FALSE(report) << one.call << one.from;
    EXPECT_EQ(report.error().code, one.code) << one.call << ": " << describe(report.error());
    EXPECT_EQ(entries(folder.path()), 0U) << one.call << one.from;
  }
}

TEST(GgufExport, ACancelledExportLeavesNothing) {
  const test::ScratchFolder folder;
  std::stop_source stop;
  const auto stop_early = [&](const Progress&) { stop.request_stop(); };
  const auto report =
      export_gguf(kDemo / "base", folder.path() / "out.gguf", {}, stop_early, stop.get_token());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(entries(folder.path()), 0U);
}

TEST(GgufExport, AFileOfAnotherModelIsNotEvaluated) {
  const test::ScratchFolder folder;
  const fs::path out = folder.path() / "out.gguf";
  const fs::path other = kSource / "tests" / "oracle" / "evaluate" / "goldens" / "qwen2-tied";
  ASSERT_TRUE(write(other, out));
  const auto model = load_llama_model(kDemo / "base", {.weights_file = out});
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::kInvalidArgument);
  std::ofstream(out, std::ios::trunc) << "GGUF";
  EXPECT_EQ(load_llama_model(kDemo / "base", {.weights_file = out}).error().code,
            ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace crucible::engine
