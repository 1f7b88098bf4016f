#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "evaluator/endpoint/endpoint_client.hpp"
#include "evaluator/tokenizer/text_codec.hpp"
#include "merger/base/guarded.hpp"

namespace crucible::endpoint {

// The server's own tokenizer, by POST /tokenize and /detokenize beside /v1, as vLLM and
// `crucible eval-server` have them. What was encoded once is remembered.
class RemoteCodec final : public tokenizer::TextCodec {
 public:
  // kNotFound, kInvalidArgument, kUnsupported, kCorrupt: the server has no such thing.
  static Result<std::unique_ptr<RemoteCodec>> open(EndpointClient& client, std::string model_name,
                                                   const std::stop_token& stop);

  // Encodes texts without special tokens, several at a time, so that encode() need not ask.
  Status prefetch(const std::vector<std::string>& texts, const std::stop_token& stop);
  void forget();  // what is remembered

  Result<std::vector<std::int32_t>> encode(std::string_view text, bool add_special) const override;
  Result<std::string> decode(std::span<const std::int32_t> ids, bool skip_special) const override;
  std::optional<std::int32_t> token_to_id(std::string_view token) const override;
  std::optional<std::int32_t> bos() const override { return bos_; }
  std::optional<std::int32_t> eos() const override { return eos_; }
  const std::string& bos_text() const override { return bos_text_; }
  const std::string& eos_text() const override { return eos_text_; }
  const std::vector<std::int32_t>& prefix() const override { return prefix_; }
  bool adds_behind() const override { return adds_behind_; }
  const std::string& chat_template() const { return chat_template_; }  // "" = not told

 private:
  RemoteCodec(EndpointClient& client, std::string model_name)
      : client_(client), model_name_(std::move(model_name)) {}
  Query tokenize_query(std::string_view text, bool add_special) const;
  Status find_prefix();
  void read_info(const Json& info);

  using Memory = std::unordered_map<std::string, std::vector<std::int32_t>>;
  EndpointClient& client_;
  std::string model_name_;
  std::string root_;  // path before /v1
  mutable Guarded<Memory> memory_;
  std::optional<std::int32_t> bos_;
  std::optional<std::int32_t> eos_;
  std::string bos_text_;
  std::string eos_text_;
  std::string chat_template_;
  std::vector<std::int32_t> prefix_;
  bool adds_behind_ = false;
};

}  // namespace crucible::endpoint
