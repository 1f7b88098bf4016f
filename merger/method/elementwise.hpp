#pragma once

#include <cstddef>

#include "merger/method/arithmetic.hpp"
#include "merger/method/torch_math.hpp"

// Elementary operations on pieces of tensors, each rounded to the type, as torch does them one
// after the other. `out` may be one of the inputs. Pieces should fit the first-level cache.
namespace crucible::method {

inline constexpr std::size_t kPiece = 2048;  // elements computed at a time

template <typename A>
void add(const typename A::Value* a, const typename A::Value* b, typename A::Value* out,
         std::size_t count);
template <typename A>
void multiply(const typename A::Value* a, const typename A::Value* b, typename A::Value* out,
              std::size_t count);
template <typename A>
void divide(const typename A::Value* a, const typename A::Value* b, typename A::Value* out,
            std::size_t count);

// The factor is not rounded: torch widens a number or a tensor of one element and rounds the
// product only.
template <typename A>
void multiply(const typename A::Value* a, typename A::Value factor, typename A::Value* out,
              std::size_t count);
template <typename A>
void divide(const typename A::Value* a, typename A::Value divisor, typename A::Value* out,
            std::size_t count);

// The same on single values.
template <typename A>
typename A::Value sine(typename A::Value angle) {
  return A::round(sin_as_torch(angle));
}
template <typename A>
typename A::Value cosine(typename A::Value angle) {
  return A::round(cos_as_torch(angle));
}
template <typename A>
typename A::Value arc_cosine(typename A::Value value) {
  return A::round(acos_as_torch(value));
}

}  // namespace crucible::method
