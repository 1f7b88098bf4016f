#include "merger/plan/merged_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "merger/checkpoint/content_digest.hpp"
#include "merger/checkpoint/files.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_checkpoint.hpp"

// A merge in memory is the folder that would be written, byte for byte.
namespace crucible::plan {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPlenty = 1ULL << 30;

// Keeps all that it is handed.
class Keeper final : public checkpoint::TensorVisitor {
 public:
  bool has(const std::string& name, const Digest& identity) override {
    asked.insert(name);
    const auto found = identities.find(name);
    return resident && found != identities.end() && found->second == identity;
  }
  Status take(const std::string& name, const checkpoint::TensorSource& tensor,
              const std::optional<Digest>& identity) override {
    std::vector<std::byte> bytes(tensor::element_count(tensor.shape()).value() *
                                 tensor::byte_size(tensor.dtype()));
    if (auto read = tensor.read(0, bytes); !read) return read;
    taken.insert(name);
    tensors[name] = bytes;
    if (identity) identities[name] = *identity;
    return {};
  }
  std::map<std::string, std::vector<std::byte>> tensors;
  std::map<std::string, Digest> identities;
  std::set<std::string> asked, taken;
  bool resident = false;
};

class InMemory : public ::testing::Test {
 protected:
  void SetUp() override { write(tiny_); }
  void write(test::TinyCheckpoint tiny) const {
    for (const char* name : {"base", "a", "b"}) {
      fs::remove_all(folder() / name);
      tiny.write(folder() / name);
      ++tiny.seed;
    }
  }
  const fs::path& folder() const { return scratch_.path(); }
  ModelResolver resolver() const { return resolve_beneath({folder()}); }
  std::unique_ptr<MergedModel> open(const std::string& text) {
    const auto recipe = recipe::read_recipe(text);
    EXPECT_TRUE(recipe) << describe(recipe.error());
    auto model = MergedModel::open(*recipe, resolver(), options_, cache_);
    EXPECT_TRUE(model) << describe(model.error());
    return model ? std::move(*model) : nullptr;
  }
  // What a visit hands over.
  Keeper visit(MergedModel& model) {
    Keeper keeper;
    const auto status = model.visit(keeper, {}, {});
    EXPECT_TRUE(status) << describe(status.error());
    return keeper;
  }
  // The recipe written and merged in memory: same tensors, config and tokenizer files.
  void expect_same(const std::string& text) {
    SCOPED_TRACE(text);
    fs::remove_all(folder() / "out");
    const auto recipe = recipe::read_recipe(text);
    ASSERT_TRUE(recipe) << describe(recipe.error());
    const auto report = merge(*recipe, resolver(), options_, folder() / "out", {}, {});
    ASSERT_TRUE(report) << describe(report.error());
    const auto written = checkpoint::StoredModel::open(folder() / "out");
    ASSERT_TRUE(written) << describe(written.error());
    const auto model = open(text);
    ASSERT_NE(model, nullptr);
    for (const char* pass : {"computed", "from the cache"}) {
      SCOPED_TRACE(pass);
      const Keeper keeper = visit(*model);
      EXPECT_EQ(keeper.tensors.size(), report->tensors);
      EXPECT_EQ(digest_of(*model, keeper), report->content_digest);
      for (const auto& [name, bytes] : keeper.tensors)
        EXPECT_EQ(bytes, stored(written->checkpoint(), name)) << name;
      EXPECT_EQ(model->warnings(), report->warnings);
    }
    EXPECT_EQ(model->config(), written->config());
    EXPECT_EQ(headers(*model), headers(*written));
    EXPECT_EQ(model->documents().read(checkpoint::kConfigFile, kPlenty).value(),
              written->documents().read(checkpoint::kConfigFile, kPlenty).value());
  }

