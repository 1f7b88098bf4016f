#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "merger/base/io.hpp"
#include "merger/base/progress.hpp"
#include "merger/tensor/dtype.hpp"

namespace crucible::lora {

struct ExtractOptions {
  std::uint64_t max_rank = 32;
  double energy = 0.99;  // 0 to 1: how much of each difference's squared norm to keep
  bool exact = false;    // a full decomposition rather than a randomised one
  std::uint64_t seed = 0;
  std::string include;  // regular expressions searched in module names; "" = all, none
  std::string exclude;
  bool save_modules = false;  // what is no matrix goes into the adapter whole
  tensor::DType dtype = tensor::DType::kF32;
  unsigned threads = 0;    // 0 = one per hardware thread
  std::string base_model;  // for adapter_config.json; "" = the base's folder
};

struct ExtractedModule {
  std::string name;
  tensor::Shape shape;
  std::uint64_t rank = 0;
  double relative_error = 0;  // |D - B A| / |D|, Frobenius, of the factors as written
};

struct SkippedTensor {
  std::string name;
  std::string reason;
};

struct ExtractReport {
  std::vector<ExtractedModule> modules;
  std::vector<std::string> saved;      // modules that the adapter holds whole
  std::vector<SkippedTensor> skipped;  // differences that the adapter does not hold
  std::uint64_t unchanged = 0;         // tensors equal in both models
  double relative_error = 0;           // over all extracted modules together
  std::uint64_t bytes = 0;             // of the adapter's tensors
  double seconds = 0;
};

// Writes a LoRA adapter in PEFT layout to `out`, which must not exist and appears whole or not at
// all: what turns the model in `base` into the one in `model`, as nearly as the rank allows. A
// module's difference D = model - base is D = U S V^T, A = sqrt(S) V^T, B = U sqrt(S). Holds one
// difference in memory at a time (exact: with its decomposition), and the factors. The same bytes
// for every number of threads. Errors: kInvalidArgument (no matrix differs; a bad expression), what
// opening the models gives, kConflict, kNoSpace, kIo, kCancelled.
Result<ExtractReport> extract(const std::filesystem::path& base, const std::filesystem::path& model,
                              const std::filesystem::path& out, const ExtractOptions& options,
                              const ProgressSink& progress, std::stop_token stop,
                              io::Syscalls& calls = io::system());

}  // namespace crucible::lora
