#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "byte_codec.hpp"
#include "evaluator/engine/llama_model.hpp"
#include "evaluator/engine/request_encoding.hpp"
#include "gtest/gtest.h"
#include "tests/support/checkpoint_copy.hpp"

namespace crucible::engine {
namespace {

namespace fs = std::filesystem;

const fs::path kGoldens =
    fs::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate" / "goldens";
const Call kNoBos{BosRule::kNever, {}, {}};

std::unique_ptr<LanguageModel> load(const fs::path& folder, const LlamaOptions& options = {}) {
  auto model = load_llama_model(folder, options);
  EXPECT_TRUE(model) << describe(model.error());
  return model ? std::move(*model) : nullptr;
}

std::vector<fs::path> all_models() {
  std::vector<fs::path> models;
  for (const auto& entry : fs::directory_iterator(kGoldens)) {
    if (fs::exists(entry.path() / "config.json")) models.push_back(entry.path());
  }
  std::sort(models.begin(), models.end());
  return models;
}

// Contexts that share beginnings of many lengths, with continuations of one token and of several.
std::vector<LoglikelihoodRequest> tree() {
  std::vector<LoglikelihoodRequest> requests;
  std::string shots;
  for (int shot = 0; shot < 3; ++shot) {
    for (int item = 0; item < 4; ++item) {
      const std::string context = shots + "Item " + std::to_string(item) + " of the dog:";
      for (const char* choice : {" A", " B", " the cat.", " brown fox jumps over", "数"}) {
        requests.push_back({context, choice});
      }
    }
    shots += "Q: 12 times?\nA: fox.\n";
  }
  return requests;
}

TEST(Loglikelihood, BatchesAndSharingChangeOnlyRounding) {
  const auto requests = tree();
  double worst = 0;  // a token
  double worst_sum = 0;
  for (const fs::path& folder : all_models()) {
    std::vector<LoglikelihoodResult> first;
    double own = 0;
    for (const LlamaOptions& options :
         {LlamaOptions{}, LlamaOptions{.share_prefixes = false}, LlamaOptions{.batch_tokens = 16},
          LlamaOptions{.batch_tokens = 1}, LlamaOptions{.batch_tokens = 500}}) {
      const auto model = load(folder, options);
      ASSERT_TRUE(model);
      const auto results = model->loglikelihood(requests, kNoBos);
      ASSERT_TRUE(results) << folder << describe(results.error());
      if (first.empty()) first = *results;
      for (std::size_t i = 0; i < requests.size(); ++i) {
        const double difference = std::abs((*results)[i].sum_logprob - first[i].sum_logprob);
        worst_sum = std::max(worst_sum, difference);
        own = std::max(own, difference / first[i].tokens);
      }
    }
    EXPECT_LE(own, 1e-5) << folder;
    worst = std::max(worst, own);
  }
  std::printf("%zu models, %zu requests, largest difference %.2g a token, %.2g a sum\n",
              all_models().size(), requests.size(), worst, worst_sum);
}

TEST(Loglikelihood, ACallDoesNotDependOnThoseBefore) {
  const auto requests = tree();
  const auto fresh = load(kGoldens / "qwen2-tied");
  const auto used = load(kGoldens / "qwen2-tied");
  ASSERT_TRUE(fresh && used);
  const auto half = std::span(requests).subspan(30);
  ASSERT_TRUE(used->loglikelihood(std::span(requests).first(30), kNoBos));
  const auto a = fresh->loglikelihood(half, kNoBos);
  const auto b = used->loglikelihood(half, kNoBos);
  ASSERT_TRUE(a && b);
  for (std::size_t i = 0; i < half.size(); ++i) {
    EXPECT_EQ((*a)[i].sum_logprob, (*b)[i].sum_logprob);
  }
}

TEST(Loglikelihood, OptionsOfOneTokenCostOneForward) {
  const auto model = load(kGoldens / "qwen2-tied");
  ASSERT_TRUE(model);
  std::vector<LoglikelihoodRequest> requests;
  for (const char* choice : {" the", "\n", ".", ","}) requests.push_back({"Answer:", choice});
  ASSERT_TRUE(model->loglikelihood(std::span(requests).first(1), kNoBos));
  const auto one = model->account();
  const auto results = model->loglikelihood(requests, kNoBos);
  ASSERT_TRUE(results);
  for (const LoglikelihoodResult& result : *results) ASSERT_EQ(result.tokens, 1U);
  const auto all = model->account();
  EXPECT_EQ(all.prompt_tokens_computed, 2 * one.prompt_tokens_computed);
  EXPECT_EQ(all.prompt_tokens_asked, 5 * one.prompt_tokens_asked);
}

std::vector<GenerationRequest> questions(bool sample) {
  std::vector<GenerationRequest> requests;
  const std::string shots = "Question: Which animal barks?\nAnswer: the dog. Question: ";
  for (std::uint32_t i = 0; i < 12; ++i) {
    GenerationRequest request;
    request.context = shots + std::string(1 + i % 5, 'x') + " " + std::to_string(i / 2);
    request.settings.max_new_tokens = 6 + i;
    request.settings.until = {".", "\n"};
    request.settings.do_sample = sample;
    request.settings.temperature = 0.9;
    request.settings.top_p = 0.95;
    request.repeat = i % 2;
    requests.push_back(request);
  }
  return requests;
}

TEST(Generate, SameBytesWhateverTheThreadsAndTheCallsBefore) {
  for (const bool sample : {false, true}) {
    const auto requests = questions(sample);
    std::vector<GenerationResult> first;
    for (const unsigned threads : {1U, 2U, 3U}) {
      const auto model = load(kGoldens / "llama-llama3-rope", {.threads = threads});
      ASSERT_TRUE(model);
      if (threads == 2) {
        ASSERT_TRUE(model->generate(std::span(requests).first(3), kNoBos));
      }
      const auto results = model->generate(requests, kNoBos);
      ASSERT_TRUE(results) << describe(results.error());
      if (first.empty()) first = *results;
      for (std::size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ((*results)[i].text, first[i].text);
      }
    }
  }
}

// Not for certain, because batch shapes round differently; but draws and schedule add nothing.
TEST(Generate, NeighboursDoNotChangeDraws) {
  const auto requests = questions(true);
  const auto model = load(kGoldens / "llama-llama3-rope");
  ASSERT_TRUE(model);
  const auto together = model->generate(requests, kNoBos);
  ASSERT_TRUE(together);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto alone = model->generate(std::span(requests).subspan(i, 1), kNoBos);
    ASSERT_TRUE(alone);
    EXPECT_EQ((*alone)[0].text, (*together)[i].text) << i;
  }
}

TEST(Generate, SeedsAndRepeatsGiveOtherAnswers) {
  const auto model = load(kGoldens / "llama-llama3-rope");
  ASSERT_TRUE(model);
  GenerationRequest request;
  request.context = "The quick";
  request.settings.do_sample = true;
  request.settings.max_new_tokens = 20;
  std::vector<GenerationRequest> requests(3, request);
  requests[1].repeat = 1;
  requests[2].settings.seed = 99;
  const auto results = model->generate(requests, kNoBos);
  ASSERT_TRUE(results);
  EXPECT_NE((*results)[0].text, (*results)[1].text);
  EXPECT_NE((*results)[0].text, (*results)[2].text);
}

TEST(Generate, CountsWhatSharingSaves) {
  const auto model = load(kGoldens / "qwen2-tied");
  ASSERT_TRUE(model);
  const auto requests = questions(false);
  const auto results = model->generate(requests, kNoBos);
  ASSERT_TRUE(results);
  std::uint64_t asked = 0;
  std::uint64_t made = 0;
  for (const GenerationResult& result : *results) {
    asked += result.prompt_tokens;
    made += result.new_tokens;
  }
  const ComputeAccount account = model->account();
  EXPECT_EQ(account.prompt_tokens_asked, asked);
  EXPECT_EQ(account.tokens_generated, made);
  EXPECT_LT(account.prompt_tokens_computed, asked / 2);
}

TEST(Generate, LongContextsAreCutFromTheLeftAndFlagged) {
  const auto model = load(kGoldens / "qwen2-tied", {.context_length = 32});
  ASSERT_TRUE(model);
  GenerationRequest longer;
  for (int i = 0; i < 30; ++i) longer.context += "The quick brown fox ";
  longer.settings.max_new_tokens = 12;
  GenerationRequest empty;
  empty.settings.max_new_tokens = 3;
  const auto results = model->generate(std::vector{longer, empty}, kNoBos);
  ASSERT_TRUE(results) << describe(results.error());
  EXPECT_TRUE((*results)[0].truncated);
  EXPECT_EQ((*results)[0].prompt_tokens, 20U);
  EXPECT_FALSE((*results)[1].truncated);
  EXPECT_EQ((*results)[1].prompt_tokens, 1U);  // BOS stands for a context
  longer.settings.max_new_tokens = 32;
  const auto none = model->generate(std::vector{longer}, kNoBos);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kInvalidArgument);
  longer.settings = {};
  longer.settings.max_new_tokens = 2;
  longer.settings.do_sample = true;
  longer.settings.top_p = 0;
  EXPECT_EQ(model->generate(std::vector{longer}, kNoBos).error().code, ErrorCode::kInvalidArgument);
}

