#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "merger/checkpoint/architecture.hpp"
#include "merger/checkpoint/checkpoint.hpp"
#include "merger/checkpoint/tensor_source.hpp"
#include "merger/method/method.hpp"
#include "merger/plan/merge.hpp"
#include "merger/tokenizer/output_tokenizer.hpp"
#include "nlohmann/json.hpp"

// A recipe worked out against its models: every output tensor with its inputs, types and
// parameters.
namespace crucible::plan {

struct PlannedModel {
  recipe::ModelReference reference;
  std::string recipe_path;  // where the recipe mentions it first: "models[1].model"
  std::shared_ptr<const checkpoint::Checkpoint> checkpoint;
  std::unique_ptr<const checkpoint::Weights> weights;  // what is merged
  checkpoint::ArchitecturePtr architecture;
  std::uint64_t layers = 0;                  // of the main module
  std::vector<std::uint64_t> module_layers;  // of each module of the architecture
};

// The layers of one module of the output.
struct PlannedModule {
  std::uint64_t layers = 0;
  bool sliced = false;  // the layer count is the recipe's, not the donor's
  std::vector<std::uint64_t>
      origins;  // for each output layer, the layer it comes from in the donor's numbering
};

struct PlannedInput {
  std::size_t model = 0;  // of MergePlan::models
  checkpoint::TensorSourcePtr source;
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

  std::uint64_t output_bytes() const { return elements * tensor::byte_size(output); }
};

struct MergePlan {
  std::string identity;  // what is merged and how: an interrupted merge goes on only if it is equal
  const method::MergeMethod* method = nullptr;
  std::vector<PlannedModel> models;  // in order of first mention
  std::vector<PlannedTensor> tensors;
  std::size_t donor = 0;     // the model that gives config and tokenizer
  std::uint64_t layers = 0;  // of the output's main module
  std::vector<PlannedModule> modules;
  // The output's tokenizer, to which vocabulary tensors are aligned; nullptr: the donor's files.
  std::shared_ptr<const tokenizer::OutputTokenizer> tokenizer;
  std::string chat_template;  // set in the output; "" = as the tokenizer's files have it
  std::vector<Fault> warnings;

  std::uint64_t output_bytes() const;
  std::uint64_t input_bytes() const;
  std::uint64_t parameters() const;
  tensor::DType main_dtype() const;  // of most output bytes
};

// Reads configs and headers, no weights. Error: every fault of the recipe against these models, at
// once; kUnsupported when all of them are things that this build cannot do, else kInvalidArgument.
Result<MergePlan> build_plan(const recipe::Recipe& recipe, const ModelResolver& resolver,
                             const MergeOptions& options);

// The output's config.json: the donor's, with layer count, element type and per-layer lists
// adjusted.
Result<nlohmann::ordered_json> output_config(const MergePlan& plan,
                                             io::Syscalls& calls = io::system());

}  // namespace crucible::plan
