#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "evaluator/engine/model_shape.hpp"

namespace crucible::engine {

// What the metadata of a GGUF model file says, as far as this engine must know it. llama.cpp ends
// the process on metadata that contradicts itself, so that it sees none that has not passed here.
struct GgufFacts {
  ModelShape
      shape;  // sizes, limits of context and rope scaling kind; architecture: any with its graph
  bool has_vocabulary = false;
  std::optional<std::int32_t> bos, eos;
  std::string chat_template;  // "" = none
};

// kNotFound; kCorrupt: no GGUF file, or truncated; kInvalidArgument lists every impossible value;
// kUnsupported: a graph that no checkpoint folder of this engine uses, a tokenizer other than BPE
// with bytes or with byte fallback, sizes that differ between layers.
Result<GgufFacts> read_gguf_facts(const std::filesystem::path& file);

}  // namespace crucible::engine
