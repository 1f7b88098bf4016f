#pragma once

#include <stop_token>

#include "evaluator/engine/gguf_vocabulary.hpp"
#include "evaluator/engine/llama_model.hpp"
#include "evaluator/engine/model_shape.hpp"
#include "merger/base/io.hpp"
#include "merger/base/progress.hpp"

namespace crucible::engine {

// What a GGUF file says beside weights and hyperparameters.
struct GgufDescription {
  std::string name;                            // general.name; "" = none
  std::optional<std::uint32_t> file_type;      // general.file_type, as llama.cpp numbers them
  const GgufVocabulary* vocabulary = nullptr;  // nullptr: none, for callers that hand in ids
};

// llama.cpp's name of the graph that computes this shape.
const std::string& gguf_architecture(const ModelShape& shape);

// Writes the checkpoint as a GGUF model to `fd`, an empty file or memfd, from offset 0. Matrices
// get the element type of `weights` (q8_0 only where rows are a multiple of 32, else f16; q4_k with
// llama.cpp's own exceptions: the output matrix q6_k, rows that are no multiple of 256 q5_0, q8_0
// or f16); vectors and routers are f32. Holds a few MiB of one tensor at a time, or a transposed
// one. Weights that are NaN or infinite are kCorrupt, those beyond f16 asked for as such
// kUnsupported. The tensors must have passed check_tensors; a vocabulary must have as many tokens
// as the shape. Progress counts bytes written; a stop request is kCancelled.
Status write_gguf(const checkpoint::Checkpoint& checkpoint, const ModelShape& shape,
                  WeightType weights, int fd, const GgufDescription& description = {},
                  const ProgressSink& progress = {}, const std::stop_token& stop = {},
                  io::Syscalls& calls = io::system());

}  // namespace crucible::engine
