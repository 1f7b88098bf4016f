#include "merger/lora/product_kernel.hpp"

#ifdef __AVX512F__

#include <immintrin.h>

namespace crucible::lora {
namespace {

struct Lanes {
  static constexpr std::size_t kCount = 16;
  __m512 value;
  void zero() { value = _mm512_setzero_ps(); }
  void broadcast(float x) { value = _mm512_set1_ps(x); }
  void load(const float* from) { value = _mm512_loadu_ps(from); }
  void store(float* to) const { _mm512_storeu_ps(to, value); }
  void add_product(const Lanes& a, const Lanes& b) {
    value = _mm512_fmadd_ps(a.value, b.value, value);
  }
};

void multiply(const float* left, std::size_t left_stride, std::size_t rows, std::size_t depth,
              const float* panel, float* out, std::size_t out_stride) {
  multiply_all<Lanes, 8>(left, left_stride, rows, depth, panel, out, out_stride);
}

}  // namespace

MultiplyPanel* avx512_kernel() { return multiply; }

}  // namespace crucible::lora

#else

namespace crucible::lora {

MultiplyPanel* avx512_kernel() { return nullptr; }

}  // namespace crucible::lora

#endif
