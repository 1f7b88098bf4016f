#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "evaluator/endpoint/endpoint_options.hpp"
#include "evaluator/judge/judge.hpp"
#include "evaluator/task/suite.hpp"
#include "nlohmann/json.hpp"

// Models that are no folders: OpenAI-style endpoints that the operator named, and the judges that
// grade conversations. Clients use the names only; addresses and keys stay with the operator.
namespace crucible::server::pipeline {

// One of endpoint and folder.
struct JudgeSource {
  std::string endpoint;          // a name of ModelSources::endpoints
  std::filesystem::path folder;  // a model folder or GGUF file
  std::filesystem::path rubric;  // YAML; "" = MT-Bench's own prompts
  std::uint32_t max_new_tokens = 2048;
  std::uint64_t seed = 1234;
};

struct ModelSources {
  std::map<std::string, endpoint::EndpointOptions> endpoints;
  std::map<std::string, JudgeSource> judges;
};

// The operator's YAML file:
//
//   endpoints:
//     vllm:
//       url: https://models.example.org/v1
//       model: org/name           # default: the only one there
//       api_key_file: /etc/crucible/vllm.key
//       tokenizer: /models/name   # folder with tokenizer.json; log-likelihoods then go as ids
//       protocol: auto            # completions, chat
//       private: false            # true lets it lead to loopback and private addresses
//       context_length, concurrency, batch_size, attempts, timeout, ca_file,
//       max_tokens, max_cost, prompt_price, completion_price
//   judges:
//     gpt4: {endpoint: vllm}      # or model: FOLDER; rubric, max_new_tokens, seed
//
// kInvalidArgument with all faults and their paths. "" gives none.
Result<ModelSources> read_model_sources(const std::filesystem::path& file);

// For a worker, which gets whole settings and no file; keys stay in their files.
nlohmann::json to_json(const endpoint::EndpointOptions& options);
endpoint::EndpointOptions endpoint_options_from(const nlohmann::json& json);  // of to_json's

// Who an endpoint is: address, model, tokenizer and protocol. What is scored behind them may change
// without notice.
Digest identity_of(const endpoint::EndpointOptions& options);

// A judge with the endpoint it may need, complete.
struct JudgeSpec {
  std::string name;
  JudgeSource source;
  endpoint::EndpointOptions endpoint;  // counts where source.endpoint is not ""
};
nlohmann::json to_json(const JudgeSpec& judge);
JudgeSpec judge_spec_from(const nlohmann::json& json);  // of to_json's

judge::JudgeSettings settings_of(const JudgeSpec& judge);
Result<judge::Rubric> rubric_of(const JudgeSpec& judge,
                                const std::vector<std::filesystem::path>& datasets);

// MT-Bench as this judge grades it: suite "mt-bench@NAME", whose digest covers questions, prompts
// and who judges.
Result<task::Suite> judged_suite(const JudgeSpec& judge,
                                 const std::vector<std::filesystem::path>& datasets);

}  // namespace crucible::server::pipeline