  void write_tokenizer(const std::string& model, const std::vector<std::string>& tokens) const {
    nlohmann::json vocabulary = nlohmann::json::object();
    for (std::size_t i = 0; i < tokens.size(); ++i) vocabulary[tokens[i]] = i;
    const nlohmann::json file = {
        {"version", "1.0"},
        {"added_tokens", nlohmann::json::array()},
        {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", nlohmann::json::array()}}}};
    ASSERT_TRUE(io::write_new_file(folder() / model / "tokenizer.json", file.dump()));
    ASSERT_TRUE(io::write_new_file(folder() / model / "tokenizer_config.json", "{}"));
  }

  static std::map<std::string, std::pair<tensor::DType, tensor::Shape>> headers(
      const checkpoint::ModelSource& source) {
    std::map<std::string, std::pair<tensor::DType, tensor::Shape>> all;
    for (const auto& [name, header] : source.tensors()) all[name] = {header.dtype, header.shape};
    return all;
  }
  static std::vector<std::byte> stored(const checkpoint::Checkpoint& model,
                                       const std::string& name) {
    const auto location = model.find(name);
    EXPECT_NE(location.shard, nullptr) << name;
    std::vector<std::byte> bytes(location.entry->bytes);
    EXPECT_TRUE(location.shard->read(*location.entry, 0, bytes));
    return bytes;
  }
  static Digest digest_of(const MergedModel& model, const Keeper& keeper) {
    std::map<std::string, Digest> files, tensors;
    for (const std::string_view name : checkpoint::kTokenizerFiles) {
      if (model.documents().has(name))
        files.emplace(name, sha256(model.documents().read(name, kPlenty).value()));
    }
    for (const auto& [name, bytes] : keeper.tensors) {
      std::vector<Digest> leaves(checkpoint::digest_chunk_count(bytes.size()));
      checkpoint::hash_chunks(bytes, leaves);
      const auto& header = model.tensors().find(name)->second;
      tensors.emplace(name, checkpoint::tensor_digest(name, header.dtype, header.shape, leaves));
    }
    return checkpoint::combine_digests(model.config(), files, tensors);
  }

  test::TinyCheckpoint tiny_;
  MergeOptions options_;
  TensorCache cache_{kPlenty};

 private:
  test::ScratchFolder scratch_;
};

constexpr const char* kRecipes[] = {
    R"({merge_method: slerp, base_model: a, models: [{model: a}, {model: b}],
        parameters: {t: [0.1, 0.9]}, dtype: bfloat16})",
    "{merge_method: linear, models: [{model: a}, {model: b}], parameters: {weight: 1}}",
    R"({merge_method: ties, base_model: base, models: [
        {model: a, parameters: {weight: 0.5, density: 0.3}},
        {model: b, parameters: {weight: 0.7, density: 0.6}}]})",
    R"({merge_method: dare_ties, base_model: base, models: [
        {model: a, parameters: {weight: 0.5, density: 0.3}},
        {model: b, parameters: {weight: 0.7, density: 0.6}}], dtype: bfloat16})",
    R"({merge_method: task_arithmetic, base_model: base, models: [
        {model: a, parameters: {weight: 0.5}}, {model: b, parameters: {weight: 0.7}}],
        dtype: float32, out_dtype: float16})",
    R"({merge_method: passthrough, slices: [{sources: [{model: a, layer_range: [0, 2]}]},
        {sources: [{model: b, layer_range: [1, 3]}]}, {sources: [{model: a, layer_range: [2, 3]}]}]})",
};

TEST_F(InMemory, IsTheFolderThatWouldBeWritten) {
  for (const char* name : {"base", "a", "b"}) {
    ASSERT_TRUE(io::write_new_file(folder() / name / "tokenizer.json", "{\"x\":1}"));
    ASSERT_TRUE(io::write_new_file(folder() / name / "generation_config.json", "{}"));
  }
  options_.seed = 5;
  for (const char* text : kRecipes) expect_same(text);
}

TEST_F(InMemory, TiedEmbeddingsStayTied) {
  tiny_.tied = true;
  tiny_.config["tie_word_embeddings"] = true;
  write(tiny_);
  for (const char* text : kRecipes) expect_same(text);
}

TEST_F(InMemory, SeveralTilesThreadsAndLittleMemory) {
  tiny_.config["vocab_size"] = 50000;
  write(tiny_);
  options_.threads = 4;
  options_.memory_bytes = 1U << 20;
  for (const char* text : {kRecipes[0], kRecipes[3]}) expect_same(text);
}

TEST_F(InMemory, TokensOfSeveralModels) {
  write_tokenizer("base", {"<s>", "x", "y"});
  write_tokenizer("a", {"<s>", "y", "z", "w"});
  write_tokenizer("b", {"<s>", "x", "q"});
  for (const char* source : {"union", "base", "b"}) {
    expect_same(std::string("{merge_method: linear, base_model: base, tokenizer_source: ") +
                source +
                ", chat_template: chatml, models: [{model: base}, {model: a}, {model: b}], "
                "parameters: {weight: 1}}");
  }
}

