#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"
#include "merger/checkpoint/checkpoint.hpp"
#include "merger/tensor/dtype.hpp"

// Which tensors an architecture has, read from the tables in architectures/*.json (see the README
// there).
namespace crucible::checkpoint {

struct TensorTemplate {
  std::string name;                // with ${layer_index} in layer tensors
  std::vector<std::string> shape;  // symbols
  bool optional = false;
  std::string tied_to;                              // "" = none
  std::string in_layer(std::uint64_t layer) const;  // the name in one layer
};

struct Architecture {
  std::string model_type;
  std::vector<std::string> names;  // of the model class, "LlamaForCausalLM"
  std::string layer_count_key;
  std::vector<TensorTemplate> before;
  std::vector<TensorTemplate> layer;
  std::vector<TensorTemplate> after;
};

const std::vector<Architecture>& architectures();

// The checkpoint's architecture by model_type and class name. kUnsupported lists those that are
// known.
Result<const Architecture*> find_architecture(const Checkpoint& checkpoint);

// The configuration's layer count; kCorrupt when it is missing or not a sensible number.
Result<std::uint64_t> layer_count(const Architecture& architecture, const nlohmann::json& config);

// The shape that the configuration asks for; nullopt when a number that it needs is missing or
// wrong.
std::optional<tensor::Shape> expected_shape(const TensorTemplate& tensor,
                                            const nlohmann::json& config);

}  // namespace crucible::checkpoint
