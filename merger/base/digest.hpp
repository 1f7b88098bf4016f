#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// SHA-256 (FIPS 180-4, by OpenSSL): the identity of recipes, tensors, models, suites.
namespace crucible {

class Digest {
 public:
  static constexpr std::size_t kBytes = 32;
  Digest() = default;
  explicit Digest(const std::array<std::uint8_t, kBytes>& bytes) : bytes_(bytes) {}

  std::span<const std::uint8_t> bytes() const { return bytes_; }
  std::string hex() const;  // 64 lower-case digits
  static std::optional<Digest> from_hex(std::string_view text);
  auto operator<=>(const Digest&) const = default;

 private:
  std::array<std::uint8_t, kBytes> bytes_{};
};

// Incremental hash. Not thread-safe; one object a thread.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(std::span<const std::byte> bytes);
  Sha256& update(std::string_view text);
  // Hashes length then text, so that neighbouring fields cannot run into each other.
  Sha256& field(std::string_view text);
  Digest finish();  // the object is then fresh again

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Digest sha256(std::string_view text);
Digest sha256(std::span<const std::byte> bytes);

}  // namespace crucible
