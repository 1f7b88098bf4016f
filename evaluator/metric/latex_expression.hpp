#pragma once

#include <complex>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// LaTeX formulas of school mathematics as expressions that can be evaluated, read as sympy 1.14's
// parse_latex reads them (grammar sympy/parsing/latex/LaTeX.g4, BSD): a formula ends where the next
// token cannot continue it ("1,2" is 1), a letter before a bracket is a function, "2^10" is 1024,
// \pi and e are names like any other. Not read: integrals, sums, limits, derivatives, bras.
namespace crucible::metric {

using Complex = std::complex<long double>;

class Expression {
 public:
  struct Node;

  // Nothing where sympy would raise, or for what is not read here. At most 4,000 bytes and 100
  // levels deep.
  static std::optional<Expression> parse(std::string_view latex);

  // A relation (a = b, a < b) has no value that could be subtracted.
  bool is_relation() const { return relation_; }
  // Bytes of the text up to where the formula ended.
  std::size_t consumed() const { return consumed_; }
  // Every name gets a value that depends on it and on `point` alone; with `constants`, \pi, e, i
  // and \infty mean what they mean. Not finite where undefined.
  Complex evaluate(unsigned point, bool constants) const;

 private:
  std::shared_ptr<const Node> root_;
  bool relation_ = false;
  std::size_t consumed_ = 0;
};

// Whether two formulas have the same value at several points of the complex plane, to 14 digits:
// what sympy.simplify(a - b) == 0 decides symbolically. False where one cannot be read.
bool same_value(std::string_view first, std::string_view second);

}  // namespace crucible::metric
