#include "merger/method/elementwise.hpp"

#include "merger/tensor/simd.hpp"

// ivdep: `out` is an input or apart from it, so that loops vectorise without a test for overlap.
namespace crucible::method {

template <typename A>
CRUCIBLE_CPU_LEVELS void add(const typename A::Value* a, const typename A::Value* b,
                             typename A::Value* out, std::size_t count) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < count; ++i) out[i] = A::round(a[i] + b[i]);
}

template <typename A>
CRUCIBLE_CPU_LEVELS void multiply(const typename A::Value* a, const typename A::Value* b,
                                  typename A::Value* out, std::size_t count) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < count; ++i) out[i] = A::round(a[i] * b[i]);
}

template <typename A>
CRUCIBLE_CPU_LEVELS void divide(const typename A::Value* a, const typename A::Value* b,
                                typename A::Value* out, std::size_t count) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < count; ++i) out[i] = A::round(a[i] / b[i]);
}

template <typename A>
CRUCIBLE_CPU_LEVELS void multiply(const typename A::Value* a, typename A::Value factor,
                                  typename A::Value* out, std::size_t count) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < count; ++i) out[i] = A::round(a[i] * factor);
}

template <typename A>
CRUCIBLE_CPU_LEVELS void divide(const typename A::Value* a, typename A::Value divisor,
                                typename A::Value* out, std::size_t count) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < count; ++i) out[i] = A::round(a[i] / divisor);
}

#define CRUCIBLE_ELEMENTWISE(A)                                                        \
  template void add<A>(const A::Value*, const A::Value*, A::Value*, std::size_t);      \
  template void multiply<A>(const A::Value*, const A::Value*, A::Value*, std::size_t); \
  template void divide<A>(const A::Value*, const A::Value*, A::Value*, std::size_t);   \
  template void multiply<A>(const A::Value*, A::Value, A::Value*, std::size_t);        \
  template void divide<A>(const A::Value*, A::Value, A::Value*, std::size_t)
CRUCIBLE_ELEMENTWISE(F64);
CRUCIBLE_ELEMENTWISE(F32);
CRUCIBLE_ELEMENTWISE(BF16);
CRUCIBLE_ELEMENTWISE(F16);
#undef CRUCIBLE_ELEMENTWISE

}  // namespace crucible::method
