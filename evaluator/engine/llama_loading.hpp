#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "evaluator/engine/llama_model.hpp"
#include "evaluator/engine/model_shape.hpp"

struct llama_model;
struct llama_context;

// What everything built on llama.cpp shares: loading a checkpoint, owning handles, reading its
// complaints. Keeps llama.h out of headers.
namespace crucible::engine {

struct FreeModel {
  void operator()(llama_model* model) const;
};
struct FreeContext {
  void operator()(llama_context* context) const;
};
using ModelHandle = std::unique_ptr<llama_model, FreeModel>;
using ContextHandle = std::unique_ptr<llama_context, FreeContext>;

// llama.cpp reports through one process-wide callback; its first complaint on this thread since
// forget_complaint explains a failed call.
void start_llama();  // before anything else of llama.cpp; may be called again
void forget_complaint();
// "llama.cpp 0.6.0-dev", with the instructions that this processor computes by where they are not
// those that all have: results differ by rounding then. After start_llama.
std::string engine_name();
std::string with_complaint(std::string message);

// The GGUF model of this shape that lies in the anonymous memory behind `fd`, mapped: what is
// written there later changes the model's weights where llama.cpp takes them as they are. `label`
// is for messages.
Result<ModelHandle> map_model(int fd, const ModelShape& shape, std::uint32_t gpu_layers,
                              const std::string& label);

// A GGUF file of a model with this shape, mapped. kInvalidArgument: it has other sizes. NaN and
// infinite weights are kCorrupt.
Result<ModelHandle> load_weights_file(const std::filesystem::path& file, const ModelShape& shape,
                                      std::uint32_t gpu_layers = 0);
// What general.file_type says: "q4_k_m"; "gguf" for types that this library does not write.
std::string weights_file_type(const llama_model* model);

// `asked`, or where that is 0 the model's own limit. More than the model's positions
// or its sliding window is kInvalidArgument.
Result<std::uint32_t> context_length(const ModelShape& shape, std::uint32_t asked);

// `asked`, or where that is 0 one per hardware thread, a single one for small models, whose threads
// wait for each other longer than they compute.
unsigned thread_count(unsigned asked, std::uint64_t parameters);

}  // namespace crucible::engine
