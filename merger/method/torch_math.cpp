#include "merger/method/torch_math.hpp"

#include <bit>
#include <cmath>
#include <cstdint>

// Found by experiment, from torch's results alone; all floats of the ranges in the header were then
// compared.
//
// sin and cos: the mean error over short ranges of x is smooth and no noise is added to it, so the
// result behaves as a polynomial in double, rounded once. It is odd in the distance r to the
// nearest zero of the function: r + r^3 Q(r^2), Q of degree 3. Each result y says that the
// polynomial lies within half an ulp of y; a linear programme over the results closest to a
// rounding boundary gave coefficients that satisfy all 169 million on [2^-5, pi] (sin) and [2^-12,
// pi] (cos). They are one point of the small region that does, not necessarily torch's own.
//
// acos: the structure of fdlibm's acosf with a polynomial x + x^3 P(x^2) for asin, in float without
// fused operations. Of several orders of evaluation the one with the fewest mismatches was taken;
// P's coefficients were fitted to the mean error, then searched by single ulps until asin agreed on
// [0.125, 0.5). From 0.5 on the square root is a head and a tail. Torch's tail has an error that
// follows the error of the processor's 12-bit reciprocal square root (rsqrtps), so it seems to
// start from that. It is not copied: our result would depend on the processor. The head used here
// is the one with the fewest mismatches among those tried with an accurate tail.
namespace crucible::method {
namespace {

constexpr double kPi = 0x1.921fb54442d18p+1;  // pi = kPi + kPiTail
constexpr double kPiTail = 0x1.1a62633145c07p-53;
constexpr double kInversePi = 0x1.45f306dc9c883p-2;
constexpr float kLargestReduced = 8192;  // beyond it the C library

// sin r for |r| <= pi/2.
double sine_near_zero(double r) {
  const double square = r * r;
  double q = 0x1.5dbdf0e98a523p-19;
  q = q * square - 0x1.9f6ffeeabff72p-13;
  q = q * square + 0x1.110ed3804dcacp-7;
  q = q * square - 0x1.55554bc83656bp-3;
  return r + r * square * q;
}

// sin of the distance from x to the zero at `zero` times pi, the sign turned where `count` is odd.
float sine_from_zero(double x, double zero, double count) {
  const double value = sine_near_zero((x - zero * kPi) - zero * kPiTail);
  return static_cast<float>((static_cast<std::int64_t>(count) & 1) != 0 ? -value : value);
}

// asin's polynomial: asin x = x + x * arcsine_rest(x^2), in float.
float arcsine_rest(float square) {
  const float high = 0x1.5db80ep-5F * square + 0x1.8654d6p-6F;
  const float low = 0x1.753568p-5F * square + 0x1.32f824p-4F;
  return square * ((high * (square * square) + low) * square + 0x1.5555fep-3F);
}

float without_low_bits(float x, unsigned bits) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & (~0U << bits));
}

constexpr float kHalfPi = 0x1.921fb6p+0F;  // pi / 2 = kHalfPi + kHalfPiTail
constexpr float kHalfPiTail = -0x1.777a5cp-25F;

// acos x = 2 asin sqrt((1 - x) / 2), and pi minus that for negative x.
float acos_near_one(float x) {
  const float square = (1 - std::abs(x)) * 0.5F;
  const double root = std::sqrt(static_cast<double>(square));
  // 11 bits times 13 bits: an exact product, and the root but for 10 bits.
  const float head =
      without_low_bits(square, 13) * without_low_bits(static_cast<float>(1 / root), 11);
  const float tail = static_cast<float>(root - static_cast<double>(head));
  const float rest = arcsine_rest(square) * static_cast<float>(root);
  if (x > 0) return 2 * (head + (tail + rest));
  return 2 * kHalfPi - 2 * (head + ((tail - kHalfPiTail) + rest));
}

}  // namespace

float acos_as_torch(float x) {
  const float size = std::abs(x);
  if (!(size < 1)) return std::acos(x);
  if (size >= 0.5F) return acos_near_one(x);
  return kHalfPi - (x - (kHalfPiTail - x * arcsine_rest(x * x)));
}

float sin_as_torch(float x) {
  if (x == 0 || !(std::abs(x) <= kLargestReduced)) return std::sin(x);  // -0 stays -0
  const double count = std::rint(static_cast<double>(x) * kInversePi);
  return sine_from_zero(static_cast<double>(x), count, count);
}

// cos x = sin(x + pi/2), whose zeros lie between those of sin.
float cos_as_torch(float x) {
  const float size = std::abs(x);
  if (!(size <= kLargestReduced)) return std::cos(x);
  const double count = std::rint(static_cast<double>(size) * kInversePi + 0.5);
  return sine_from_zero(static_cast<double>(size), count - 0.5, count);
}

double acos_as_torch(double x) { return std::acos(x); }
double sin_as_torch(double x) { return std::sin(x); }
double cos_as_torch(double x) { return std::cos(x); }

}  // namespace crucible::method