TEST(Generate, NonFiniteLogitsGiveAnErrorNotAText) {
  test::CheckpointCopy copy(kGoldens / "llama-llama3-rope");
  std::string huge;
  for (int i = 0; i < 32; ++i) huge += "\x7F\x7F";  // the largest bfloat16 value
  copy.poke("model.norm.weight", huge);
  const auto model = load(copy.path());
  ASSERT_TRUE(model);
  const auto generated = model->generate(questions(false), kNoBos);
  ASSERT_FALSE(generated);
  EXPECT_EQ(generated.error().code, ErrorCode::kCorrupt);
  const auto rolled = model->loglikelihood_rolling(std::vector<RollingRequest>{{"a b"}}, kNoBos);
  ASSERT_FALSE(rolled);
  EXPECT_EQ(rolled.error().code, ErrorCode::kCorrupt);
}

TEST(Generate, StopsWhenAsked) {
  const auto model = load(kGoldens / "llama-llama3-rope");
  ASSERT_TRUE(model);
  std::stop_source source;
  Call call = kNoBos;
  call.stop = source.get_token();
  call.progress = [&](const Progress&) { source.request_stop(); };
  const auto results = model->generate(questions(false), call);
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().code, ErrorCode::kCancelled);
}

TEST(ApplyChatTemplate, FollowsTheModelsOwn) {
  test::CheckpointCopy copy(kGoldens / "qwen2-tied");
  std::ofstream(copy.path() / "chat_template.jinja")
      << "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}"
         "{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}"
         "{% if add_generation_prompt %}[assistant]{% endif %}";
  const auto model = load(copy.path());
  ASSERT_TRUE(model);
  EXPECT_TRUE(model->capabilities().chat);
  EXPECT_NE(model->chat_template(), "");
  const std::vector<ChatMessage> talk = {{"system", "Be brief."}, {"user", "2+2?"}};
  EXPECT_EQ(model->apply_chat_template(talk, true).value(), "[user]2+2?[assistant]");
  EXPECT_EQ(model->apply_chat_template(std::span(talk).subspan(1), false).value(), "[user]2+2?");
  const auto bare = load(kGoldens / "qwen2-tied");
  ASSERT_TRUE(bare);
  EXPECT_FALSE(bare->capabilities().chat);
  EXPECT_EQ(bare->apply_chat_template(talk, true).error().code, ErrorCode::kUnsupported);
}

