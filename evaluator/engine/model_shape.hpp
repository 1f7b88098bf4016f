#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "merger/checkpoint/checkpoint.hpp"

// What a decoder-only checkpoint of the Llama kind computes, as plain data: read from config.json
// and held against the tensors before an engine sees any of it.
namespace crucible::engine {

enum class Family { kLlama, kMistral, kQwen2, kQwen3 };

struct RopeScaling {
  enum class Kind { kNone, kLinear, kLlama3 };
  Kind kind = Kind::kNone;
  double factor = 1;
  // llama3 only.
  double low_frequency_factor = 1;
  double high_frequency_factor = 4;
  double original_context = 8192;
};

struct ModelShape {
  Family family = Family::kLlama;
  std::uint32_t vocabulary = 0;  // embedding rows
  std::uint32_t hidden = 0;
  std::uint32_t layers = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_size = 0;
  std::uint32_t feed_forward = 0;
  std::uint32_t context = 0;         // max_position_embeddings
  std::uint32_t sliding_window = 0;  // 0 = full attention
  double norm_epsilon = 1e-6;
  double rope_theta = 10000;
  RopeScaling rope;
  bool tied_embeddings = false;  // the output matrix is the embedding
  bool qkv_bias = false;
  bool output_bias = false;  // of attention's o_proj
  bool mlp_bias = false;
  bool qk_norm = false;  // each query and key head is normalised

  // Query and key rows of llama.cpp's llama architecture are interleaved pairs, those of the
  // checkpoint two halves.
  bool interleaved_rope() const { return family == Family::kLlama || family == Family::kMistral; }
};

std::string_view model_type(Family family);  // "llama", as in config.json

// kUnsupported names an architecture, rope type, activation or quantisation this build cannot
// compute; kInvalidArgument lists every impossible value as `config.json <key>`.
Result<ModelShape> read_shape(const checkpoint::Checkpoint& checkpoint);

// One tensor of the checkpoint and what becomes of it.
struct TensorPlan {
  std::string source;       // "model.layers.0.self_attn.q_proj.weight"
  std::string target;       // "blk.0.attn_q.weight"
  tensor::Shape shape;      // of the source: {rows, columns} or {n}
  bool interleave = false;  // reorder the rows of each head for interleaved rope
};

// All tensors that a model of this shape consists of.
std::vector<TensorPlan> tensor_plans(const ModelShape& shape);

// Every missing, misshapen, non-floating or unknown tensor, all at once: kCorrupt.
Status check_tensors(const checkpoint::Checkpoint& checkpoint, const ModelShape& shape);

// Divisors of the rope frequencies (head_size / 2 of them) for rope type llama3; empty otherwise.
// Formula: transformers, modeling_rope_utils, "llama3".
std::vector<float> rope_divisors(const ModelShape& shape);

}  // namespace crucible::engine
