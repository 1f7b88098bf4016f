// Holds rolling log-likelihoods and greedy generation against lm-evaluation-harness 0.4.13 on
// transformers in float32; make_text_goldens.py wrote what it said.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "evaluator/engine/llama_model.hpp"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace crucible {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kRoot = CRUCIBLE_SOURCE_DIR;
const fs::path kGoldens = kRoot / "tests" / "oracle" / "evaluate" / "goldens";

struct Golden {
  const char* name;
  bool is_demo = false;
};

void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.name; }

class Texts : public testing::TestWithParam<Golden> {
 protected:
  void SetUp() override {
    const std::string name = GetParam().name;
    std::ifstream in(kGoldens / ("text-" + name + ".json"));
    golden_ = json::parse(in);
    const fs::path folder =
        (GetParam().is_demo ? kRoot / "deploy" / "demo-family" : kGoldens) / name;
    engine::LlamaOptions options;
    options.context_length = golden_.at("max_length");
    auto model = engine::load_llama_model(folder, options);
    ASSERT_TRUE(model) << describe(model.error());
    model_ = std::move(*model);
    call_.bos =
        golden_.at("bos") == "never" ? engine::BosRule::kNever : engine::BosRule::kTokenizer;
  }

  json golden_;
  std::unique_ptr<engine::LanguageModel> model_;
  engine::Call call_;
};

TEST_P(Texts, RollingLoglikelihoodsEqualTheHarness) {
  std::vector<engine::RollingRequest> requests;
  for (const json& one : golden_.at("rolling")) requests.push_back({one.at("text")});
  const auto results = model_->loglikelihood_rolling(requests, call_);
  ASSERT_TRUE(results) << describe(results.error());
  double worst = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const double expected = golden_.at("rolling")[i].at("logprob");
    // The harness adds up in float32.
    const double relative =
        std::abs((*results)[i].sum_logprob - expected) / std::max(1.0, std::abs(expected));
    EXPECT_LE(relative, 1e-6) << requests[i].text;
    worst = std::max(worst, relative);
  }
  std::printf("%s: %zu texts, largest relative difference %.2g\n", GetParam().name, requests.size(),
              worst);
}

TEST_P(Texts, GreedyAnswersEqualTheHarness) {
  std::vector<engine::GenerationRequest> requests;
  for (const json& one : golden_.at("generation")) {
    engine::GenerationRequest request;
    request.context = one.at("context");
    request.settings.until = one.at("until").get<std::vector<std::string>>();
    request.settings.max_new_tokens = one.at("max_new_tokens");
    requests.push_back(std::move(request));
  }
  const auto results = model_->generate(requests, call_);
  ASSERT_TRUE(results) << describe(results.error());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ((*results)[i].text, golden_.at("generation")[i].at("text").get<std::string>())
        << "'" << requests[i].context << "'";
  }
  const auto account = model_->account();
  std::printf("%s: %zu answers, %llu of %llu prompt tokens computed\n", GetParam().name,
              requests.size(), static_cast<unsigned long long>(account.prompt_tokens_computed),
              static_cast<unsigned long long>(account.prompt_tokens_asked));
}

INSTANTIATE_TEST_SUITE_P(Models, Texts,
                         testing::Values(Golden{"llama-llama3-rope"},
                                         Golden{"llama-biases-linear-rope"}, Golden{"mistral"},
                                         Golden{"qwen2-tied"}, Golden{"base", true},
                                         Golden{"sums", true}, Golden{"words", true},
                                         Golden{"feelings", true}),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace crucible
