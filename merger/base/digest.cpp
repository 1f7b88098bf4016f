#include "merger/base/digest.hpp"

#include <openssl/evp.h>

#include <charconv>
#include <new>

namespace crucible {

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  Context() {
    if (evp == nullptr) throw std::bad_alloc();
    EVP_DigestInit_ex(evp, EVP_sha256(), nullptr);
  }
  ~Context() { EVP_MD_CTX_free(evp); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
};

std::string Digest::hex() const {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * kBytes);
  for (const std::uint8_t byte : bytes_) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<Digest> Digest::from_hex(std::string_view text) {
  if (text.size() != 2 * kBytes) return std::nullopt;
  std::array<std::uint8_t, kBytes> bytes{};
  for (std::size_t i = 0; i < kBytes; ++i) {
    const char* begin = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(begin, begin + 2, bytes[i], 16);
    if (error != std::errc() || end != begin + 2) return std::nullopt;
  }
  return Digest(bytes);
}

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size());
  return *this;
}

Sha256& Sha256::update(std::string_view text) {
  EVP_DigestUpdate(context_->evp, text.data(), text.size());
  return *this;
}

Sha256& Sha256::field(std::string_view text) {
  return update(std::to_string(text.size())).update(":").update(text);
}

Digest Sha256::finish() {
  std::array<std::uint8_t, Digest::kBytes> bytes{};
  EVP_DigestFinal_ex(context_->evp, bytes.data(), nullptr);
  EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr);
  return Digest(bytes);
}

Digest sha256(std::string_view text) { return Sha256().update(text).finish(); }
Digest sha256(std::span<const std::byte> bytes) { return Sha256().update(bytes).finish(); }

}  // namespace crucible