TEST_F(InMemory, WhatRecipesShareIsMergedOnce) {
  const auto recipe = [](const char* attention) {
    return std::string("{merge_method: slerp, base_model: a, models: [{model: a}, {model: b}], ") +
           "parameters: {t: [{filter: self_attn, value: " + attention + "}, {value: 0.4}]}}";
  };
  auto first = open(recipe("0.2"));
  const std::size_t all = visit(*first).taken.size();
  const auto before = cache_.counts();
  auto second = open(recipe("0.3"));
  visit(*second);
  const std::uint64_t attention = 3 * 4;  // layers, matrices
  EXPECT_EQ(cache_.counts().hits - before.hits, all - attention);
  expect_same(recipe("0.3"));
}

TEST_F(InMemory, AVisitorThatHasATensorIsNotHandedItAgain) {
  auto model = open(kRecipes[3]);
  ASSERT_NE(model, nullptr);
  Keeper keeper;
  ASSERT_TRUE(model->visit(keeper, {}, {}));
  const Digest whole = digest_of(*model, keeper);
  keeper.taken.clear();
  keeper.resident = true;
  ASSERT_TRUE(model->visit(keeper, {}, {}));
  EXPECT_TRUE(keeper.taken.empty());
  EXPECT_EQ(keeper.asked.size(), model->tensors().size());
  keeper.identities.erase("model.layers.1.mlp.up_proj.weight");
  ASSERT_TRUE(model->visit(keeper, {}, {}));
  EXPECT_EQ(keeper.taken, (std::set<std::string>{"model.layers.1.mlp.up_proj.weight"}));
  EXPECT_EQ(digest_of(*model, keeper), whole);
}

// Takes every tensor in pieces as they are computed.
class PieceKeeper final : public checkpoint::TensorVisitor {
 public:
  std::unique_ptr<checkpoint::ElementSink> begin(const std::string& name,
                                                 const checkpoint::TensorHeader& header) override {
    const std::size_t element = tensor::byte_size(header.dtype);
    auto& bytes = keeper.tensors[name];
    bytes.resize(tensor::element_count(header.shape).value() * element);
    return std::make_unique<Pieces>(bytes, element);
  }
  Status finish(const std::string& name, const Digest& identity) override {
    keeper.identities[name] = identity;
    return {};
  }
  Status take(const std::string& name, const checkpoint::TensorSource&,
              const std::optional<Digest>&) override {
    return fail(ErrorCode::kInternal, name + " came whole");
  }
  Keeper keeper;

 private:
  class Pieces final : public checkpoint::ElementSink {
   public:
    Pieces(std::vector<std::byte>& bytes, std::size_t element) : bytes_(bytes), element_(element) {}
    Status write(std::uint64_t first, std::span<const std::byte> data) override {
      std::ranges::copy(data, bytes_.begin() + static_cast<std::ptrdiff_t>(first * element_));
      return {};
    }

   private:
    std::vector<std::byte>& bytes_;
    std::size_t element_;
  };
};

TEST_F(InMemory, InPiecesItIsTheSame) {
  for (const char* text : kRecipes) {
    const Digest whole = [&] {
      auto model = open(text);
      return digest_of(*model, visit(*model));
    }();
    TensorCache empty(kPlenty);
    const auto recipe = recipe::read_recipe(text);
    auto model = MergedModel::open(*recipe, resolver(), options_, empty);
    ASSERT_TRUE(model);
    PieceKeeper pieces;
    ASSERT_TRUE((*model)->visit(pieces, {}, {}));
    EXPECT_EQ(digest_of(**model, pieces.keeper), whole) << text;
    EXPECT_EQ(empty.counts().kept_bytes, 0U) << "who takes pieces has them already";
  }
}

