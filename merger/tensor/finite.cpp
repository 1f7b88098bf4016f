#include "merger/tensor/finite.hpp"

#include <cstring>

#include "merger/tensor/simd.hpp"

namespace crucible::tensor {
namespace {

// Elements whose exponent bits are all ones: NaN and infinities.
template <typename Bits>
CRUCIBLE_CPU_LEVELS std::uint64_t count_all_ones(const std::byte* data, std::size_t count,
                                                 Bits exponent) {
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, data + i * sizeof(Bits), sizeof(Bits));
    found += static_cast<Bits>(bits & exponent) == exponent ? 1 : 0;
  }
  return found;
}

}  // namespace

std::uint64_t count_not_finite(DType dtype, std::span<const std::byte> data) {
  const std::size_t count = data.size() / byte_size(dtype);
  switch (dtype) {
    case DType::kF64:
      return count_all_ones<std::uint64_t>(data.data(), count, 0x7FF0000000000000ULL);
    case DType::kF32:
      return count_all_ones<std::uint32_t>(data.data(), count, 0x7F800000U);
    case DType::kF16:
      return count_all_ones<std::uint16_t>(data.data(), count, 0x7C00U);
    case DType::kBF16:
      return count_all_ones<std::uint16_t>(data.data(), count, 0x7F80U);
    default:
      return 0;
  }
}

}  // namespace crucible::tensor
