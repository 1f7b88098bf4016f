#pragma once

#include <cstdint>
#include <vector>

#include "evaluator/engine/architecture_table.hpp"
#include "evaluator/engine/config_reader.hpp"

// Rotary position embeddings (Su et al. 2021, arXiv:2104.09864) and how a configuration stretches
// them. Formulas and names: transformers, modeling_rope_utils.
namespace crucible::engine {

struct RopeScaling {
  enum class Kind { kNone, kLinear, kLlama3, kYarn, kLongRope };
  Kind kind = Kind::kNone;
  double factor = 1;
  double original_context = 8192;
  // llama3
  double low_frequency_factor = 1;
  double high_frequency_factor = 4;
  // yarn (arXiv:2309.00071)
  double beta_fast = 32;
  double beta_slow = 1;
  // yarn and longrope: what cosine and sine are multiplied with.
  double attention_factor = 1;
  // longrope (arXiv:2402.13753): divisors of the frequencies in texts of up to original_context
  // positions, and in longer ones.
  std::vector<float> short_factors;
  std::vector<float> long_factors;
};

struct Rope {
  double theta = 10000;
  double window_theta = 10000;   // of layers with a window, where they have their own
  std::uint32_t dimensions = 0;  // rotated, of each head
  RopeScaling scaling;
};

// Reads rope_parameters (transformers 5), or rope_theta and rope_scaling. kUnsupported names a rope
// type that the architecture's graph does not compute; impossible numbers become faults of
// `config`.
Result<Rope> read_rope(ConfigReader& config, const ArchitectureTable& table,
                       std::uint32_t head_size, std::uint32_t context);

// Divisors of the rope frequencies (rope.dimensions / 2 of them) for llama3; empty otherwise.
std::vector<float> rope_divisors(const Rope& rope);

}  // namespace crucible::engine
