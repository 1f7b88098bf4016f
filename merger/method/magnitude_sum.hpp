#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "merger/method/arithmetic.hpp"
#include "merger/method/cascade_sum.hpp"

namespace crucible::method {

// Sum of magnitudes of a tensor in the arithmetic of A, rounded to the type; block by block, in any
// order. As torch takes it: 16-bit values are widened, the halves of each group of 16 added to each
// other, and these sums of 8 added up in float32; what is left of a group is added in turn.
template <typename A>
class MagnitudeSum {
 public:
  using Value = typename A::Value;
  explicit MagnitudeSum(std::uint64_t elements)
      : elements_(elements), cascade_(kIsWide ? elements : elements / kGroup * (kGroup / 2)) {}

  // Values from element `first`, a multiple of kBlockElements: a whole block or the last one.
  // `scratch` is overwritten.
  template <typename Given>
  void add_block(std::uint64_t first, std::span<const Given> values, std::vector<Value>& scratch) {
    if constexpr (kIsWide) {
      scratch.resize(values.size());
      for (std::size_t i = 0; i < values.size(); ++i)
        scratch[i] = static_cast<Value>(std::abs(values[i]));
      cascade_.add_block(first, scratch.data(), scratch.size());
    } else {
      const std::size_t groups = values.size() / kGroup;
      scratch.resize(groups * (kGroup / 2));
      add_halves(values.data(), groups, scratch.data());
      cascade_.add_block(first / 2, scratch.data(), scratch.size());
      for (std::size_t i = groups * kGroup; i < values.size(); ++i)
        rest_[i % kGroup] = std::abs(values[i]);
    }
  }

  Value total() const {
    if constexpr (kIsWide) return cascade_.total();
    if (elements_ < kGroup) return A::round(interleaved());
    Value rest = 0;
    for (std::uint64_t i = 0; i < elements_ % kGroup; ++i) rest += rest_[i];
    return A::round(cascade_.total(rest));
  }

 private:
  static constexpr bool kIsWide = std::is_same_v<A, F32> || std::is_same_v<A, F64>;
  static constexpr std::size_t kGroup = 16;

  static void add_halves(const Value* values, std::size_t groups, Value* sums) {
    for (std::size_t group = 0; group < groups; ++group) {
      for (std::size_t k = 0; k < kGroup / 2; ++k) {
        sums[group * (kGroup / 2) + k] = std::abs(values[group * kGroup + k]) +
                                         std::abs(values[group * kGroup + kGroup / 2 + k]);
      }
    }
  }
  Value interleaved() const {
    std::array<Value, 4> parts{};
    const std::uint64_t whole = elements_ / 4 * 4;
    for (std::uint64_t i = 0; i < elements_; ++i) parts[i < whole ? i % 4 : 0] += rest_[i];
    return ((parts[0] + parts[1]) + parts[2]) + parts[3];
  }

  std::uint64_t elements_;
  CascadeSum<Value> cascade_;
  std::array<Value, kGroup> rest_{};
};

}  // namespace crucible::method