// Random methods go on from the number of draws, whether tensors before were computed or not.
TEST_F(InMemory, RandomDrawsAreTheSameBehindKeptTensors) {
  auto model = open(kRecipes[3]);
  const Digest whole = digest_of(*model, visit(*model));
  for (const std::uint64_t budget : {0U, 500U, 2000U, 6000U}) {
    TensorCache small(budget);
    const auto recipe = recipe::read_recipe(kRecipes[3]);
    auto again = MergedModel::open(*recipe, resolver(), options_, small);
    ASSERT_TRUE(again);
    for (int pass = 0; pass < 3; ++pass) {
      Keeper keeper;
      ASSERT_TRUE((*again)->visit(keeper, {}, {}));
      EXPECT_EQ(digest_of(**again, keeper), whole) << budget;
      EXPECT_LE(small.counts().kept_bytes, budget);
    }
  }
}

TEST_F(InMemory, AChangedInputIsAnotherTensor) {
  auto model = open(kRecipes[1]);
  const Keeper keeper = visit(*model);
  const Digest identity = model->identity();
  fs::last_write_time(folder() / "a/model.safetensors", fs::file_time_type::clock::now());
  auto changed = open(kRecipes[1]);
  EXPECT_NE(changed->identity(), identity);
  const auto hits = cache_.counts().hits;
  visit(*changed);
  EXPECT_EQ(cache_.counts().hits, hits);
}

TEST_F(InMemory, SeedsMethodsAndTypesTellTensorsApart) {
  std::map<std::string, std::set<Digest>> identities;
  std::size_t models = 0;
  const auto add = [&](const std::string& text) {
    auto model = open(text);
    ASSERT_NE(model, nullptr);
    ++models;
    for (const auto& [name, identity] : visit(*model).identities) identities[name].insert(identity);
  };
  for (const char* text : kRecipes) {
    if (text != kRecipes[5]) add(text);
  }
  options_.seed = 9;
  add(kRecipes[3]);
  options_.compatibility = method::Compatibility::kMergekit;
  add(kRecipes[3]);
  for (const auto& [name, all] : identities) EXPECT_EQ(all.size(), models) << name;
}

TEST_F(InMemory, ErrorsOfTheVisitorAndCancellationEndIt) {
  class Refuser final : public checkpoint::TensorVisitor {
   public:
    Status take(const std::string&, const checkpoint::TensorSource&,
                const std::optional<Digest>&) override {
      return fail(ErrorCode::kNoSpace, "full");
    }
  };
  auto model = open(kRecipes[0]);
  Refuser refuser;
  const auto refused = model->visit(refuser, {}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kNoSpace);
  std::stop_source stop;
  stop.request_stop();
  Keeper keeper;
  const auto cancelled = model->visit(keeper, {}, stop.get_token());
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, ErrorCode::kCancelled);
}

TensorBytes bytes_of(std::size_t size) {
  return std::make_shared<const std::vector<std::byte>>(size);
}
Digest key(int number) { return sha256(std::to_string(number)); }

TEST(TensorCacheTest, TheLastUsedStay) {
  TensorCache cache(100);
  for (int i = 0; i < 5; ++i) cache.add(key(i), {}, bytes_of(30));
  EXPECT_EQ(cache.find(key(0)), nullptr);
  EXPECT_EQ(cache.find(key(1)), nullptr);
  EXPECT_NE(cache.find(key(2)), nullptr);
  EXPECT_EQ(cache.counts().kept_bytes, 90U);
  EXPECT_TRUE(cache.facts(key(0)));
  EXPECT_FALSE(cache.facts(key(7)));
}

TEST(TensorCacheTest, WhatWasFoundAgainOutlivesWhatWasNot) {
  TensorCache cache(100);
  cache.add(key(0), {}, bytes_of(40));
  ASSERT_NE(cache.find(key(0)), nullptr);
  for (int i = 1; i < 20; ++i) cache.add(key(i), {}, bytes_of(40));
  EXPECT_NE(cache.find(key(0)), nullptr);
  EXPECT_EQ(cache.find(key(5)), nullptr);
}

TEST(TensorCacheTest, TooLargeATensorLeavesItsFacts) {
  TensorCache cache(100);
  cache.add(key(0), {3, 4}, bytes_of(101));
  EXPECT_EQ(cache.find(key(0)), nullptr);
  EXPECT_EQ(cache.facts(key(0))->draws, 4U);
  EXPECT_EQ(cache.facts(key(0))->not_finite, 3U);
  cache.add(key(1), {}, bytes_of(100));
  cache.add(key(1), {}, bytes_of(100));
  EXPECT_EQ(cache.counts().kept_bytes, 100U);
}

}  // namespace
}  // namespace crucible::plan
