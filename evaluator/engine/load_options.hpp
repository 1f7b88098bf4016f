#pragma once

#include <array>
#include <cstdio>

#include "evaluator/engine/model_shape.hpp"
#include "llama.h"

namespace crucible::engine {

// How llama.cpp loads a model. Must outlive the loading.
class LoadOptions {
 public:
  LoadOptions(const ModelShape& shape, std::uint32_t gpu_layers) : gpu_layers_(gpu_layers) {
    if (shape.rope.scaling.kind != RopeScaling::Kind::kLongRope) return;
    // llama.cpp takes the factors of long texts by the size of its memory, which sequences share.
    llama_model_kv_override& context = overrides_.front();
    context.tag = LLAMA_KV_OVERRIDE_TYPE_INT;
    context.val_i64 = 1LL << 30;
    const std::string key = shape.architecture->gguf + ".rope.scaling.original_context_length";
    std::snprintf(context.key, sizeof context.key, "%s", key.c_str());
  }
  LoadOptions(const LoadOptions&) = delete;
  LoadOptions& operator=(const LoadOptions&) = delete;

  llama_model_params params() const {
    llama_model_params params = llama_model_default_params();
    params.load_mode = LLAMA_LOAD_MODE_MMAP;
    params.n_gpu_layers = static_cast<std::int32_t>(gpu_layers_);
    params.kv_overrides = overrides_.data();
    return params;
  }

 private:
  std::uint32_t gpu_layers_;
  std::array<llama_model_kv_override, 2> overrides_ = {};  // an empty key ends them
};

}  // namespace crucible::engine
