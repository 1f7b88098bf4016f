#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "evaluator/endpoint/budget.hpp"
#include "evaluator/endpoint/retry.hpp"

namespace crucible::endpoint {

// How text is sent and what may be asked.
enum class Protocol {
  kAuto,         // whatever the probe finds
  kCompletions,  // /completions only
  kChat          // /chat/completions only: no log-likelihoods
};

struct EndpointOptions {
  std::string url;         // "http://127.0.0.1:8000/v1"
  std::string model_name;  // "" = the only one that /models lists
  Protocol protocol = Protocol::kAuto;
  // A folder with the tokenizer.json (and chat template) of the model that the endpoint serves.
  // Prompts then go as token ids. "" = the server's own /tokenize if it has one, else text.
  std::filesystem::path tokenizer;
  std::uint32_t context_length = 0;  // 0 = as /models says, else 2048
  // Loopback and private addresses: true where a person typed the address, as on a command line.
  bool allow_private = false;
  std::string ca_file;      // PEM; "" = the system's
  std::string api_key_env;  // name of an environment variable
  std::filesystem::path api_key_file;
  unsigned concurrency = 4;  // requests in flight, 1 to 256
  unsigned batch_size = 1;   // prompts a request, for log-likelihoods; 1 to 256
  std::chrono::milliseconds connect_time{10'000};
  std::chrono::milliseconds answer_time{300'000};
  std::uint64_t largest_answer = 64ULL << 20;
  RetrySettings retry;
  BudgetLimits budget;
  std::filesystem::path cache;   // folder of kept answers; "" = memory only
  std::shared_ptr<Pause> pause;  // null: real time
};

// All that is wrong with the numbers and names, at once.
Status check_options(const EndpointOptions& options);

}  // namespace crucible::endpoint
