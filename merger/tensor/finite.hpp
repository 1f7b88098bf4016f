#pragma once

#include <cstdint>
#include <span>

#include "merger/tensor/dtype.hpp"

namespace crucible::tensor {

// How many elements are NaN or infinite; 0 for types that can be neither.
std::uint64_t count_not_finite(DType dtype, std::span<const std::byte> data);

}  // namespace crucible::tensor
