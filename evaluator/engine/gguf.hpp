#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Writer of the GGUF header, version 3 (ggml/docs/gguf.md): metadata, then tensor descriptions,
// then tensor data at 32-byte offsets. Little-endian. Values are appended in call order.
namespace crucible::engine {

// Element types as GGUF numbers them.
enum class GgufType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ5_0 = 6,
  kQ8_0 = 8,
  kQ4K = 12,
  kQ6K = 14,
  kBF16 = 30
};

// Bytes of `columns` elements in a row, which must be whole blocks: of 256 elements for kQ4K and
// kQ6K, of 32 for kQ5_0 and kQ8_0.
std::uint64_t row_bytes(GgufType type, std::uint64_t columns);

class GgufHeader {
 public:
  void set(std::string_view key, std::uint32_t value);
  void set(std::string_view key, float value);
  void set(std::string_view key, std::string_view value);
  void set_flag(std::string_view key, bool value);
  void set_array(std::string_view key, const std::vector<std::string>& values);
  void set_array(std::string_view key, const std::vector<std::int32_t>& values);
  void set_array(std::string_view key, const std::vector<float>& values);
  // `extents` innermost first. Returns the tensor's offset in the data section.
  std::uint64_t add_tensor(std::string_view name, const std::vector<std::uint64_t>& extents,
                           GgufType type, std::uint64_t bytes);

  std::string serialize() const;                            // padded: data follows at once
  std::uint64_t data_bytes() const { return data_bytes_; }  // padded

 private:
  void key(std::string_view name, std::uint32_t value_type);
  void array_key(std::string_view name, std::uint32_t element_type, std::uint64_t count);
  std::string metadata_;
  std::string tensors_;
  std::uint64_t metadata_count_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t data_bytes_ = 0;
};

}  // namespace crucible::engine
