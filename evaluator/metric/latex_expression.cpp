#include "evaluator/metric/latex_expression.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "evaluator/metric/latex_node.hpp"
#include "evaluator/metric/latex_tokens.hpp"

namespace crucible::metric {
namespace {

using Node = Expression::Node;
using Pointer = std::shared_ptr<const Node>;
using Kind = Node::Kind;

constexpr std::size_t kMaxBytes = 4'000;
constexpr int kMaxDepth = 100;

Pointer make(Kind kind, std::vector<Pointer> children, std::string name = {}) {
  return std::make_shared<Node>(Node{kind, 0, std::move(name), std::move(children)});
}
Pointer make_number(long double value) {
  return std::make_shared<Node>(Node{Kind::kNumber, value, {}, {}});
}
Pointer make_call(std::string name, std::vector<Pointer> arguments) {
  return make(Kind::kCall, std::move(arguments), std::move(name));
}
Pointer make_name(std::string name) { return make(Kind::kName, {}, std::move(name)); }

// A name's spelling with its subscript: subscripts are told apart by their tokens.
bool has_names(const Node& node) {
  if (node.kind == Kind::kName) return true;
  for (const Pointer& child : node.children) {
    if (has_names(*child)) return true;
  }
  return false;
}

// Recursive descent; a null pointer means that sympy's parser would raise.
class Parser {
 public:
  explicit Parser(std::string_view latex) : tokens_(latex_tokens(latex)) {}

  Pointer formula(bool& relation, std::size_t& consumed) {
    Pointer left = sum();
    while (left && peek().kind == TokenKind::kRelation) {
      relation = true;
      ++at_;
      left = sum();
    }
    if (peek().kind == TokenKind::kInvalid) return nullptr;
    consumed = at_ == 0 ? 0 : tokens_[at_ - 1].end;
    return left;
  }

 private:
  const LatexToken& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  bool is(std::string_view text, std::size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::kOther && peek(ahead).text == text;
  }
  bool accept(std::string_view text) {
    if (!is(text)) return false;
    ++at_;
    return true;
  }

  Pointer sum() {
    if (++depth_ > kMaxDepth) return nullptr;
    Pointer left = product(true);
    while (left && (is("+") || is("-"))) {
      const bool minus = is("-");
      ++at_;
      Pointer right = product(true);
      if (!right) return nullptr;
      if (minus) right = make(Kind::kNegation, {right});
      left = make(Kind::kSum, {left, right});
    }
    --depth_;
    return left;
  }

  // With `functions` false, no function may follow the first factor (the argument of \sin x \cos y
  // ends before \cos).
  Pointer product(bool functions) {
    Pointer left = signed_factor(functions);
    while (left) {
      const bool times = is("*") || is("times") || is("cdot");
      const bool over = is("/") || is("div") || is(":");
      if (!times && !over) break;
      ++at_;
      Pointer right = signed_factor(functions);
      if (!right) return nullptr;
      if (over) right = make(Kind::kInverse, {right});
      left = make(Kind::kProduct, {left, right});
    }
    return left;
  }

  Pointer signed_factor(bool functions) {
    if (++depth_ > kMaxDepth) return nullptr;
    Pointer out;
    if (accept("+")) {
      out = signed_factor(functions);
    } else if (accept("-")) {
      out = signed_factor(functions);
      if (out) out = make(Kind::kNegation, {out});
    } else {
      out = juxtaposed(functions);
    }
    --depth_;
    return out;
  }

  bool starts_factor(bool functions) const {
    switch (peek().kind) {
      case TokenKind::kDigit:
      case TokenKind::kLetter:
      case TokenKind::kSymbol:
      case TokenKind::kDifferential:
      case TokenKind::kFraction:
      case TokenKind::kBinomial:
      case TokenKind::kMathItalic:
        return true;
      case TokenKind::kFunction:
      case TokenKind::kRoot:
      case TokenKind::kOverline:
        return functions;
      case TokenKind::kOther:
        return is("(") || is("[") || is("{") || is("\\{") || is("lfloor") || is("lceil") ||
               (is("|") && bars_ == 0);
      default:
        return false;
    }
  }

