#pragma once

#include <string>
#include <string_view>

namespace crucible::text {

// The ISO 639-1 code of the language a text is most likely in, by trigrams (whatlang); "" when that
// cannot be told. 69 languages; a few words are often not enough.
std::string detect_language(std::string_view text);

}  // namespace crucible::text
