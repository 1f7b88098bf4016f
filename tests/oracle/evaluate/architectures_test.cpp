// Holds every architecture of the engine against lm-evaluation-harness 0.4.13 on transformers in
// float32; make_architecture_goldens.py wrote what it said.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "evaluator/engine/llama_model.hpp"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace crucible::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Of a sum of log-probabilities, which the harness adds up in float32.
constexpr double kTolerance = 1e-4;
constexpr double kRelativeTolerance = 2e-6;

const fs::path kGoldens =
    fs::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate" / "goldens";

std::vector<std::string> models() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kGoldens)) {
    if (entry.is_directory()) names.push_back(entry.path().filename());
  }
  std::ranges::sort(names);
  return names;
}

class Architecture : public testing::TestWithParam<std::string> {};

TEST_P(Architecture, EqualsTheHarness) {
  std::ifstream in(kGoldens / (GetParam() + ".json"));
  const json golden = json::parse(in);
  const json& run = golden.at("runs").at(0);
  ASSERT_EQ(run.at("bos"), "never");
  LlamaOptions options;
  options.context_length = golden.at("max_length");
  const auto model = load_llama_model(kGoldens / GetParam(), options);
  ASSERT_TRUE(model) << describe(model.error());
  std::vector<LoglikelihoodRequest> requests;
  for (const json& request : run.at("requests")) {
    requests.push_back({request.at("context"), request.at("continuation")});
  }
  const auto results = (*model)->loglikelihood(requests, {BosRule::kNever, {}, {}});
  ASSERT_TRUE(results) << describe(results.error());
  double worst = 0, relative = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const double expected = run.at("requests")[i].at("logprob");
    const double difference = std::abs((*results)[i].sum_logprob - expected);
    EXPECT_LE(difference, std::max(kTolerance, kRelativeTolerance * std::abs(expected)))
        << "'" << requests[i].context << "' + '" << requests[i].continuation << "'";
    EXPECT_EQ((*results)[i].is_greedy, run.at("requests")[i].at("greedy").get<bool>()) << i;
    worst = std::max(worst, difference);
    relative = std::max(relative, difference / std::abs(expected));
  }
  std::printf("%s: %zu requests, largest difference %.2g, relative %.2g\n", GetParam().c_str(),
              requests.size(), worst, relative);
}

INSTANTIATE_TEST_SUITE_P(Goldens, Architecture, testing::ValuesIn(models()), [](const auto& info) {
  std::string name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace crucible::engine
