#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "merger/checkpoint/checkpoint.hpp"
#include "merger/plan/merge.hpp"
#include "tests/support/scratch_folder.hpp"

// Merges the recipes beside this file and compares with what mergekit 0.1.5 wrote; see
// make_goldens.py.
namespace crucible {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path here() { return fs::path(CRUCIBLE_SOURCE_DIR) / "tests/oracle/merge"; }

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

json cases() { return json::parse(read(here() / "cases.json")); }

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  const json all = cases();
  for (const auto& [name, settings] : all.items()) names.push_back(name);
  return names;
}

std::vector<double> values(const safetensors::Reader& reader,
                           const safetensors::TensorEntry& entry) {
  std::vector<std::byte> raw(entry.bytes);
  EXPECT_TRUE(reader.read(entry, 0, raw));
  std::vector<double> out(tensor::element_count(entry.shape).value());
  tensor::to_float64(entry.dtype, raw, out);
  return out;
}

// Unit in the last place of `largest` in the type.
double unit_of(tensor::DType dtype, double largest) {
  int bits = 23;
  if (dtype == tensor::DType::kF64) bits = 52;
  if (dtype == tensor::DType::kF16) bits = 10;
  if (dtype == tensor::DType::kBF16) bits = 7;
  return std::ldexp(1.0, std::ilogb(largest) - bits);
}

struct Agreement {
  std::size_t values = 0;
  std::size_t different = 0;
  double worst = 0;  // in ulp of the tensor's largest value
};

void compare(const std::vector<double>& got, const std::vector<double>& want, tensor::DType dtype,
             Agreement& sum) {
  double largest = 0;
  double worst = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    largest = std::max(largest, std::abs(want[i]));
    worst = std::max(worst, std::abs(got[i] - want[i]));
    sum.different += got[i] == want[i] ? 0 : 1;
  }
  sum.values += want.size();
  if (worst > 0) sum.worst = std::max(sum.worst, worst / unit_of(dtype, largest));
}

// Names in file order of every shard.
json layout_of(const fs::path& folder) {
  json files = json::object();
  for (const auto& item : fs::directory_iterator(folder)) {
    if (item.path().extension() != ".safetensors") continue;
    const auto reader = safetensors::Reader::open(item.path());
    json names = json::array({"__metadata__"});
    for (const auto& entry : reader->tensors()) names.push_back(entry.name);
    files[item.path().filename().string()] = std::move(names);
  }
  return files;
}

class MergeGolden : public ::testing::TestWithParam<std::string> {
 protected:
  fs::path out() const { return scratch_.path() / "out"; }
  plan::MergeReport merge(const json& settings, method::Compatibility compatibility = {}) {
    const auto recipe = recipe::read_recipe(read(here() / "cases" / GetParam() / "recipe.yml"));
    EXPECT_TRUE(recipe) << describe(recipe.error());
    plan::MergeOptions options;
    options.seed = settings.at("seed");
    options.shard_bytes = settings.at("shard_bytes");
    options.threads = 2;
    options.compatibility = compatibility;
    auto report = plan::merge(*recipe, plan::resolve_beneath({here()}), options, out(), {}, {});
    EXPECT_TRUE(report) << describe(report.error());
    return *report;
  }

  static void compare_all(const checkpoint::Checkpoint& merged, Agreement& agreement) {
    const auto golden =
        safetensors::Reader::open(here() / "cases" / GetParam() / "expected.safetensors");
    ASSERT_TRUE(golden) << describe(golden.error());
    ASSERT_EQ(merged.tensor_names().size(), golden->tensors().size());
    for (const auto& want : golden->tensors()) {
      const auto got = merged.find(want.name);
      ASSERT_NE(got.entry, nullptr) << want.name;
      ASSERT_EQ(got.entry->dtype, want.dtype) << want.name;
      ASSERT_EQ(got.entry->shape, want.shape) << want.name;
      compare(values(*got.shard, *got.entry), values(*golden, want), want.dtype, agreement);
    }
  }

 private:
  test::ScratchFolder scratch_;
};

TEST_P(MergeGolden, AgreesWithMergekit) {
  const json settings = cases().at(GetParam());
  const auto report = merge(settings);
  const auto merged = checkpoint::Checkpoint::open(out());
  ASSERT_TRUE(merged) << describe(merged.error());
  Agreement agreement;
  ASSERT_NO_FATAL_FAILURE(compare_all(*merged, agreement));
  if (settings.contains("ties")) {
    EXPECT_LE(static_cast<double>(agreement.different),
              settings["ties"].get<double>() * static_cast<double>(agreement.values));
  } else {
    EXPECT_EQ(agreement.different, 0U) << "largest difference " << agreement.worst << " ulp";
  }

  const json expected = json::parse(read(here() / "cases" / GetParam() / "expected.json"));
  EXPECT_EQ(layout_of(out()), expected["files"]);
  EXPECT_EQ(merged->config().at("num_hidden_layers"), expected["layers"]);
  EXPECT_EQ(report.content_digest, checkpoint::content_digest(*merged, 1).value());
}

// With the reference's order among equals nothing is left to differ.
TEST_P(MergeGolden, IsIdenticalUnderCompatibility) {
  const json settings = cases().at(GetParam());
  merge(settings, method::Compatibility::kMergekit);
  const auto merged = checkpoint::Checkpoint::open(out());
  ASSERT_TRUE(merged) << describe(merged.error());
  Agreement agreement;
  ASSERT_NO_FATAL_FAILURE(compare_all(*merged, agreement));
  EXPECT_EQ(agreement.different, 0U) << "largest difference " << agreement.worst << " ulp";
}

INSTANTIATE_TEST_SUITE_P(Recipes, MergeGolden, ::testing::ValuesIn(case_names()),
                         [](const auto& case_info) {
                           std::string name = case_info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace crucible
