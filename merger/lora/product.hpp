#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace crucible::lora {

inline constexpr std::size_t kPanelColumns = 16;

// A matrix [depth, columns] as panels of kPanelColumns columns, each panel's rows one after the
// other, so that a product reads it in sequence. The last panel is filled up with zeros.
class Panels {
 public:
  Panels(std::size_t depth, std::size_t columns);
  static Panels of(std::span<const float> values, std::size_t depth, std::size_t columns);
  // Of the transpose: `values` is [columns, depth], row-major.
  static Panels of_transposed(std::span<const float> values, std::size_t depth,
                              std::size_t columns);

  std::size_t depth() const { return depth_; }
  std::size_t columns() const { return columns_; }
  std::size_t count() const { return (columns_ + kPanelColumns - 1) / kPanelColumns; }
  const float* panel(std::size_t index) const { return &data_[index * depth_ * kPanelColumns]; }

 private:
  float& at(std::size_t row, std::size_t column) {
    return data_[(column / kPanelColumns * depth_ + row) * kPanelColumns + column % kPanelColumns];
  }
  std::size_t depth_;
  std::size_t columns_;
  std::vector<float> data_;
};

// out[i * out_stride + j] = sum over k of left[i * left_stride + k] * panel[k * kPanelColumns + j],
// i < rows, j < kPanelColumns, k < depth. Each sum is a chain of fused multiply-adds in ascending
// k: the same on every machine, and what BLAS does for a depth of a hundred or so.
void multiply_panel(const float* left, std::size_t left_stride, std::size_t rows, std::size_t depth,
                    const float* panel, float* out, std::size_t out_stride);

}  // namespace crucible::lora
