#include "evaluator/text/language.hpp"

#include "evaluator/rust/crucible_native.h"

namespace crucible::text {

std::string detect_language(std::string_view text) {
  return crucible_detect_language(text.data(), text.size());
}

}  // namespace crucible::text
