#include "evaluator/engine/gguf.hpp"

#include <bit>
#include <type_traits>

namespace crucible::engine {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint32_t kVersion = 3;
constexpr std::uint64_t kAlignment = 32;
// Metadata value types.
constexpr std::uint32_t kUint32 = 4;
constexpr std::uint32_t kInt32 = 5;
constexpr std::uint32_t kFloat32 = 6;
constexpr std::uint32_t kBool = 7;
constexpr std::uint32_t kString = 8;
constexpr std::uint32_t kArray = 9;

template <typename T>
void append(std::string& out, T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& out, std::string_view text) {
  append(out, std::uint64_t{text.size()});
  out.append(text);
}

std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

std::uint64_t row_bytes(GgufType type, std::uint64_t columns) {
  switch (type) {
    case GgufType::kF32:
      return columns * 4;
    case GgufType::kF16:
    case GgufType::kBF16:
      return columns * 2;
    case GgufType::kQ5_0:
      return columns / 32 * 22;  // a half-precision scale, 32 fifth bits, 32 half bytes
    case GgufType::kQ8_0:
      return columns / 32 * 34;  // a half-precision scale and 32 bytes
    case GgufType::kQ4K:
      return columns / 256 * 144;
    case GgufType::kQ6K:
      return columns / 256 * 210;
  }
  return 0;
}

void GgufHeader::key(std::string_view name, std::uint32_t value_type) {
  append_text(metadata_, name);
  append(metadata_, value_type);
  ++metadata_count_;
}

void GgufHeader::set(std::string_view name, std::uint32_t value) {
  key(name, kUint32);
  append(metadata_, value);
}

void GgufHeader::set(std::string_view name, float value) {
  key(name, kFloat32);
  append(metadata_, value);
}

void GgufHeader::set(std::string_view name, std::string_view value) {
  key(name, kString);
  append_text(metadata_, value);
}

void GgufHeader::set_flag(std::string_view name, bool value) {
  key(name, kBool);
  append(metadata_, static_cast<std::uint8_t>(value));
}

void GgufHeader::array_key(std::string_view name, std::uint32_t element_type, std::uint64_t count) {
  key(name, kArray);
  append(metadata_, element_type);
  append(metadata_, count);
}

void GgufHeader::set_array(std::string_view name, const std::vector<std::string>& values) {
  array_key(name, kString, values.size());
  for (const std::string& value : values) append_text(metadata_, value);
}

void GgufHeader::set_array(std::string_view name, const std::vector<std::int32_t>& values) {
  array_key(name, kInt32, values.size());
  for (const std::int32_t value : values) append(metadata_, value);
}

void GgufHeader::set_array(std::string_view name, const std::vector<float>& values) {
  array_key(name, kFloat32, values.size());
  for (const float value : values) append(metadata_, value);
}

std::uint64_t GgufHeader::add_tensor(std::string_view name,
                                     const std::vector<std::uint64_t>& extents, GgufType type,
                                     std::uint64_t bytes) {
  const std::uint64_t offset = data_bytes_;
  append_text(tensors_, name);
  append(tensors_, static_cast<std::uint32_t>(extents.size()));
  for (const std::uint64_t extent : extents) append(tensors_, extent);
  append(tensors_, static_cast<std::uint32_t>(type));
  append(tensors_, offset);
  ++tensor_count_;
  data_bytes_ += padded(bytes);
  return offset;
}

std::string GgufHeader::serialize() const {
  std::string out = "GGUF";
  append(out, kVersion);
  append(out, tensor_count_);
  append(out, metadata_count_);
  out += metadata_;
  out += tensors_;
  out.resize(padded(out.size()), '\0');
  return out;
}

}  // namespace crucible::engine
