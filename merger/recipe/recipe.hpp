#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "merger/base/digest.hpp"
#include "merger/base/error.hpp"
#include "merger/tensor/dtype.hpp"

// A mergekit recipe as an immutable value. Reading it checks everything that can be known without
// looking at a model; every fault is reported with its path, all at once.
namespace crucible::recipe {

// PATH[@REVISION][+LORA[@REVISION]] or its dictionary form.
struct ModelReference {
  std::string path;
  std::string revision;  // "" = none
  std::string lora;      // "" = none
  std::string lora_revision;
  std::string text() const;
  auto operator<=>(const ModelReference&) const = default;
};

using Scalar = std::variant<double, bool, std::string>;
using Gradient = std::vector<Scalar>;  // one entry = a plain scalar
// One alternative of a setting; an empty filter (or "*") matches every tensor.
struct FilteredValue {
  std::string filter;
  Gradient value;
};
// First match wins; no match means "unset here", so the next level is asked.
using ParameterSetting = std::vector<FilteredValue>;
using Parameters = std::map<std::string, ParameterSetting>;

struct InputModel {  // models[i]
  ModelReference model;
  Parameters parameters;
};
struct InputSlice {  // slices[i].sources[j]
  ModelReference model;
  std::uint64_t first_layer = 0;
  std::uint64_t end_layer = 0;  // exclusive
  Parameters parameters;
};
struct OutputSlice {  // slices[i]
  std::vector<InputSlice> sources;
  std::optional<ModelReference> base_model;
  Parameters parameters;
};
struct Module {  // modules.NAME: exactly one of models and slices is not empty
  std::vector<InputModel> models;
  std::vector<OutputSlice> slices;
  Parameters parameters;
};

enum class TokenizerChoice { kUnion, kBase, kModel };
// Where a token's row comes from in models that lack the token.
struct TokenSource {
  enum class Kind { kUnset, kZero, kModel, kModelToken };
  Kind kind = Kind::kUnset;
  ModelReference model;                   // kModel: its own row; kModelToken: another token's
  std::string token;                      // kModelToken, by text …
  std::optional<std::uint64_t> token_id;  // … or by number
};
struct TokenSetting {  // tokenizer.tokens.TEXT
  std::string text;
  TokenSource source;
  bool force = false;  // replaces the row in models that have the token too
};
// `tokenizer`, or `tokenizer_source`, which sets only the choice.
struct TokenizerSetting {
  TokenizerChoice choice = TokenizerChoice::kUnion;
  ModelReference model;                  // kModel
  std::vector<TokenSetting> tokens;      // in the recipe's order, which numbers new tokens
  std::uint64_t pad_to_multiple_of = 0;  // 0 = no padding
};

struct Recipe {
  std::string name;  // in files with several recipes, what others call its result; "" = none
  std::string merge_method;
  std::optional<ModelReference> base_model;
  // Exactly one of the three is not empty.
  std::vector<InputModel> models;
  std::vector<OutputSlice> slices;
  std::map<std::string, Module> modules;
  Parameters parameters;
  std::optional<tensor::DType> dtype;
  std::optional<tensor::DType> out_dtype;
  std::optional<TokenizerSetting> tokenizer;  // nullopt: tokenizer files are copied
  // "" = as it is; "auto", the name of a built-in template, or a Jinja text.
  std::string chat_template;
  std::string source_text;      // as submitted, for mergekit_config.yml
  std::vector<Fault> warnings;  // what is accepted and has no effect

  // Every distinct model that is merged, in order of first mention (base_model last unless it is
  // mentioned before).
  std::vector<ModelReference> referenced_models() const;
  // Those, then the model whose tokenizer is taken if it is not among them.
  std::vector<ModelReference> mentioned_models() const;
};

// Reads YAML or JSON (JSON is read as YAML). Error kInvalidArgument with all faults. Limits: 1 MiB,
// depth 64, no anchors or aliases, no duplicate keys. One document; for several see documents.hpp.
Result<Recipe> read_recipe(std::string_view text);

// The recipe with sorted keys, defaults left out, numbers normalised: equal recipes give equal
// text.
std::string canonical_text(const Recipe& recipe);
Digest digest(const Recipe& recipe);

// The value of a setting for a tensor at depth t in [0, 1] (first and last gradient value at the
// ends); nullopt when no filter matches. `tensor_name` as mergekit would test it.
std::optional<Scalar> evaluate(const ParameterSetting& setting, std::string_view tensor_name,
                               double t);

}  // namespace crucible::recipe
