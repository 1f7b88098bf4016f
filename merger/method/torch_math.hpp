#pragma once

// acos, sin and cos whose float results have torch's last bit. torch on an x86-64 CPU takes them
// from the vector functions of MKL, whatever a tensor's size. Doubles go to the C library.
// Thread-safe; no errors (NaN in, NaN out; acos of more than 1 is NaN).
//
// Values that differ from those of torch 2.15 (MKL 2024.2) on one AMD EPYC, over all floats of a
// range; other processors and versions are not measured:
//   sin, cos  |x| <= 10                 none
//             10 < |x| <= 8192          at most 2.3 in 10^5 of a binade; some by tens of ulps,
//             close
//                                       to a zero of the function
//   acos      |x| < 0.5                 none
//             0.5 <= x <= 0.9995        2.3 in 10^4, by one ulp
//             -0.9995 <= x <= -0.5      0.5 in 10^4, by one ulp
// For x uniform on [-0.9995, 0.9995] that is 0.7 in 10^4 for acos; glibc's acosf differs in 3 of
// 100, its sinf and cosf on [0, pi] in 5 of 100. All bfloat16 and float16 values taken through
// float agree (|x| <= 10). torch's double acos differs from glibc's in 9.5 % of values, its double
// sin and cos in 0.15 %.
namespace crucible::method {

float acos_as_torch(float x);
float sin_as_torch(float x);
float cos_as_torch(float x);

double acos_as_torch(double x);
double sin_as_torch(double x);
double cos_as_torch(double x);

}  // namespace crucible::method
