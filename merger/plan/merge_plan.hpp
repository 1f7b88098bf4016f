#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "merger/checkpoint/architecture.hpp"
#include "merger/checkpoint/checkpoint.hpp"
#include "merger/method/method.hpp"
#include "merger/plan/merge.hpp"
#include "nlohmann/json.hpp"

// A recipe worked out against its models: every output tensor with its inputs, types and
// parameters.
namespace crucible::plan {

struct PlannedModel {
  recipe::ModelReference reference;
  std::string recipe_path;  // where the recipe mentions it first: "models[1].model"
  checkpoint::Checkpoint checkpoint;
  const checkpoint::Architecture* architecture = nullptr;
  std::uint64_t layers = 0;
};

struct PlannedInput {
  std::size_t model = 0;  // of MergePlan::models
  checkpoint::TensorLocation location;
};

struct PlannedTensor {
  std::string name;  // in the output
  tensor::Shape shape;
  std::uint64_t elements = 0;
  tensor::DType output = tensor::DType::kF32;
  bool copied = false;  // not floating: all inputs must be the same bytes, the first is copied
  std::vector<PlannedInput> inputs;
  method::TensorTask task;  // task.dtype is the work type
  std::string order_key;    // tensors are merged and written in this order, then in plan order
};

struct MergePlan {
  const method::MergeMethod* method = nullptr;
  std::vector<PlannedModel> models;  // in order of first mention
  std::vector<PlannedTensor> tensors;
  std::size_t donor = 0;     // the model that gives config and tokenizer
  std::uint64_t layers = 0;  // of the output
  bool sliced = false;       // the layer count is the recipe's, not the donor's
  std::vector<std::uint64_t>
      layer_origins;  // for each output layer, the layer it comes from in the donor's numbering
  std::vector<Fault> warnings;

  std::uint64_t output_bytes() const;
  std::uint64_t input_bytes() const;
  std::uint64_t parameters() const;
  tensor::DType main_dtype() const;  // of most output bytes
};

// Reads configs and headers, no weights. Error: every fault of the recipe against these models, at
// once; kUnsupported when all of them are things that this build cannot do, else kInvalidArgument.
Result<MergePlan> build_plan(const recipe::Recipe& recipe, const ModelResolver& resolver);

// The output's config.json: the donor's, with layer count, element type and per-layer lists
// adjusted.
Result<nlohmann::ordered_json> output_config(const MergePlan& plan,
                                             io::Syscalls& calls = io::system());

}  // namespace crucible::plan
