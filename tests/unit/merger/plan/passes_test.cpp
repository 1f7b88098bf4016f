#include <gtest/gtest.h>

#include <set>

#include "merger/checkpoint/checkpoint.hpp"
#include "merger/plan/executor.hpp"
#include "merger/plan/merge.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/tiny_checkpoint.hpp"

// Methods that take several passes over a tensor, in order or by rows, and tensors that only some
// of the models have.
namespace crucible::plan {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBias = "model.layers.1.mlp.up_proj.bias";

class Passes : public ::testing::Test {
 protected:
  const fs::path& folder() const { return scratch_.path(); }
  ModelResolver resolver() const { return resolve_beneath({folder()}); }

  // Models base, a and b; those of `with_bias` have the optional tensors.
  void write_models(std::uint64_t vocabulary, const std::set<std::string>& with_bias = {}) {
    test::TinyCheckpoint tiny;
    tiny.config["vocab_size"] = vocabulary;
    for (const char* name : {"base", "a", "b"}) {
      tiny.optional = with_bias.contains(name);
      tiny.write(folder() / name);
      ++tiny.seed;
    }
  }

  static recipe::Recipe recipe_of(const std::string& text) {
    auto recipe = recipe::read_recipe(text);
    EXPECT_TRUE(recipe) << describe(recipe.error());
    return std::move(*recipe);
  }
  Result<MergeReport> run(const std::string& text, const std::string& out = "out",
                          const MergeOptions& options = {}) const {
    return merge(recipe_of(text), resolver(), options, folder() / out, {}, {});
  }
  // Of one tensor; empty when the model lacks it.
  std::vector<std::byte> values(const std::string& model, const std::string& name = kBias) const {
    const auto checkpoint = checkpoint::Checkpoint::open(folder() / model);
    const auto found = checkpoint->find(name);
    if (found.shard == nullptr) return {};
    std::vector<std::byte> raw(found.entry->bytes);
    EXPECT_TRUE(found.shard->read(*found.entry, 0, raw));
    return raw;
  }

 private:
  test::ScratchFolder scratch_;
};

std::string recipe_text(const std::string& method, const std::string& models, bool based,
                        const std::string& parameters = "{}") {
  return "{merge_method: " + method + (based ? ", base_model: base" : "") + ", models: [" + models +
         "], parameters: " + parameters + "}";
}
const std::string kOne = "{model: a}";
const std::string kTwo =
    "{model: a, parameters: {weight: 0.6}}, {model: b, parameters: {weight: 0.3}}";

TEST_F(Passes, ThreadsAndMemoryDoNotChangeTheBytes) {
  write_models(50'000);
  for (const std::string& text :
       {recipe_text("nuslerp", kTwo, true), recipe_text("karcher", kTwo, false, "{max_iter: 2}"),
        recipe_text("nuslerp", kTwo, false, "{nuslerp_flatten: false}"),
        recipe_text("nuslerp", kTwo, true, "{nuslerp_flatten: false, nuslerp_row_wise: true}"),
        recipe_text("multislerp", kTwo, true), recipe_text("model_stock", kTwo, true),
        recipe_text("model_stock", kTwo, true, "{filter_wise: true}"),
        recipe_text("arcee_fusion", kOne, true), recipe_text("consensus_ta", kTwo, true)}) {
    MergeOptions options;
    options.threads = 1;
    const auto one = run(text, "one", options);
    ASSERT_TRUE(one) << describe(one.error());
    options.threads = 5;
    options.memory_bytes = 1 << 20;
    const auto many = run(text, "many", options);
    ASSERT_TRUE(many) << describe(many.error());
    EXPECT_EQ(many->content_digest, one->content_digest) << text;
    for (const char* name : {"one", "many"}) fs::remove_all(folder() / name);
  }
}

TEST_F(Passes, AFileThatEndsEarlyEndsPassesInOrder) {
  write_models(50'000);
  const recipe::Recipe recipe = recipe_of(recipe_text("nuslerp", kTwo, false));
  MergeOptions options;
  options.threads = 4;
  const auto plan = build_plan(recipe, resolver(), options);
  ASSERT_TRUE(plan) << describe(plan.error());
  for (const auto& item : fs::directory_iterator(folder() / "b")) {
    if (item.path().extension() == ".safetensors")
      fs::resize_file(item.path(), fs::file_size(item.path()) / 2);
  }
  EXPECT_FALSE(execute(*plan, recipe, options, folder() / "out", {}, {}));
}

TEST_F(Passes, ALoneTensorIsCopied) {
  write_models(20, {"a"});
  for (const std::string& text :
       {recipe_text("nuslerp", kTwo, false), recipe_text("nuslerp", kTwo, true),
        recipe_text("arcee_fusion", kOne, true), recipe_text("slerp", kOne, true, "{t: 0.5}")}) {
    const auto report = run(text);
    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_EQ(values("out"), values("a")) << text;
    fs::remove_all(folder() / "out");
  }
}

TEST_F(Passes, ModelStockLeavesOutWhatTooFewHave) {
  write_models(20, {"a", "b"});
  ASSERT_TRUE(run(recipe_text("model_stock", kTwo, true)));
  EXPECT_TRUE(values("out").empty());
  EXPECT_FALSE(values("out", "model.layers.1.mlp.up_proj.weight").empty());
}

TEST_F(Passes, ModelStockCopiesALoneBase) {
  write_models(20, {"base"});
  ASSERT_TRUE(run(recipe_text("model_stock", kTwo, true)));
  EXPECT_EQ(values("out"), values("base"));
  ASSERT_TRUE(run(recipe_text("nearswap", kOne, true, "{t: 0.1}"), "near"));
  EXPECT_EQ(values("near"), values("base"));
}

TEST_F(Passes, ABaseThatLacksATensorIsAFault) {
  write_models(20, {"a", "b"});
  for (const std::string& text :
       {recipe_text("nuslerp", kTwo, true), recipe_text("multislerp", kTwo, true),
        recipe_text("nearswap", kOne, true, "{t: 0.1}")}) {
    const auto report = run(text);
    ASSERT_FALSE(report) << text;
    EXPECT_NE(describe(report.error()).find("lacks"), std::string::npos);
  }
  EXPECT_TRUE(run(recipe_text("nuslerp", kTwo, false)));
}

}  // namespace
}  // namespace crucible::plan
