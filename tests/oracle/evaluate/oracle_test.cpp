// Holds the engine against lm-evaluation-harness 0.4.13 on transformers in float32; make_goldens.py
// and make_architecture_goldens.py wrote what it said.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "evaluator/engine/llama_model.hpp"
#include "evaluator/run/evaluation.hpp"
#include "evaluator/task/suite.hpp"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace crucible {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The harness adds log-probabilities up in float32, so that large sums have a rounding error of
// their own.
constexpr double kTolerance = 1e-4;
constexpr double kRelativeTolerance = 1.2e-7;

const fs::path kRoot = CRUCIBLE_SOURCE_DIR;
const fs::path kGoldens = kRoot / "tests" / "oracle" / "evaluate" / "goldens";
const fs::path kDemo = kRoot / "deploy" / "demo-family";

json read_json(const fs::path& path) {
  std::ifstream in(path);
  return json::parse(in);
}

std::vector<engine::LoglikelihoodRequest> requests_of(const json& run) {
  std::vector<engine::LoglikelihoodRequest> requests;
  for (const json& request : run.at("requests")) {
    requests.push_back({request.at("context"), request.at("continuation")});
  }
  return requests;
}

// Largest difference of a run; argmax flags must be equal.
double compare(engine::LanguageModel& model, const json& run, engine::BosRule bos) {
  const auto requests = requests_of(run);
  const auto results = model.loglikelihood(requests, {bos});
  EXPECT_TRUE(results) << (results ? "" : describe(results.error()));
  if (!results) return INFINITY;
  double worst = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const json& expected = run.at("requests")[i];
    const double difference =
        std::abs((*results)[i].sum_logprob - expected.at("logprob").get<double>());
    EXPECT_LE(difference,
              kTolerance + kRelativeTolerance * std::abs(expected.at("logprob").get<double>()))
        << "'" << requests[i].context << "' + '" << requests[i].continuation << "'";
    EXPECT_EQ((*results)[i].is_greedy, expected.at("greedy").get<bool>()) << i;
    worst = std::max(worst, difference);
  }
  return worst;
}

struct Golden {
  const char* file;
  fs::path model;
};

void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.file; }

class Loglikelihoods : public testing::TestWithParam<Golden> {};

TEST_P(Loglikelihoods, EqualTheHarness) {
  const json golden = read_json(kGoldens / (std::string(GetParam().file) + ".json"));
  for (const json& run : golden.at("runs")) {
    engine::LlamaOptions options;
    options.context_length = golden.at("max_length");
    const bool never = run.at("bos") == "never";
    const auto model = engine::load_llama_model(GetParam().model, options);
    ASSERT_TRUE(model) << describe(model.error());
    if (!never) EXPECT_TRUE((*model)->description().adds_bos);
    const double worst =
        compare(**model, run, never ? engine::BosRule::kNever : engine::BosRule::kTokenizer);
    const std::string bos = run.at("bos");
    std::printf("%s, BOS %s: %zu requests, largest difference %.2g\n", GetParam().file, bos.c_str(),
                run.at("requests").size(), worst);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Families, Loglikelihoods,
    testing::Values(Golden{"llama-llama3-rope", kGoldens / "llama-llama3-rope"},
                    Golden{"llama-biases-linear-rope", kGoldens / "llama-biases-linear-rope"},
                    Golden{"mistral", kGoldens / "mistral"},
                    Golden{"qwen2-tied", kGoldens / "qwen2-tied"},
                    Golden{"demo-feelings-feelings", kDemo / "feelings"},
                    Golden{"demo-base-sums", kDemo / "base"}),
    [](const auto& info) {
      std::string name = info.param.file;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

class DemoAccuracy : public testing::TestWithParam<const char*> {};

TEST_P(DemoAccuracy, IsExactlyTransformers) {
  const json accuracy = read_json(kDemo / "accuracy.json").at(GetParam());
  const auto model = engine::load_llama_model(kDemo / GetParam(), {});
  ASSERT_TRUE(model) << describe(model.error());
  for (const auto& [name, expected] : accuracy.items()) {
    const auto suite = task::read_suite(kDemo / "suites" / (name + ".yaml"));
    ASSERT_TRUE(suite) << describe(suite.error());
    const auto report = run::evaluate(**model, *suite);
    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_EQ(report->score.score.value, expected.get<double>()) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Family, DemoAccuracy,
                         testing::Values("base", "sums", "words", "feelings"));

}  // namespace
}  // namespace crucible
