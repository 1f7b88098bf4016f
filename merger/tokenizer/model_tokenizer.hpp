#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "merger/base/io.hpp"
#include "nlohmann/json.hpp"

// The vocabulary of a model's tokenizer.json, with the numbering that the tokenizers library gives
// it on loading and the tokens that transformers adds from the files beside it. Text is not
// tokenized here.
namespace crucible::tokenizer {

// A token that is cut out of the text before the model part of the tokenizer sees it.
struct AddedToken {
  std::string content;
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool normalized = true;
  bool special = false;
  bool operator==(const AddedToken&) const = default;
};

class ModelTokenizer {
 public:
  // Reads tokenizer.json, tokenizer_config.json, special_tokens_map.json and added_tokens.json.
  // Errors: kNotFound when the folder has no tokenizer at all; kUnsupported, with what to do, when
  // it has one in another format; kCorrupt.
  static Result<ModelTokenizer> open(const std::filesystem::path& folder,
                                     io::Syscalls& calls = io::system());

  const std::filesystem::path& folder() const { return folder_; }
  std::size_t size() const;  // distinct tokens, added ones included
  std::optional<std::uint32_t> find(const std::string& text) const;
  bool is_added(const std::string& text) const { return added_ids_.contains(text); }
  // Every token, ascending by id.
  std::vector<std::pair<std::uint32_t, std::string>> tokens() const;
  const std::map<std::uint32_t, AddedToken>& added() const { return added_; }  // by id

  // As the tokenizers library numbers it: a token of the vocabulary keeps its id and is cut out of
  // the text from now on; a new one is numbered after all others.
  void add(const AddedToken& token);
  // Takes out every token with an id of `rows` or more, which the model's matrices do not have.
  // kUnsupported when tokens must go and the tokenizer is not of the BPE kind.
  Status strip(std::uint64_t rows);
  // Special tokens that the vocabulary lacks are added at its end, as on loading.
  void add_special_tokens();
  bool stripped() const { return !removed_.empty(); }

  // True when loading tokenizer.json gives just this.
  bool is_as_stored() const { return !changed_; }
  // The file's text with this vocabulary. Reads the original again.
  Result<std::string> tokenizer_json(io::Syscalls& calls = io::system()) const;
  // tokenizer_config.json with this vocabulary's added tokens where it lists them, without special
  // tokens that the vocabulary lacks. An empty object when there is no such file.
  nlohmann::ordered_json tokenizer_config() const;
  nlohmann::ordered_json special_tokens_map() const;  // likewise special_tokens_map.json

 private:
  Status read_model(const nlohmann::json& file);
  Status read_added(const nlohmann::json& file);
  Status read_config_tokens(io::Syscalls& calls);
  void add_unless_present(const AddedToken& token);
  void drop_missing(nlohmann::ordered_json& settings) const;

  std::filesystem::path folder_;
  std::string kind_;  // "BPE"
  std::unordered_map<std::string, std::uint32_t> model_;
  std::unordered_map<std::string, std::uint32_t> added_ids_;
  std::map<std::uint32_t, AddedToken> added_;
  std::optional<std::uint32_t> last_added_;
  std::vector<std::string> removed_;
  nlohmann::ordered_json config_ = nlohmann::ordered_json::object();
  nlohmann::ordered_json special_map_ = nlohmann::ordered_json::object();
  nlohmann::ordered_json special_;  // which tokens are special, from both
  bool changed_ = false;
};

// The chat template of a model's folder: chat_template.jinja, else tokenizer_config.json (of
// several, the one called "default"), as transformers finds it; "" when there is none.
Result<std::string> read_chat_template(const std::filesystem::path& folder,
                                       io::Syscalls& calls = io::system());

}  // namespace crucible::tokenizer
