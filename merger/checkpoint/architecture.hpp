#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"
#include "merger/checkpoint/checkpoint.hpp"
#include "merger/checkpoint/tensor_source.hpp"
#include "merger/tensor/dtype.hpp"

// Which tensors an architecture has: read from the tables in architectures/*.json (see the README
// there), or inferred from checkpoints (infer_architecture.hpp).
namespace crucible::checkpoint {

struct TensorTemplate {
  std::string name;                // with ${layer_index} in layer tensors
  std::vector<std::string> shape;  // one expression a dimension ("2*intermediate_size"), "" where
                                   // the extent is not known; empty: nothing is known
  bool optional = false;
  std::string tied_to = {};                    // stands in where a model lacks it; "" = none
  std::vector<std::string> aliases = {};       // other names under which models have it
  std::vector<std::string> tied_aliases = {};  // other names of tied_to
  std::string count = {};      // expression: how often it stands, numbered by ${expert_index}
  bool per_expert = false;     // of one expert, in a layout that can be packed
  std::uint64_t repeated = 0;  // the value of count, of a packed tensor
  std::vector<std::string> parts = {};  // of a packed tensor: the tensors of one expert that
                                        // it holds one after the other, for every expert

  std::string in_layer(std::uint64_t layer) const;  // the name in one layer
  // The name and the aliases in one layer, and likewise of the tensor that stands in.
  std::vector<std::string> spellings(std::uint64_t layer) const;
  std::vector<std::string> tied_spellings() const;
};

// A stack of numbered layers and the tensors before and after it. Language models have one.
struct Module {
  std::string name;  // as recipes have it under modules:
  // Configuration keys that hold the number of layers, "text_config.num_hidden_layers"; where
  // there are several they mean the same.
  std::vector<std::string> layer_count_keys;
  std::string layer_prefix;  // of an inferred module, "model.layers."; "" = counts come from config
  std::vector<TensorTemplate> before;
  std::vector<TensorTemplate> layer;
  std::vector<TensorTemplate> after;
  std::vector<TensorTemplate> packed;  // stand for the tensors that are per_expert
  // Expression: layers n, 2n, ... attend to all tokens, the others to a sliding window, where the
  // configuration does not list layer_types; "" = not so.
  std::string full_attention_every;
  std::vector<std::string> buffers;  // in files, but computed by the model: never written
};

struct Architecture {
  std::string model_type;
  std::vector<std::string> names;  // of the model class, "LlamaForCausalLM"
  bool inferred = false;
  bool packed_experts = false;  // the experts of a layer lie in one tensor
  std::vector<Module> modules;  // the main one first
};
using ArchitecturePtr = std::shared_ptr<const Architecture>;

// The tables as they stand, ${expert_index} not written out, in order of file name.
const std::vector<Architecture>& architectures();
std::string supported_names();  // "CohereForCausalLM, ..."

// A table with its repeated tensors written out as a configuration counts them.
Result<Architecture> written_out(const Architecture& table, const nlohmann::json& config);

// The table for the checkpoint's model_type and class name, experts written out and in the layout
// that the checkpoint has. nullptr when there is none; kCorrupt when the configuration lacks the
// number of experts.
Result<ArchitecturePtr> find_architecture(const Checkpoint& checkpoint);

// The same with the experts of a layer in one tensor.
ArchitecturePtr with_packed_experts(const Architecture& architecture);

// Layers of each module of a model: from the configuration, or from the tensor names where the
// module is inferred. kCorrupt when the configuration's number is missing or not sensible, or a
// layer has no tensors.
Result<std::vector<std::uint64_t>> layer_counts(const Architecture& architecture,
                                                const nlohmann::json& config,
                                                const Weights& weights);

// A whole number from 1 under a key ("text_config.num_layers" goes into the section). A key without
// a dot is looked up in text_config too.
std::optional<std::uint64_t> config_number(const nlohmann::json& config, std::string_view key);

// The value of an expression of configuration keys: alternatives a|b (the first that has a value),
// sums a+b, products 2*a. nullopt when a number that it needs is missing or wrong.
std::optional<std::uint64_t> evaluate_size(const nlohmann::json& config,
                                           std::string_view expression);

// The shape that the configuration asks for; nullopt when any extent is not known.
std::optional<tensor::Shape> expected_shape(const TensorTemplate& tensor,
                                            const nlohmann::json& config);

}  // namespace crucible::checkpoint
