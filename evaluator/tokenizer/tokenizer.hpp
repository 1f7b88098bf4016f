#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/tokenizer/text_codec.hpp"
#include "merger/base/error.hpp"
#include "merger/checkpoint/checkpoint.hpp"
#include "merger/checkpoint/documents.hpp"

struct crucible_tokenizer;

// Text to token ids and back, exactly as the Hugging Face `tokenizers` library does it: this wraps
// that library (rust/) around a checkpoint's tokenizer.json.
namespace crucible::tokenizer {

// Move-only; const methods are safe from several threads.
class Tokenizer final : public TextCodec {
 public:
  // `vocabulary` is the number of embedding rows: text that gets an id at or above it cannot be
  // encoded (kInvalidArgument). A folder without tokenizer.json is kInvalidArgument too, naming the
  // tokenizer files it has; a file that the library refuses is kCorrupt.
  static Result<Tokenizer> load(const checkpoint::Documents& documents,
                                const nlohmann::json& config, std::uint64_t vocabulary);
  static Result<Tokenizer> load(const checkpoint::Checkpoint& checkpoint, std::uint64_t vocabulary);
  // Of a folder that need not hold weights, for a model that is computed elsewhere: any id counts.
  static Result<Tokenizer> load_folder(const std::filesystem::path& folder);

  Result<std::vector<std::int32_t>> encode(std::string_view text, bool add_special) const override;
  Result<std::string> decode(std::span<const std::int32_t> ids, bool skip_special) const override;
  std::optional<std::int32_t> token_to_id(std::string_view token) const override;
  // The spelling of an id as tokenizer.json has it ("Ġthe"); nullopt for ids that nothing has.
  std::optional<std::string> token(std::int32_t id) const;

  // From tokenizer_config.json or special_tokens_map.json (a spelling), else config.json (an id).
  std::optional<std::int32_t> bos() const override { return bos_; }
  std::optional<std::int32_t> eos() const override { return eos_; }
  std::optional<std::int32_t> pad() const { return pad_; }
  const std::string& bos_text() const override { return bos_text_; }
  const std::string& eos_text() const override { return eos_text_; }
  const std::vector<std::int32_t>& prefix() const override { return prefix_; }
  bool adds_behind() const override { return adds_behind_; }

 private:
  struct Free {
    void operator()(crucible_tokenizer* handle) const;
  };
  static Result<Tokenizer> read(const checkpoint::Documents& documents, std::uint64_t vocabulary,
                                const nlohmann::json& config);
  Status find_special_tokens(const checkpoint::Documents& documents, const nlohmann::json& config);
  Status find_prefix();

  std::unique_ptr<crucible_tokenizer, Free> handle_;
  std::uint64_t vocabulary_ = 0;
  std::optional<std::int32_t> bos_;
  std::optional<std::int32_t> eos_;
  std::optional<std::int32_t> pad_;
  std::string bos_text_;
  std::string eos_text_;
  std::vector<std::int32_t> prefix_;
  bool adds_behind_ = false;
};

}  // namespace crucible::tokenizer
