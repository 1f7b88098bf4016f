#include "evaluator/text/language.hpp"

#include "evaluator/rust/crucible_native.h"
#include "evaluator/rust/owned.hpp"

namespace crucible::text {

std::string detect_language(std::string_view text) {
  std::size_t length = 0;
  char* raw_error = nullptr;
  const native::Owned<char> code(
      crucible_detect_language(text.data(), text.size(), &length, &raw_error));
  const native::Owned<char> error(raw_error);  // there is nothing to go by in the text
  return code ? std::string(code.get(), length) : std::string();
}

}  // namespace crucible::text
