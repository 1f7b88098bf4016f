#include "merger/lora/product_kernel.hpp"

#ifdef __AVX2__

#include <immintrin.h>

namespace crucible::lora {
namespace {

struct Lanes {
  static constexpr std::size_t kCount = 8;
  __m256 value;
  void zero() { value = _mm256_setzero_ps(); }
  void broadcast(float x) { value = _mm256_set1_ps(x); }
  void load(const float* from) { value = _mm256_loadu_ps(from); }
  void store(float* to) const { _mm256_storeu_ps(to, value); }
  void add_product(const Lanes& a, const Lanes& b) {
    value = _mm256_fmadd_ps(a.value, b.value, value);
  }
};

void multiply(const float* left, std::size_t left_stride, std::size_t rows, std::size_t depth,
              const float* panel, float* out, std::size_t out_stride) {
  multiply_all<Lanes, 4>(left, left_stride, rows, depth, panel, out, out_stride);
}

}  // namespace

MultiplyPanel* avx2_kernel() { return multiply; }

}  // namespace crucible::lora

#else

namespace crucible::lora {

MultiplyPanel* avx2_kernel() { return nullptr; }

}  // namespace crucible::lora

#endif
