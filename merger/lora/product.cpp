#include "merger/lora/product.hpp"

#include <cmath>

#include "merger/lora/product_kernel.hpp"

namespace crucible::lora {

Panels::Panels(std::size_t depth, std::size_t columns)
    : depth_(depth), columns_(columns), data_(count() * depth * kPanelColumns) {}

Panels Panels::of(std::span<const float> values, std::size_t depth, std::size_t columns) {
  Panels panels(depth, columns);
  for (std::size_t k = 0; k < depth; ++k) {
    for (std::size_t j = 0; j < columns; ++j) panels.at(k, j) = values[k * columns + j];
  }
  return panels;
}

Panels Panels::of_transposed(std::span<const float> values, std::size_t depth,
                             std::size_t columns) {
  Panels panels(depth, columns);
  for (std::size_t j = 0; j < columns; ++j) {
    for (std::size_t k = 0; k < depth; ++k) panels.at(k, j) = values[j * depth + k];
  }
  return panels;
}

namespace {

struct ScalarLanes {
  static constexpr std::size_t kCount = 1;
  float value;
  void zero() { value = 0; }
  void broadcast(float x) { value = x; }
  void load(const float* from) { value = *from; }
  void store(float* to) const { *to = value; }
  void add_product(ScalarLanes a, ScalarLanes b) { value = std::fma(a.value, b.value, value); }
};

void multiply_scalar(const float* left, std::size_t left_stride, std::size_t rows,
                     std::size_t depth, const float* panel, float* out, std::size_t out_stride) {
  multiply_all<ScalarLanes, 1>(left, left_stride, rows, depth, panel, out, out_stride);
}

MultiplyPanel* best_kernel() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (avx512_kernel() != nullptr && __builtin_cpu_supports("avx512f")) return avx512_kernel();
  if (avx2_kernel() != nullptr && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return avx2_kernel();
  }
#endif
  return multiply_scalar;
}

}  // namespace

void multiply_panel(const float* left, std::size_t left_stride, std::size_t rows, std::size_t depth,
                    const float* panel, float* out, std::size_t out_stride) {
  static MultiplyPanel* const kernel = best_kernel();
  kernel(left, left_stride, rows, depth, panel, out, out_stride);
}

}  // namespace crucible::lora
