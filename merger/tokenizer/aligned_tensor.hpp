#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "merger/checkpoint/tensor_source.hpp"
#include "merger/tokenizer/output_tokenizer.hpp"

// Matrices whose rows belong to tokens (embeddings, output heads, biases of those), rearranged for
// the merged model's tokenizer and completed where a model lacks a token.
namespace crucible::tokenizer {

// One input of one output tensor.
struct AlignmentInput {
  std::size_t model = 0;               // of the inputs that the tokenizer was built from
  checkpoint::TensorSourcePtr source;  // [its rows, ...]
};

// The inputs of one tensor, aligned: each [tokenizer.rows, ...] of type `dtype`. A token's row in a
// model that lacks the token is, the first that applies: what the recipe's `tokens` says; the row
// of the only input that has it; zero when none has it; the row of `base` (a position in `inputs`);
// the mean over the inputs that have it, rounded to `dtype` after each addition. Padding rows are
// the mean over all tokens of the aligned matrix. Only the inputs given count as having a token.
// Error kInvalidArgument with all faults: a model has fewer rows than its config.json says, or the
// recipe's rule for a token cannot be followed for this tensor. `name` is the tensor's, for those.
Result<std::vector<checkpoint::TensorSourcePtr>> align(
    const std::shared_ptr<const OutputTokenizer>& tokenizer, const std::string& name,
    const std::vector<AlignmentInput>& inputs, std::optional<std::size_t> base,
    tensor::DType dtype);

}  // namespace crucible::tokenizer
