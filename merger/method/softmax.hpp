#pragma once

#include <cstddef>

#include "merger/method/arithmetic.hpp"

namespace crucible::method {

// Softmax of `count` values (at least one) in torch's arithmetic on an x86-64 CPU with AVX-512:
// float32 (float64 for F64) throughout, sums by 16 (8) lanes, rounded to the type at the end.
// `out` must not be `values`.
template <typename A>
void softmax(const typename A::Value* values, std::size_t count, typename A::Value* out);

}  // namespace crucible::method
