#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "merger/recipe/recipe.hpp"
#include "merger/tokenizer/model_tokenizer.hpp"

// The tokenizer of a merged model, and which row of each input's matrices belongs to each of its
// tokens.
namespace crucible::tokenizer {

struct InputTokenizer {
  recipe::ModelReference model;
  std::string path;  // where the recipe mentions it
  std::filesystem::path folder;
  std::uint64_t rows = 0;  // vocab_size of its config.json; 0 = not known
};

// For each id of the output the row in one input, or -1.
using RowMap = std::vector<std::int64_t>;

// What the recipe's `tokens` says about one token of the output.
struct TokenRule {
  enum class Kind { kUnset, kZero, kRow };
  Kind kind = Kind::kUnset;
  std::size_t model = 0;  // kRow: of the inputs …
  std::int64_t row = -1;  // … and its row
  bool force = false;
  std::string path;  // in the recipe
};

struct OutputTokenizer {
  ModelTokenizer tokenizer;
  std::uint64_t tokens = 0;                             // ids without a hole
  std::uint64_t rows = 0;                               // of the merged matrices: ids and padding
  std::vector<bool> is_token;                           // by id; holes and padding are false
  std::vector<std::shared_ptr<const RowMap>> row_maps;  // one for each input
  std::map<std::uint32_t, TokenRule> rules;             // by id of the output
  std::vector<Fault> warnings;
};

// `base` is the input whose tokenizer `union` and `base` start from; `source` the folder of the
// model that the recipe names as the source, else empty. An input without any tokenizer counts as
// having the base's (a warning). Tokens that a union adds come in order of the inputs, base first,
// then by id. Error kInvalidArgument or kUnsupported with all faults.
Result<OutputTokenizer> build_output_tokenizer(const recipe::TokenizerSetting& setting,
                                               const std::vector<InputTokenizer>& inputs,
                                               std::size_t base,
                                               const std::filesystem::path& source,
                                               io::Syscalls& calls = io::system());

}  // namespace crucible::tokenizer