// Every token once, in order, and what the model sees before each: as much as there is, up to the
// window.
TEST(EncodeWindows, PredictEveryTokenOnce) {
  const tokenizer::ByteCodec codec;
  for (const std::size_t length : {0U, 1U, 7U, 8U, 9U, 16U, 17U, 31U}) {
    for (const std::uint32_t window : {1U, 2U, 8U}) {
      std::string text;
      for (std::size_t i = 0; i < length; ++i) text.push_back(static_cast<char>('A' + i));
      const auto windows = encode_windows(codec, BosRule::kTokenizer, window, text);
      ASSERT_TRUE(windows);
      EXPECT_EQ(windows->size(), (length + window - 1) / window);
      std::string predicted;
      for (const EncodedRequest& one : *windows) {
        const std::size_t before = predicted.size();
        for (const TokenId target : one.targets) predicted.push_back(static_cast<char>(target));
        const std::size_t whole = std::min<std::size_t>(window, predicted.size());
        ASSERT_EQ(one.input.size(), whole);
        for (std::size_t i = 0; i < whole; ++i) {
          // The token before the one that it predicts; EOS before the first of all.
          const std::size_t place = predicted.size() - whole + i;
          const TokenId expected =
              place == 0 ? tokenizer::ByteCodec::kEos : static_cast<TokenId>(text[place - 1]);
          EXPECT_EQ(one.input[i], expected);
        }
        EXPECT_EQ(one.first_scored() + one.targets.size(), one.input.size());
        EXPECT_LE(predicted.size() - before, window);
      }
      EXPECT_EQ(predicted, text);
    }
  }
}

TEST(Rolling, AddsItsWindowsUp) {
  const auto model = load(kGoldens / "mistral");
  ASSERT_TRUE(model);
  std::string text;
  for (int i = 0; i < 40; ++i) text += "The quick brown fox, " + std::to_string(i) + ". ";
  std::vector<Progress> seen;
  Call call = kNoBos;
  call.progress = [&](const Progress& now) { seen.push_back(now); };
  const auto results =
      model->loglikelihood_rolling(std::vector<RollingRequest>{{text}, {""}, {"fox"}}, call);
  ASSERT_TRUE(results) << describe(results.error());
  EXPECT_EQ((*results)[0].windows, ((*results)[0].tokens + 95) / 96);
  EXPECT_GT((*results)[0].windows, 2U);
  EXPECT_LT((*results)[0].sum_logprob, (*results)[2].sum_logprob);
  EXPECT_EQ((*results)[1].windows, 0U);
  EXPECT_EQ((*results)[1].sum_logprob, 0);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back().done, 3U);
}

}  // namespace
}  // namespace crucible::engine
