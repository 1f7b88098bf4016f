#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"
#include "nlohmann/json.hpp"

// What this engine knows of each architecture, as data: architectures/*.json, compiled into the
// binary; architectures/README.md explains the keys. A table says which configurations llama.cpp's
// graph computes, what they are called in a GGUF file, and where each tensor of it comes from.
namespace crucible::engine {

// Named sizes: "hidden", "heads", "ff", …
using Sizes = std::map<std::string, std::uint64_t, std::less<>>;
using Flags = std::map<std::string, bool, std::less<>>;

// Sums of products of names and numbers: "q+2*kv", "hidden/heads". nullopt: a name without a value,
// a division with a remainder, or more than 2^62.
std::optional<std::uint64_t> evaluate_size(std::string_view expression, const Sizes& sizes);
// Conjunctions: "a&!b"; "" holds. Unknown flags are false.
bool holds(std::string_view condition, const Flags& flags);

// The first choice whose condition holds counts; of its alternatives the first with a value.
struct SizeChoice {
  std::string condition;
  std::string value;  // "num_key_value_heads|heads": configuration keys or expressions
};
struct SizeRule {
  std::string name;
  std::vector<SizeChoice> choices;
  bool may_be_zero = false;
};

struct FlagRule {
  std::string name;
  std::string key;  // of the configuration
  bool fallback = false;
  nlohmann::json equals;  // not null: the flag says whether the key has this value
};

// A real number of the configuration that the graph reads from metadata.
struct NumberRule {
  enum class Null { kFallback, kOmit, kRefuse };
  std::string name;  // "logit_scale"
  std::string key;
  std::optional<double> fallback;
  Null when_null = Null::kFallback;
};

// The configuration is refused unless `key` has one of these values; null = may be missing.
struct Requirement {
  std::string key;
  std::vector<nlohmann::json> allowed;
};

enum class Change {
  kInterleave,  // rows of each head: two halves become pairs, as llama.cpp's rotary mode NORM wants
  kTranspose,   // stored as [columns, rows]
  kUngroup,  // rows in groups of (queries, key, value) for each key-value head: all queries first
  kQueries,  // of such groups
  kKeys,
  kValues,
  kAddOne,      // norms that transformers applies as 1 + weight
  kQueryScale,  // what the graph's own scale of attention lacks
  kFloat32,     // kept in f32 whatever the weight type
  kFlatten,     // [1, n] becomes a vector
};

enum class WhenTied { kAbsent, kOmit, kCopy };  // kAbsent: no output matrix

// All experts of a layer in one tensor, [experts * rows, columns].
struct PackedRule {
  std::vector<std::string> sources;  // alternatives
  std::string rows;                  // of one expert
  std::string first;                 // row of one expert at which the wanted ones begin
};

struct TensorRule {
  std::vector<std::string> sources;  // alternatives; ${layer}, ${expert}
  std::string target;
  std::vector<std::string> shape;    // of the target (of one expert), outermost first
  std::vector<std::string> storage;  // of the source where it differs
  std::vector<Change> changes;
  std::string condition;
  std::string count;  // size that says how many sources are stacked; "" = one source, not stacked
  std::optional<PackedRule> packed;
  WhenTied when_tied = WhenTied::kAbsent;
};

// Layers that attend to a window while every `period`-th attends to all tokens.
struct WindowLayers {
  std::uint32_t default_period = 2;
  std::string period_key;  // of the configuration, where it lists no layer_types
  bool own_rope = false;   // they rotate by a frequency base of their own, unscaled
};

// The graph scales attention by head_size^-0.5, or by the width of a head's share of the hidden
// size in models of exactly `layers_scaled_by_width` layers; the configuration says key^-0.5.
struct QueryScale {
  std::string key;
  double fallback = 0;
  std::uint64_t layers_scaled_by_width = 0;
};

struct ArchitectureTable {
  std::string model_type;                // config.json: "llama"
  std::vector<std::string> class_names;  // config.json: "LlamaForCausalLM"
  std::string gguf;                      // llama.cpp's name of the graph
  bool rms_norm = true;                  // else LayerNorm
  std::string norm_key;
  double norm_fallback = 1e-6;
  bool rotary = true;
  double rope_theta = 10000;
  bool rope_factors = false;      // the graph takes a divisor for each frequency
  bool long_rope = false;         // the graph takes LongRoPE's factors
  bool square_attention = false;  // the graph needs heads * head_size == hidden
  bool plain_input = false;       // rows of the embedding enter the first layer as they are
  std::vector<std::string> partial_rotary_keys;  // empty: whole heads are rotated
  double partial_rotary_fallback = 1;
  std::vector<std::string> rope_base_keys;  // besides rope_theta
  std::vector<SizeRule> sizes;
  std::vector<FlagRule> flags;
  std::vector<NumberRule> numbers;
  std::vector<Requirement> requirements;
  std::vector<std::string> activation_keys;  // the first that is not null counts
  std::vector<std::string> activations;
  // Every n-th layer has no rotary embedding, which the configuration may list by this key; 0: no
  // such layers.
  std::string rope_layers_key;
  std::uint32_t rope_layers_period = 0;
  std::string window;  // "sliding_window", "use_sliding_window" or "": none
  std::optional<WindowLayers> window_layers;
  std::optional<QueryScale> query_scale;
  std::vector<std::pair<std::string, std::string>> metadata;        // GGUF key, size
  std::vector<std::pair<std::string, std::string>> metadata_flags;  // GGUF key, flag
  std::vector<std::string> prefixes;  // alternatives of the first one at the start of names
  std::vector<std::string> buffers;   // endings of tensors that files carry without need
  std::string dense_layers;           // size: that many first layers have the flag "dense_layer"
  std::vector<TensorRule> tensors;
};

// Throws nlohmann::json::exception or std::runtime_error for a text that is no such table.
ArchitectureTable parse_architecture_table(std::string_view text);

// Those compiled in, by model_type.
const std::vector<ArchitectureTable>& architecture_tables();

}  // namespace crucible::engine