  // Factors side by side; an "x" between two factors without names is a multiplication sign.
  Pointer juxtaposed(bool functions) {
    std::vector<Pointer> factors;
    do {
      Pointer factor = postfixed();
      if (!factor) return nullptr;
      factors.push_back(std::move(factor));
    } while (starts_factor(functions));
    Pointer out;
    for (std::size_t i = 0; i < factors.size(); ++i) {
      const bool sign = i > 0 && i + 1 < factors.size() && factors[i]->kind == Kind::kName &&
                        factors[i]->name == "x" && !has_names(*factors[i - 1]) &&
                        !has_names(*factors[i + 1]);
      if (sign) continue;
      out = out ? make(Kind::kProduct, {out, factors[i]}) : factors[i];
    }
    return out;
  }

  Pointer postfixed() {
    Pointer out = power();
    while (out && accept("!")) out = make_call("factorial", {out});
    return out;
  }

  Pointer power() {
    Pointer base = primary();
    while (base && accept("^")) {
      Pointer exponent = braced_or_atom();
      if (!exponent) return nullptr;
      if (accept("_") && !braced_or_atom()) return nullptr;  // read and left out
      base = make(Kind::kPower, {base, exponent});
    }
    return base;
  }

  Pointer braced_or_atom() {
    if (accept("{")) {
      Pointer inner = sum();
      return inner && accept("}") ? inner : nullptr;
    }
    return atom();
  }

  Pointer enclosed(std::string_view close) {
    ++at_;
    const int outer = std::exchange(bars_, 0);
    Pointer inner = sum();
    bars_ = outer;
    return inner && accept(close) ? inner : nullptr;
  }

  Pointer primary() {
    if (is("(")) return enclosed(")");
    if (is("[")) return enclosed("]");
    if (is("{")) return enclosed("}");
    if (is("\\{")) return enclosed("\\}");
    if (is("|")) return absolute();
    if (is("lfloor")) return call_of("floor", enclosed("rfloor"));
    if (is("lceil")) return call_of("ceiling", enclosed("rceil"));
    switch (peek().kind) {
      case TokenKind::kFunction:
        return function();
      case TokenKind::kRoot:
        return root();
      case TokenKind::kOverline:
        ++at_;
        return is("{") ? call_of("conjugate", enclosed("}")) : nullptr;
      default:
        return atom();
    }
  }
  static Pointer call_of(const char* name, Pointer argument) {
    return argument ? make_call(name, {std::move(argument)}) : nullptr;
  }

  Pointer absolute() {
    ++at_;
    ++bars_;
    Pointer inner = sum();
    --bars_;
    return inner && accept("|") ? make_call("abs", {inner}) : nullptr;
  }

  Pointer root() {
    ++at_;
    Pointer degree;
    if (is("[")) {
      degree = enclosed("]");
      if (!degree) return nullptr;
    }
    if (!is("{")) return nullptr;
    Pointer base = enclosed("}");
    if (!base) return nullptr;
    Pointer exponent = degree ? make(Kind::kInverse, {degree}) : make_number(0.5L);
    return make(Kind::kPower, {base, exponent});
  }

  // A subscript of a function. The last digit of "_28" is the argument where there is no other.
  Pointer base_of_logarithm() {
    const std::size_t start = at_;
    Pointer out = braced_or_atom();
    const bool digits = out && at_ >= start + 2 && tokens_[start].kind == TokenKind::kDigit &&
                        tokens_[at_ - 1].kind == TokenKind::kDigit;
    if (!digits || starts_factor(false) || is("^")) return out;
    std::string text;
    for (--at_; at_ > start + text.size();) text += tokens_[start + text.size()].text;
    return make_number(std::strtold(text.c_str(), nullptr));
  }

