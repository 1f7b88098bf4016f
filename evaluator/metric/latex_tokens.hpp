#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace crucible::metric {

enum class TokenKind {
  kEnd,
  kInvalid,  // characters that the grammar has no token for
  kDigit,
  kLetter,
  kSymbol,        // \name without its backslash
  kFunction,      // \sin, \log, …
  kDifferential,  // "dx"
  kFraction,
  kRoot,
  kOverline,
  kBinomial,
  kMathItalic,
  kRelation,
  kOther,       // one character, or "\{" "\}" "\lfloor" …
  kUnsupported  // \int, \sum, \lim, \langle
};

struct LatexToken {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  std::size_t end = 0;  // bytes of the source up to its end
};

// The tokens of a formula, spaces and \left, \right skipped; the last one is kEnd.
std::vector<LatexToken> latex_tokens(std::string_view latex);

}  // namespace crucible::metric
