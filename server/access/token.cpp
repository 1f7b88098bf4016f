#include "server/access/token.hpp"

#include <openssl/crypto.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <span>

#include "merger/base/digest.hpp"

namespace crucible::server::access {
namespace {

constexpr std::string_view kPrefix = "cru_";
constexpr std::size_t kIdBytes = 4;
constexpr std::size_t kSecretBytes = 32;

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

bool is_hex(std::string_view text, std::size_t bytes) {
  return text.size() == 2 * bytes &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

Result<IssuedToken> issue_token() {
  std::array<std::uint8_t, kIdBytes + kSecretBytes> random{};
  // Up to 256 bytes come whole, once the kernel's generator is ready.
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    return fail(ErrorCode::kInternal, "the kernel gave no random bytes");
  }
  const std::span<const std::uint8_t> bytes(random);
  IssuedToken issued;
  issued.id = hex(bytes.first(kIdBytes));
  const std::string secret = hex(bytes.subspan(kIdBytes));
  issued.digest = sha256(secret).hex();
  issued.text = std::string(kPrefix) + issued.id + "_" + secret;
  return issued;
}

std::optional<TokenText> parse_token(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  const TokenText parts{text.substr(0, 2 * kIdBytes),
                        text.substr(std::min(text.size(), 2 * kIdBytes + 1))};
  const bool separated = text.size() > 2 * kIdBytes && text[2 * kIdBytes] == '_';
  if (!separated || !is_hex(parts.id, kIdBytes) || !is_hex(parts.secret, kSecretBytes)) {
    return std::nullopt;
  }
  return parts;
}

bool matches(std::string_view secret, std::string_view digest) {
  const std::string own = sha256(secret).hex();
  return own.size() == digest.size() && CRYPTO_memcmp(own.data(), digest.data(), own.size()) == 0;
}

}  // namespace crucible::server::access
