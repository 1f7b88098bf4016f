#pragma once

#include "evaluator/engine/llama_model.hpp"
#include "evaluator/engine/model_shape.hpp"

namespace crucible::engine {

// Writes the checkpoint as a GGUF model without vocabulary to `fd`, an empty file or memfd, from
// offset 0. Matrices get the element type of `weights` (q8_0 only where rows are a multiple of 32,
// else f16); vectors are f32. Holds a few MiB of one tensor at a time. The tensors must have passed
// check_tensors.
Status write_gguf(const checkpoint::Checkpoint& checkpoint, const ModelShape& shape,
                  WeightType weights, int fd);

}  // namespace crucible::engine
