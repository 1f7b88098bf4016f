#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "merger/checkpoint/checkpoint.hpp"
#include "merger/plan/hub_cache.hpp"
#include "merger/plan/merge.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_adapter.hpp"
#include "tests/support/tiny_checkpoint.hpp"

namespace crucible::plan {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

recipe::Recipe recipe_of(const std::string& text) {
  auto recipe = recipe::read_recipe(text);
  EXPECT_TRUE(recipe) << describe(recipe.error());
  return std::move(*recipe);
}

recipe::ModelReference reference(const std::string& path, const std::string& revision = "") {
  recipe::ModelReference result;
  result.path = path;
  result.revision = revision;
  return result;
}

class AdapterReference : public ::testing::Test {
 protected:
  void SetUp() override {
    test::TinyCheckpoint tiny;
    tiny.write(scratch_.path() / "base");
    adapter_.add_linear("model.layers.1.self_attn.q_proj", 8, 8);
    adapter_.add_linear("model.layers.2.mlp.up_proj", 12, 8);
  }
  Result<MergeReport> run(const std::string& text, const std::string& out,
                          const MergeOptions& options = {}) const {
    return merge(recipe_of(text), resolve_beneath({scratch_.path()}), options,
                 scratch_.path() / out, {}, {});
  }
  test::ScratchFolder scratch_;
  test::TinyAdapter adapter_;
};

constexpr const char* kFold = "merge_method: passthrough\nmodels: [{model: base+lora}]\n";

TEST_F(AdapterReference, IsFoldedIntoItsModel) {
  adapter_.write(scratch_.path() / "lora");
  const auto report = run(kFold, "out");
  ASSERT_TRUE(report) << describe(report.error());
  const auto base = checkpoint::Checkpoint::open(scratch_.path() / "base");
  const auto merged = checkpoint::Checkpoint::open(scratch_.path() / "out");
  ASSERT_TRUE(base && merged);
  EXPECT_EQ(merged->tensor_names(), base->tensor_names());
  std::vector<std::string> changed;
  for (const std::string& name : base->tensor_names()) {
    const auto bytes = [&](const checkpoint::Checkpoint& model) {
      const auto location = model.find(name);
      std::vector<std::byte> data(location.entry->bytes);
      EXPECT_TRUE(location.shard->read(*location.entry, 0, data));
      return data;
    };
    if (bytes(*base) != bytes(*merged)) changed.push_back(name);
  }
  EXPECT_EQ(changed, (std::vector<std::string>{"model.layers.1.self_attn.q_proj.weight",
                                               "model.layers.2.mlp.up_proj.weight"}));
}

TEST_F(AdapterReference, SameModelWithAndWithoutAdapterAreTwoInputs) {
  adapter_.write(scratch_.path() / "lora");
  const std::string text =
      "merge_method: linear\nmodels:\n- {model: base+lora, parameters: {weight: 2}}\n"
      "- {model: base, parameters: {weight: 1}}\n";
  MergeOptions small;
  small.threads = 2;
  small.memory_bytes = 1;
  const auto one = run(text, "one");
  const auto two = run(text, "two", small);
  ASSERT_TRUE(one) << describe(one.error());
  ASSERT_TRUE(two) << describe(two.error());
  EXPECT_EQ(one->content_digest, two->content_digest);
}

TEST_F(AdapterReference, FaultNamesTheMention) {
  adapter_.add_linear("model.layers.9.mlp.up_proj", 12, 8);
  adapter_.write(scratch_.path() / "lora");
  const auto report = run(kFold, "out");
  ASSERT_FALSE(report);
  ASSERT_EQ(report.error().faults.size(), 1U);
  EXPECT_EQ(report.error().faults[0].path, "models[0].model");
  EXPECT_THAT(report.error().faults[0].message, HasSubstr("model.layers.9.mlp.up_proj.weight"));
}

TEST_F(AdapterReference, UnsupportedAdaptersSaySo) {
  adapter_.config["peft_type"] = "LOHA";
  adapter_.write(scratch_.path() / "lora");
  const auto report = run(kFold, "out");
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kUnsupported);
  ASSERT_EQ(report.error().faults.size(), 1U);
  EXPECT_EQ(report.error().faults[0].path, "models[0].model");
  EXPECT_THAT(report.error().faults[0].message, HasSubstr("peft_type is LOHA"));
}

