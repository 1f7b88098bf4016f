#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "evaluator/engine/llama_model.hpp"
#include "merger/base/error.hpp"

namespace CLI {
class App;
}

namespace crucible::server::cli {

// A model as commands name it: a folder or GGUF file here, org/name in the local Hugging Face
// cache, or the address of an OpenAI-style endpoint. The second half counts for endpoints only.
struct ModelOptions {
  std::string model;
  std::string dtype = "f32";  // f32, bf16, f16, q8_0, q4_k
  std::string gguf;           // "" = the folder's own weights
  unsigned threads = 0;
  std::uint32_t context_length = 0;
  std::uint32_t gpu_layers = 0;

  std::string model_name;
  std::string tokenizer;
  std::string protocol = "auto";  // auto, completions, chat
  std::string api_key_env;
  std::string api_key_file;
  std::string ca_file;
  unsigned concurrency = 4;
  unsigned batch_size = 1;
  unsigned attempts = 6;
  double timeout = 300;  // seconds
  std::uint64_t max_tokens_budget = 0;
  double max_cost = 0;
  double prompt_price = 0;
  double completion_price = 0;
  std::string cache;  // folder of kept answers
};

// The options of local models: --dtype, --gguf, --threads, --context-length, --gpu-layers. With a
// prefix "judge-" they are --judge-dtype and so on.
void add_local_options(CLI::App& command, ModelOptions& options, const std::string& prefix = "");
// Those of endpoints: --model-name, --tokenizer, --api-key-env, --concurrency, ….
void add_endpoint_options(CLI::App& command, ModelOptions& options, const std::string& prefix = "");

// What the options of local models say; kInvalidArgument.
Result<engine::LlamaOptions> local_settings(const ModelOptions& options);

Result<std::unique_ptr<engine::LanguageModel>> load_model(const ModelOptions& options,
                                                          const std::stop_token& stop);

// How reports name it: a folder's absolute path, or the endpoint's model and address.
std::string model_label(const ModelOptions& options, const engine::LanguageModel& model);

}  // namespace crucible::server::cli
