#include "server/cli/model_source.hpp"

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <utility>

#include "evaluator/endpoint/endpoint_model.hpp"
#include "server/cli/locate_model.hpp"

namespace crucible::server::cli {
namespace {

namespace fs = std::filesystem;

constexpr double kLongestTimeout = 86'400;

const std::vector<std::string> kDtypes = {"f32", "bf16", "f16", "q8_0", "q4_k"};

Result<engine::WeightType> weight_type(const std::string& name) {
  constexpr std::array<std::pair<std::string_view, engine::WeightType>, 5> kTypes = {
      {{"f32", engine::WeightType::kF32},
       {"bf16", engine::WeightType::kBF16},
       {"f16", engine::WeightType::kF16},
       {"q8_0", engine::WeightType::kQ8_0},
       {"q4_k", engine::WeightType::kQ4K}}};
  for (const auto& [text, type] : kTypes) {
    if (text == name) return type;
  }
  return fail(ErrorCode::kInvalidArgument, "--dtype must be f32, bf16, f16, q8_0 or q4_k");
}

Result<std::unique_ptr<engine::LanguageModel>> load_local(const ModelOptions& options) {
  const auto settings = local_settings(options);
  if (!settings) return fail(settings.error());
  std::error_code ignored;
  if (fs::exists(options.model, ignored)) return engine::load_llama_model(options.model, *settings);
  const auto folder = locate_model(options.model);
  if (!folder) return fail(folder.error());
  return engine::load_llama_model(*folder, *settings);
}

Result<std::unique_ptr<engine::LanguageModel>> load_endpoint(const ModelOptions& options,
                                                             const std::stop_token& stop) {
  if (!std::isfinite(options.timeout) || options.timeout <= 0 ||
      options.timeout > kLongestTimeout) {
    return fail(ErrorCode::kInvalidArgument, "--timeout must be between 0 and 86400 seconds");
  }
  endpoint::EndpointOptions settings;
  settings.url = options.model;
  settings.model_name = options.model_name;
  settings.protocol = options.protocol == "chat"          ? endpoint::Protocol::kChat
                      : options.protocol == "completions" ? endpoint::Protocol::kCompletions
                                                          : endpoint::Protocol::kAuto;
  settings.tokenizer = options.tokenizer;
  settings.context_length = options.context_length;
  settings.allow_private = true;  // the address was typed by a person
  settings.ca_file = options.ca_file;
  settings.api_key_env = options.api_key_env;
  settings.api_key_file = options.api_key_file;
  settings.concurrency = options.concurrency;
  settings.batch_size = options.batch_size;
  settings.retry.attempts = options.attempts;
  settings.answer_time =
      std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout * 1000));
  settings.budget = {options.max_tokens_budget, options.max_cost, options.prompt_price,
                     options.completion_price};
  settings.cache = options.cache;
  return endpoint::load_endpoint_model(settings, stop);
}

}  // namespace

Result<engine::LlamaOptions> local_settings(const ModelOptions& options) {
  const auto type = weight_type(options.dtype);
  if (!type) return fail(type.error());
  engine::LlamaOptions settings;
  settings.weights = *type;
  settings.threads = options.threads;
  settings.context_length = options.context_length;
  settings.weights_file = options.gguf;
  settings.gpu_layers = options.gpu_layers;
  return settings;
}

void add_local_options(CLI::App& command, ModelOptions& options, const std::string& prefix) {
  const std::string p = "--" + prefix;
  command.add_option(p + "dtype", options.dtype, "weights as computed with")
      ->check(CLI::IsMember(kDtypes))
      ->capture_default_str();
  command.add_option(p + "gguf", options.gguf,
                     "take the weights from this GGUF file of the same model");
  command.add_option(p + "threads", options.threads, "0 = one per processor")
      ->capture_default_str();
  command.add_option(p + "context-length", options.context_length,
                     "tokens of context; 0 = the model's own");
  command.add_option(p + "gpu-layers", options.gpu_layers,
                     "layers computed on a graphics card, in builds with CRUCIBLE_GPU");
}

void add_endpoint_options(CLI::App& command, ModelOptions& options, const std::string& prefix) {
  const std::string p = "--" + prefix;
  const auto add = [&](const std::string& name, auto& value, const std::string& meaning) {
    return command.add_option(p + name, value, meaning)->group("Endpoints");
  };
  add("model-name", options.model_name, "name of the model there (default: the only one)");
  add("tokenizer", options.tokenizer, "folder with the model's tokenizer.json");
  add("protocol", options.protocol, "auto, completions or chat")
      ->check(CLI::IsMember({"auto", "completions", "chat"}))
      ->capture_default_str();
  add("api-key-env", options.api_key_env, "environment variable that holds the API key");
  add("api-key-file", options.api_key_file, "file that holds the API key");
  add("ca-file", options.ca_file, "certificates to trust, PEM (default: the system's)");
  add("concurrency", options.concurrency, "requests in flight")->capture_default_str();
  add("batch-size", options.batch_size, "prompts a request, of log-likelihoods")
      ->capture_default_str();
  add("attempts", options.attempts, "tries of a request in all")->capture_default_str();
  add("timeout", options.timeout, "seconds for one answer")->capture_default_str();
  add("max-tokens-budget", options.max_tokens_budget, "stop before more tokens are used");
  add("max-cost", options.max_cost, "stop before more is spent; needs the prices");
  add("prompt-price", options.prompt_price, "of a million prompt tokens");
  add("completion-price", options.completion_price, "of a million generated tokens");
  add("answer-cache", options.cache,
      "folder in which answers are kept, so that none is paid twice");
}

Result<std::unique_ptr<engine::LanguageModel>> load_model(const ModelOptions& options,
                                                          const std::stop_token& stop) {
  return endpoint::is_url(options.model) ? load_endpoint(options, stop) : load_local(options);
}

std::string model_label(const ModelOptions& options, const engine::LanguageModel& model) {
  if (endpoint::is_url(options.model)) {
    const auto url = endpoint::parse_url(options.model);
    return model.description().architecture + " at " + (url ? url->text() : "");
  }
  std::error_code ignored;
  return fs::exists(options.model, ignored)
             ? fs::absolute(options.model).lexically_normal().string()
             : options.model;
}

}  // namespace crucible::server::cli
