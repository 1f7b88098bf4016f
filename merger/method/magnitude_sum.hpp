#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "merger/method/arithmetic.hpp"
#include "merger/method/cascade_sum.hpp"

namespace crucible::method {

// Sum of magnitudes of a tensor in the arithmetic of A, rounded to the type; block by block, in any
// order. 16-bit types are summed exactly enough (in double) for the rounding to hide the order.
template <typename A>
class MagnitudeSum {
 public:
  explicit MagnitudeSum(std::uint64_t elements) : cascade_(kIsWide ? elements : 0) {
    if (!kIsWide) blocks_.resize((elements + kBlockElements - 1) / kBlockElements);
  }

  // Values from element `first`, a multiple of kBlockElements; overwritten with their magnitudes.
  template <typename Value>
  void add_block(std::uint64_t first, std::vector<Value>& values) {
    for (Value& value : values) value = std::abs(value);
    if constexpr (kIsWide && std::is_same_v<Value, typename A::Value>) {
      cascade_.add_block(first, values.data(), values.size());
    } else if constexpr (kIsWide) {
      std::vector<typename A::Value> narrowed;
      for (const Value value : values) narrowed.push_back(static_cast<typename A::Value>(value));
      cascade_.add_block(first, narrowed.data(), narrowed.size());
    } else {
      double sum = 0;
      for (const Value value : values) sum += static_cast<double>(value);
      blocks_[first / kBlockElements] = sum;
    }
  }

  typename A::Value total() const {
    if constexpr (kIsWide) return cascade_.total();
    double sum = 0;
    for (const double block : blocks_) sum += block;
    return coefficient<A>(sum);
  }

 private:
  static constexpr bool kIsWide = std::is_same_v<A, F32> || std::is_same_v<A, F64>;
  CascadeSum<typename A::Value> cascade_;
  std::vector<double> blocks_;
};

}  // namespace crucible::method
