#pragma once

#include <cstddef>

#include "merger/lora/product.hpp"

// The inner loops of multiply_panel, written once for every width of vector. Each width has a
// source of its own, built for its instruction set; they all round alike, so which one runs does
// not show in the result.
namespace crucible::lora {

using MultiplyPanel = void(const float* left, std::size_t left_stride, std::size_t rows,
                           std::size_t depth, const float* panel, float* out,
                           std::size_t out_stride);
// nullptr when this build has no such kernel; to be called only where the processor has the
// instructions.
MultiplyPanel* avx2_kernel();    // AVX2 and FMA
MultiplyPanel* avx512_kernel();  // AVX-512F

// `Lanes` has zero(), broadcast(float), load(const float*), store(float*) and add_product(a, b),
// which adds a * b, fused. The sums of `Rows` rows stay in registers.
template <typename Lanes, std::size_t Rows>
[[gnu::always_inline]] inline void multiply_rows(const float* left, std::size_t left_stride,
                                                 std::size_t depth, const float* panel, float* out,
                                                 std::size_t out_stride) {
  constexpr std::size_t kVectors = kPanelColumns / Lanes::kCount;
  Lanes sum[Rows][kVectors];
  for (std::size_t i = 0; i < Rows; ++i) {
    for (std::size_t v = 0; v < kVectors; ++v) sum[i][v].zero();
  }
  for (std::size_t k = 0; k < depth; ++k) {
    Lanes right[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      right[v].load(panel + k * kPanelColumns + v * Lanes::kCount);
    }
    for (std::size_t i = 0; i < Rows; ++i) {
      Lanes value;
      value.broadcast(left[i * left_stride + k]);
      for (std::size_t v = 0; v < kVectors; ++v) sum[i][v].add_product(value, right[v]);
    }
  }
  for (std::size_t i = 0; i < Rows; ++i) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      sum[i][v].store(out + i * out_stride + v * Lanes::kCount);
    }
  }
}

template <typename Lanes, std::size_t Rows>
[[gnu::always_inline]] inline void multiply_all(const float* left, std::size_t left_stride,
                                                std::size_t rows, std::size_t depth,
                                                const float* panel, float* out,
                                                std::size_t out_stride) {
  std::size_t i = 0;
  for (; i + Rows <= rows; i += Rows) {
    multiply_rows<Lanes, Rows>(left + i * left_stride, left_stride, depth, panel,
                               out + i * out_stride, out_stride);
  }
  for (; i < rows; ++i) {
    multiply_rows<Lanes, 1>(left + i * left_stride, left_stride, depth, panel, out + i * out_stride,
                            out_stride);
  }
}

}  // namespace crucible::lora
