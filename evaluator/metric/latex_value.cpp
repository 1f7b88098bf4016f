#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numbers>
#include <string>

#include "evaluator/metric/latex_expression.hpp"
#include "evaluator/metric/latex_node.hpp"

namespace crucible::metric {
namespace {

using Node = Expression::Node;
using Kind = Node::Kind;

constexpr long double kTolerance = 1e-14L;
constexpr long double kDecimalTolerance = 1e-18L;  // 0.6666666666666666 is not 2/3
constexpr unsigned kPoints = 4;
constexpr long double kNan = std::numeric_limits<long double>::quiet_NaN();

// A fixed number in [0.2, 1.8) for each (name, point, part).
long double spread(const std::string& name, unsigned point, unsigned part) {
  std::uint64_t hash = 14695981039346656037ULL ^ (point * 0x9E3779B97F4A7C15ULL + part);
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  hash ^= hash >> 29;
  hash *= 0xBF58476D1CE4E5B9ULL;
  hash ^= hash >> 32;
  return 0.2L + 1.6L * static_cast<long double>(hash >> 11) / 9007199254740992.0L;
}

bool is_real(const Complex& value) { return value.imag() == 0; }
bool is_count(const Complex& value) {
  return is_real(value) && value.real() >= 0 && value.real() <= 1700 &&
         value.real() == std::floor(value.real());
}

// Some smooth function of its own for each name: equal arguments give equal values, and nothing
// else is known of it.
Complex unknown_function(const std::string& name, const std::vector<Complex>& arguments,
                         unsigned point) {
  Complex out = 0;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto part = static_cast<unsigned>(10 + 3 * i);
    const Complex shift(spread(name, point, part), spread(name, point, part + 1));
    out += spread(name, point, part + 2) *
           std::sin(arguments[i] / (1.0L + std::abs(arguments[i])) + shift);
  }
  return out;
}

Complex power(const Complex& base, const Complex& exponent) {
  if (is_real(exponent) && exponent.real() == std::floor(exponent.real()) &&
      std::fabs(exponent.real()) <= 4096) {
    Complex out = 1;
    Complex square = base;
    for (auto n = static_cast<unsigned long>(std::fabs(exponent.real())); n > 0; n /= 2) {
      if (n % 2 == 1) out *= square;
      square *= square;
    }
    return exponent.real() < 0 ? 1.0L / out : out;
  }
  if (base == Complex(0)) return exponent.real() > 0 ? Complex(0) : Complex(kNan);
  if (is_real(base) && base.real() > 0 && is_real(exponent)) {
    return std::pow(base.real(), exponent.real());
  }
  return std::exp(exponent * std::log(base));
}

using Function = Complex (*)(const Complex&);
const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> kFunctions = {
      {"exp", [](const Complex& x) { return std::exp(x); }},
      {"sin", [](const Complex& x) { return std::sin(x); }},
      {"cos", [](const Complex& x) { return std::cos(x); }},
      {"tan", [](const Complex& x) { return std::tan(x); }},
      {"csc", [](const Complex& x) { return 1.0L / std::sin(x); }},
      {"sec", [](const Complex& x) { return 1.0L / std::cos(x); }},
      {"cot", [](const Complex& x) { return 1.0L / std::tan(x); }},
      {"sinh", [](const Complex& x) { return std::sinh(x); }},
      {"cosh", [](const Complex& x) { return std::cosh(x); }},
      {"tanh", [](const Complex& x) { return std::tanh(x); }},
      {"arcsin", [](const Complex& x) { return std::asin(x); }},
      {"arccos", [](const Complex& x) { return std::acos(x); }},
      {"arctan", [](const Complex& x) { return std::atan(x); }},
      {"arccsc", [](const Complex& x) { return std::asin(1.0L / x); }},
      {"arcsec", [](const Complex& x) { return std::acos(1.0L / x); }},
      {"arccot", [](const Complex& x) { return std::atan(1.0L / x); }},
      {"arsinh", [](const Complex& x) { return std::asinh(x); }},
      {"arcosh", [](const Complex& x) { return std::acosh(x); }},
      {"artanh", [](const Complex& x) { return std::atanh(x); }},
      {"abs", [](const Complex& x) { return Complex(std::abs(x)); }},
      {"conjugate", [](const Complex& x) { return std::conj(x); }}};
  return kFunctions;
}

Complex call(const std::string& name, const std::vector<Complex>& arguments, unsigned point) {
  const Complex& first = arguments.front();
  if (const auto known = functions().find(name); known != functions().end()) {
    return known->second(first);
  }
  if (name == "log") {
    return arguments.size() > 1 ? std::log(first) / std::log(arguments[1]) : std::log(first);
  }
  if (name == "factorial" && is_count(first)) return std::tgamma(first.real() + 1);
  if (name == "floor" && is_real(first)) return std::floor(first.real());
  if (name == "ceiling" && is_real(first)) return std::ceil(first.real());
  if (name == "binomial" && is_count(first) && is_count(arguments[1])) {
    long double out = 1;
    const long double n = first.real();
    for (long double k = 1; k <= arguments[1].real(); k += 1) out = out * (n - k + 1) / k;
    return std::round(out);
  }
  return unknown_function(name, arguments, point);
}

Complex name_value(const std::string& name, unsigned point, bool constants) {
  if (name == "infty") return {kNan, 0};
  if (constants && name == "pi") return std::numbers::pi_v<long double>;
  if (constants && name == "e") return std::numbers::e_v<long double>;
  if (constants && name == "i") return {0, 1};
  // Some points lie left of the imaginary axis, where sqrt(x^2) is not x.
  const bool left = point > 0 && spread(name, point, 2) < 1;
  return {left ? -spread(name, point, 0) : spread(name, point, 0), spread(name, point, 1)};
}

Complex value_of(const Node& node, unsigned point, bool constants) {
  std::vector<Complex> values;
  for (const auto& child : node.children) values.push_back(value_of(*child, point, constants));
  switch (node.kind) {
    case Kind::kNumber:
      return node.number;
    case Kind::kName:
      return name_value(node.name, point, constants);
    case Kind::kSum:
      return values[0] + values[1];
    case Kind::kProduct:
      return values[0] * values[1];
    case Kind::kPower:
      return power(values[0], values[1]);
    case Kind::kNegation:
      return -values[0];
    case Kind::kInverse:
      return 1.0L / values[0];
    case Kind::kCall:
      return call(node.name, values, point);
  }
  return kNan;
}

}  // namespace

Complex Expression::evaluate(unsigned point, bool constants) const {
  return value_of(*root_, point, constants);
}

bool same_value(std::string_view first, std::string_view second) {
  const auto a = Expression::parse(first);
  const auto b = Expression::parse(second);
  if (!a || !b || a->is_relation() || b->is_relation()) return false;
  const bool decimals =
      first.find('.') != std::string_view::npos || second.find('.') != std::string_view::npos;
  const long double tolerance = decimals ? kDecimalTolerance : kTolerance;
  for (unsigned point = 0; point < kPoints; ++point) {
    const Complex x = a->evaluate(point, false);
    const Complex y = b->evaluate(point, false);
    const long double size = std::abs(x) + std::abs(y);
    if (!std::isfinite(size) || std::abs(x - y) > tolerance * std::max(size, 1e-6L)) return false;
  }
  return true;
}

}  // namespace crucible::metric
