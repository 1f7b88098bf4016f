#pragma once

#include <span>
#include <string>

#include "merger/checkpoint/architecture.hpp"
#include "merger/checkpoint/tensor_source.hpp"

namespace crucible::checkpoint {

// A model as inference sees it; the pointers outlive the call.
struct ModelFacts {
  std::string name;  // for messages
  const nlohmann::json* config = nullptr;
  const Weights* weights = nullptr;
};

// The architecture of models of one class that no table knows, from their tensor names.
//
// A name is split at its first ".N.". Every prefix with layers 0, 1, 2, ... is a module, named by
// its prefix (a single one: "default"); the main one has the layer count that config.json gives,
// else the most tensors. The remaining tensors belong to the module with which they share most of
// their name: output head and final norm (by name) after its layers, others before them. A tensor
// is optional unless every model has it in every layer. An output head that some models lack is
// tied to the embeddings of the same shape.
//
// The layer count's key is found by value among the usual names.
//
// kUnsupported, with the reason: no numbered layers, a layer that has no tensors, or models whose
// modules or tensor names differ so much that they are not of one architecture.
Result<ArchitecturePtr> infer_architecture(std::span<const ModelFacts> models);

}  // namespace crucible::checkpoint
