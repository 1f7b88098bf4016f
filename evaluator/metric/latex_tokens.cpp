#include "evaluator/metric/latex_tokens.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

namespace crucible::metric {
namespace {

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

constexpr std::string_view kSingles = "+-*/(){}[]|_^:!',.";
constexpr std::string_view kIgnoredEscapes = ",:;!*-./\"(=";

const std::map<std::string_view, TokenKind>& commands() {
  static const std::map<std::string_view, TokenKind> kCommands = [] {
    std::map<std::string_view, TokenKind> made;
    const auto add = [&](TokenKind kind, std::initializer_list<std::string_view> names) {
      for (const std::string_view name : names) made[name] = kind;
    };
    add(TokenKind::kFunction,
        {"exp",  "log",  "lg",     "ln",     "sin",    "cos",    "tan",    "csc",
         "sec",  "cot",  "arcsin", "arccos", "arctan", "arccsc", "arcsec", "arccot",
         "sinh", "cosh", "tanh",   "arsinh", "arcosh", "artanh"});
    add(TokenKind::kFraction, {"frac", "dfrac", "tfrac"});
    add(TokenKind::kBinomial, {"binom", "dbinom", "tbinom"});
    add(TokenKind::kRoot, {"sqrt"});
    add(TokenKind::kOverline, {"overline"});
    add(TokenKind::kMathItalic, {"mathit"});
    add(TokenKind::kRelation,
        {"neq", "le", "leq", "leqq", "leqslant", "ge", "geq", "geqq", "geqslant"});
    add(TokenKind::kOther, {"times", "cdot", "div", "lfloor", "rfloor", "lceil", "rceil"});
    add(TokenKind::kUnsupported, {"int", "sum", "prod", "lim", "langle", "rangle", "to",
                                  "rightarrow", "Rightarrow", "longrightarrow", "Longrightarrow"});
    add(TokenKind::kEnd,  // skipped
        {"left", "right", "thinspace", "medspace", "thickspace", "quad", "qquad", "negthinspace",
         "negmedspace", "negthickspace", "vrule", "vcenter", "vbox", "vskip", "vspace", "hfil"});
    return made;
  }();
  return kCommands;
}

// A command's token; kEnd where it is skipped. `at` moves past it.
LatexToken command(std::string_view latex, std::size_t& at) {
  const char next = at + 1 < latex.size() ? latex[at + 1] : '\0';
  if (next == '{' || next == '}') {
    at += 2;
    return {TokenKind::kOther, std::string("\\") + next, at};
  }
  if (!is_letter(next)) {
    const bool ignored = next != '\0' && kIgnoredEscapes.find(next) != std::string_view::npos;
    at += ignored ? 2 : 1;
    return {ignored ? TokenKind::kEnd : TokenKind::kInvalid, "\\", at};
  }
  std::size_t end = at + 1;
  while (end < latex.size() && is_letter(latex[end])) ++end;
  const std::string name(latex.substr(at + 1, end - at - 1));
  at = end;
  const auto known = commands().find(name);
  return {known == commands().end() ? TokenKind::kSymbol : known->second, name, end};
}

// "d" and the variable after it.
std::size_t differential_end(std::string_view latex, std::size_t at) {
  std::size_t next = at + 1;
  while (next < latex.size() && is_space(latex[next])) ++next;
  if (next >= latex.size()) return at;
  if (is_letter(latex[next])) return next + 1;
  if (latex[next] != '\\' || next + 1 >= latex.size() || !is_letter(latex[next + 1])) return at;
  ++next;
  while (next < latex.size() && is_letter(latex[next])) ++next;
  return next;
}

LatexToken one_token(std::string_view latex, std::size_t& at) {
  const char c = latex[at];
  if (c == '\\') return command(latex, at);
  if (c == 'd') {
    if (const std::size_t end = differential_end(latex, at); end > at) {
      std::string text(latex.substr(at, end - at));
      std::erase_if(text, is_space);
      at = end;
      return {TokenKind::kDifferential, text, end};
    }
  }
  ++at;
  if (is_letter(c)) return {TokenKind::kLetter, std::string(1, c), at};
  if (c >= '0' && c <= '9') return {TokenKind::kDigit, std::string(1, c), at};
  if (c == '=' || c == '<' || c == '>') return {TokenKind::kRelation, std::string(1, c), at};
  if (kSingles.find(c) != std::string_view::npos) {
    return {TokenKind::kOther, std::string(1, c), at};
  }
  return {TokenKind::kInvalid, std::string(1, c), at};
}

}  // namespace

std::vector<LatexToken> latex_tokens(std::string_view latex) {
  std::vector<LatexToken> tokens;
  for (std::size_t at = 0; at < latex.size();) {
    if (is_space(latex[at])) {
      ++at;
      continue;
    }
    LatexToken token = one_token(latex, at);
    if (token.kind != TokenKind::kEnd) tokens.push_back(std::move(token));
  }
  tokens.push_back({TokenKind::kEnd, "", latex.size()});
  return tokens;
}

}  // namespace crucible::metric
