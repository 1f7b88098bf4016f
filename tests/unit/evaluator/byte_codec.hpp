#pragma once

#include <string>
#include <vector>

#include "evaluator/tokenizer/text_codec.hpp"

namespace crucible::tokenizer {

// A codec whose ids are bytes, with EOS, spelled "</s>", as 256. Bytes that are no UTF-8 decode to
// U+FFFD, each by itself, as byte-level tokenizers do it for what is cut in two.
class ByteCodec final : public TextCodec {
 public:
  static constexpr std::int32_t kEos = 256;

  Result<std::vector<std::int32_t>> encode(std::string_view text, bool) const override {
    std::vector<std::int32_t> ids;
    for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
    return ids;
  }
  Result<std::string> decode(std::span<const std::int32_t> ids, bool skip_special) const override {
    std::string bytes;
    for (const std::int32_t id : ids) {
      if (id < kEos) {
        bytes.push_back(static_cast<char>(id));
      } else if (!skip_special) {
        bytes += eos_;
      }
    }
    return lossy(bytes);
  }
  std::optional<std::int32_t> token_to_id(std::string_view) const override { return {}; }
  std::optional<std::int32_t> bos() const override { return {}; }
  std::optional<std::int32_t> eos() const override { return kEos; }
  const std::string& bos_text() const override { return bos_; }
  const std::string& eos_text() const override { return eos_; }
  const std::vector<std::int32_t>& prefix() const override { return prefix_; }
  bool adds_behind() const override { return false; }

 private:
  static std::string lossy(const std::string& bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes.size();) {
      const auto lead = static_cast<unsigned char>(bytes[i]);
      const std::size_t length = lead < 0x80   ? 1
                                 : lead < 0xC0 ? 0
                                 : lead < 0xE0 ? 2
                                 : lead < 0xF0 ? 3
                                               : 4;
      bool whole = length > 0 && i + length <= bytes.size();
      for (std::size_t k = 1; whole && k < length; ++k) {
        whole = (static_cast<unsigned char>(bytes[i + k]) & 0xC0) == 0x80;
      }
      text += whole ? bytes.substr(i, length) : "\xEF\xBF\xBD";
      i += whole ? length : 1;
    }
    return text;
  }

  std::string bos_;
  std::string eos_ = "</s>";
  std::vector<std::int32_t> prefix_;
};

}  // namespace crucible::tokenizer