  Pointer function() {
    std::string name = peek().text;
    ++at_;
    Pointer subscript;
    Pointer exponent;
    for (int i = 0; i < 2; ++i) {
      if (!subscript && accept("_")) {
        if (!(subscript = base_of_logarithm())) return nullptr;
      } else if (!exponent && accept("^")) {
        if (!(exponent = braced_or_atom())) return nullptr;
      }
    }
    Pointer argument = is("(") ? enclosed(")") : product(false);
    if (!argument) return nullptr;
    std::vector<Pointer> arguments = {argument};
    const bool logarithm = name == "log" || name == "ln" || name == "lg";
    if (logarithm && name == "lg" && !subscript) subscript = make_number(10);
    if (logarithm) name = "log";
    if (logarithm && subscript) arguments.push_back(subscript);
    const bool inverse = exponent && exponent->kind == Kind::kNegation &&
                         exponent->children[0]->kind == Kind::kNumber &&
                         exponent->children[0]->number == 1 && !logarithm;
    if (inverse) return make_call("arc" + name, arguments);
    Pointer out = make_call(name, arguments);
    return exponent ? make(Kind::kPower, {out, exponent}) : out;
  }

  // Number, name, called name, fraction, binomial.
  Pointer atom() {
    switch (peek().kind) {
      case TokenKind::kDigit:
        return digits();
      case TokenKind::kLetter:
      case TokenKind::kSymbol:
        return name();
      case TokenKind::kDifferential:
        return make_name(tokens_[at_++].text);
      case TokenKind::kFraction:
        return fraction();
      case TokenKind::kBinomial:
        return binomial();
      case TokenKind::kMathItalic:
        return italic();
      default:
        return nullptr;
    }
  }

  bool digit(std::size_t ahead = 0) const { return peek(ahead).kind == TokenKind::kDigit; }

  // 12,345.67: groups of three after a comma, and a point with digits behind it.
  Pointer digits() {
    std::string text;
    const auto take = [&] { text += tokens_[at_++].text; };
    while (digit()) take();
    while (is(",") && digit(1) && digit(2) && digit(3)) {
      ++at_;
      take(), take(), take();
    }
    if (is(".")) {
      if (!digit(1)) return nullptr;
      take();
      while (digit()) take();
    }
    return make_number(std::strtold(text.c_str(), nullptr));
  }

  Pointer name() {
    std::string text = tokens_[at_++].text;
    for (int i = 0; i < 2; ++i) {
      if (is("_")) {
        const std::size_t start = ++at_;
        if (!braced_or_atom()) return nullptr;
        text += '_';
        for (std::size_t t = start; t < at_; ++t) {
          if (tokens_[t].text != "{" && tokens_[t].text != "}") text += tokens_[t].text;
        }
      }
      while (accept("'")) text += '\'';
    }
    if (!is("(")) return make_name(text);
    ++at_;
    std::vector<Pointer> arguments;
    do {
      Pointer argument = sum();
      if (!argument) return nullptr;
      arguments.push_back(std::move(argument));
    } while (accept(","));
    return accept(")") ? make_call("()" + text, std::move(arguments)) : nullptr;
  }

  Pointer part() {
    if (digit()) return make_number(std::strtold(tokens_[at_++].text.c_str(), nullptr));
    return is("{") ? enclosed("}") : nullptr;
  }
  Pointer fraction() {
    ++at_;
    Pointer top = part();
    Pointer bottom = top ? part() : nullptr;
    if (!bottom) return nullptr;
    return make(Kind::kProduct, {top, make(Kind::kInverse, {bottom})});
  }
  Pointer binomial() {
    ++at_;
    Pointer n = is("{") ? enclosed("}") : nullptr;
    Pointer k = n && is("{") ? enclosed("}") : nullptr;
    return k ? make_call("binomial", {n, k}) : nullptr;
  }
  Pointer italic() {
    ++at_;
    if (!accept("{")) return nullptr;
    std::string text;
    while (peek().kind == TokenKind::kLetter) text += tokens_[at_++].text;
    return accept("}") ? make_name(text) : nullptr;
  }

  std::vector<LatexToken> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int bars_ = 0;  // open absolute values
};

}  // namespace

std::optional<Expression> Expression::parse(std::string_view latex) {
  if (latex.size() > kMaxBytes) return std::nullopt;
  Expression out;
  out.root_ = Parser(latex).formula(out.relation_, out.consumed_);
  if (!out.root_) return std::nullopt;
  return out;
}

}  // namespace crucible::metric
