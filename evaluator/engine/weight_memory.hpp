#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "evaluator/engine/llama_loading.hpp"
#include "merger/checkpoint/model_source.hpp"

namespace crucible::engine {

class GgufImage;

// Weights of a model as GGUF in anonymous memory, which llama.cpp maps: no file, no second copy.
// A model of the same layout that is loaded next is written over the last one, once nothing else
// uses that: tensors whose identity is still there are neither computed nor written. One caller at
// a time.
class WeightMemory {
 public:
  WeightMemory() = default;
  ~WeightMemory();
  WeightMemory(const WeightMemory&) = delete;
  WeightMemory& operator=(const WeightMemory&) = delete;

  // The source's tensors must have passed check_tensors. The model must no longer be used when
  // load is called again with nothing else holding it. Errors: those of the source, kCorrupt,
  // kUnsupported, kCancelled; what is loaded then is dropped.
  Result<std::shared_ptr<llama_model>> load(checkpoint::ModelSource& source,
                                            const ModelShape& shape, WeightType weights,
                                            std::uint32_t gpu_layers,
                                            const ProgressSink& progress = {},
                                            const std::stop_token& stop = {});

 private:
  std::span<std::byte> map(std::uint64_t bytes);
  Status write(const GgufImage& image, checkpoint::ModelSource& source, bool stays,
               const ProgressSink& progress, const std::stop_token& stop);
  void forget();

  int fd_ = -1;                  // of the memory, while the model in it can be written over
  std::span<std::byte> mapped_;  // the same, to write to
  std::string head_;
  std::map<std::string, Digest> held_;  // tensors of the source, by name
  std::shared_ptr<llama_model> model_;
};

// How a model that is no folder is loaded.
struct LoadContext {
  WeightMemory* memory = nullptr;  // used again from model to model; must outlive them
  ProgressSink progress;
  std::stop_token stop;
};
// As load_llama_model of a folder. options.weights_file must be empty.
Result<std::unique_ptr<LanguageModel>> load_llama_model(checkpoint::ModelSource& source,
                                                        const LlamaOptions& options,
                                                        const LoadContext& context = {});

}  // namespace crucible::engine
