#include "merger/method/softmax.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "merger/tensor/simd.hpp"

namespace crucible::method {
namespace {

template <typename A>
constexpr bool kShort = std::is_same_v<A, BF16> || std::is_same_v<A, F16>;

// Lanes of a 512-bit register.
template <typename A>
constexpr std::size_t kWidth = 64 / sizeof(typename A::Value);

// 2^exponent in float32.
inline float power_of_two(std::int32_t exponent) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(exponent + 127) << 23);
}

// e^(value - largest) as SLEEF's vector function of 1 ulp has it (Shibata and Petrogalli 2020,
// arXiv:2001.09258): reduction by multiples of ln 2 in two parts, a polynomial of degree 6.
CRUCIBLE_CPU_LEVELS void exponentials(const float* values, float largest, float* out,
                                      std::size_t count) {
  constexpr float kLowest = -104.0F;  // below it the result is 0
  for (std::size_t i = 0; i < count; ++i) {
    const float x = values[i] - largest;
    const float clipped = x < kLowest ? kLowest : x;
    const float q = std::rint(clipped * 1.44269504088896340735992468100189214F);
    float s = std::fma(q, -0.693145751953125F, clipped);
    s = std::fma(q, -1.428606765330187045e-06F, s);
    float u = 0.000198527617612853646278381F;
    u = std::fma(u, s, 0.00139304355252534151077271F);
    u = std::fma(u, s, 0.00833336077630519866943359F);
    u = std::fma(u, s, 0.0416664853692054748535156F);
    u = std::fma(u, s, 0.166666671633720397949219F);
    u = std::fma(u, s, 0.5F);
    u = 1.0F + std::fma(s * s, u, s);
    const auto exponent = static_cast<std::int32_t>(q);
    const std::int32_t half = exponent >> 1;
    const float result = u * power_of_two(half) * power_of_two(exponent - half);
    out[i] = x < kLowest ? 0.0F : result;
  }
}

void exponentials(const double* values, double largest, double* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = std::exp(values[i] - largest);
}

template <typename Value>
Value sum_in_turn(const Value* values, std::size_t count, Value sum) {
  for (std::size_t i = 0; i < count; ++i) sum += values[i];
  return sum;
}

// One sum a lane of a 512-bit register, then halves of the register added to each other. What is
// left goes to the first lanes, but for 16-bit types to the total.
template <typename A>
typename A::Value sum_by_lanes(const typename A::Value* values, std::size_t count) {
  using Value = typename A::Value;
  if (count < kWidth<A>) return sum_in_turn<Value>(values + 1, count - 1, values[0]);
  std::array<Value, kWidth<A>> lanes;
  std::copy_n(values, kWidth<A>, lanes.begin());
  std::size_t at = kWidth<A>;
  for (; at + kWidth<A> <= count; at += kWidth<A>) {
    for (std::size_t k = 0; k < kWidth<A>; ++k) lanes[k] += values[at + k];
  }
  const std::size_t rest = count - at;
  if (!kShort<A>) {
    for (std::size_t k = 0; k < rest; ++k) lanes[k] += values[at + k];
  }
  for (std::size_t width = kWidth<A> / 2; width != 0; width /= 2) {
    for (std::size_t k = 0; k < width; ++k) lanes[k] += lanes[k + width];
  }
  return kShort<A> ? sum_in_turn<Value>(values + at, rest, lanes[0]) : lanes[0];
}

template <typename A>
CRUCIBLE_CPU_LEVELS void scale_all(typename A::Value* values, typename A::Value factor,
                                   std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = A::round(values[i] * factor);
}

}  // namespace

template <typename A>
void softmax(const typename A::Value* values, std::size_t count, typename A::Value* out) {
  using Value = typename A::Value;
  const Value largest = *std::max_element(values, values + count);
  // Of 16-bit types the elements after the last whole register go by the C library's function.
  const std::size_t vectors = kShort<A> ? count / kWidth<A> * kWidth<A> : count;
  exponentials(values, largest, out, vectors);
  for (std::size_t i = vectors; i < count; ++i) out[i] = std::exp(values[i] - largest);
  scale_all<A>(out, Value{1} / sum_by_lanes<A>(out, count), count);
}

template void softmax<F64>(const double*, std::size_t, double*);
template void softmax<F32>(const float*, std::size_t, float*);
template void softmax<BF16>(const float*, std::size_t, float*);
template void softmax<F16>(const float*, std::size_t, float*);

}  // namespace crucible::method