TEST_F(AdapterReference, MissingAdapter) {
  const auto report = run(kFold, "out");
  ASSERT_FALSE(report);
  ASSERT_EQ(report.error().faults.size(), 1U);
  EXPECT_THAT(report.error().faults[0].message, HasSubstr("adapter: model lora not found"));
  EXPECT_THAT(report.error().faults[0].suggestion, HasSubstr("adapter_config.json"));
}

class HubCache : public ::testing::Test {
 protected:
  static constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";
  void SetUp() override {
    const fs::path repository = cache() / "models--org--name";
    fs::create_directories(repository / "snapshots" / kCommit);
    fs::create_directories(repository / "refs" / "pr");
    for (const char* revision : {"main", "v1.0", "pr/7"}) {
      std::ofstream(repository / "refs" / revision) << kCommit;
    }
    std::ofstream(repository / "refs" / "gone") << "ffff";
  }
  fs::path cache() const { return scratch_.path() / "hub"; }
  fs::path snapshot() const { return cache() / "models--org--name" / "snapshots" / kCommit; }
  Result<fs::path> resolve(const recipe::ModelReference& wanted) const {
    return with_hub_cache(resolve_beneath({scratch_.path()}), cache())(wanted);
  }
  test::ScratchFolder scratch_;
};

TEST_F(HubCache, RevisionsOfEveryKind) {
  for (const char* revision : {"", "main", "v1.0", "pr/7", kCommit}) {
    const auto found = resolve(reference("org/name", revision));
    ASSERT_TRUE(found) << revision << describe(found.error());
    EXPECT_EQ(*found, snapshot());
  }
}

TEST_F(HubCache, FolderOfTheSameNameComesFirst) {
  fs::create_directories(scratch_.path() / "org" / "name");
  EXPECT_EQ(*resolve(reference("org/name")), scratch_.path() / "org" / "name");
}

TEST_F(HubCache, SaysHowToGetWhatIsMissing) {
  const auto model = resolve(reference("org/other", "v2"));
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(model.error().message, HasSubstr("not in the local Hugging Face cache"));
  EXPECT_THAT(model.error().message, HasSubstr("hf download org/other --revision v2"));
  for (const char* revision : {"v2", "gone"}) {
    const auto found = resolve(reference("org/name", revision));
    ASSERT_FALSE(found);
    EXPECT_THAT(found.error().message, HasSubstr("another revision of it is there"));
  }
}

TEST_F(HubCache, NamesDoNotLeadOut) {
  EXPECT_FALSE(resolve(reference("org/name", "../refs/main")));
  EXPECT_FALSE(resolve(reference("org/name", "..")));
  for (const char* path : {"../org/name", "org/..", "a/b/c", "./name"}) {
    const auto found = resolve(reference(path));
    ASSERT_FALSE(found);
    EXPECT_THAT(found.error().message, ::testing::Not(HasSubstr("Hugging Face")));
  }
}

TEST_F(HubCache, LinksIntoBlobsAreRead) {
  test::TinyCheckpoint tiny;
  tiny.write(scratch_.path() / "blobs");
  for (const char* name : {"config.json", "model.safetensors"}) {
    fs::create_symlink(scratch_.path() / "blobs" / name, snapshot() / name);
  }
  const auto report =
      merge(recipe_of("merge_method: passthrough\nmodels: [{model: org/name@v1.0}]\n"),
            with_hub_cache(resolve_beneath({}), cache()), {}, scratch_.path() / "out", {}, {});
  EXPECT_TRUE(report) << describe(report.error());
}

}  // namespace
}  // namespace crucible::plan
