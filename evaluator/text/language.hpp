#pragma once

#include <string>
#include <string_view>

namespace crucible::text {

// The language of a text as langdetect 1.0.9 gives it, with the profiles and the rules of that
// library (crate langdetect): "en", "sw", "zh-cn" and 52 more, or "unknown"; "" when there are no
// letters to go by. langdetect walks at random and lm-evaluation-harness does not fix the walk, so
// a short or mixed text can come out otherwise there from run to run; here it always begins at seed
// 0.
std::string detect_language(std::string_view text);

}  // namespace crucible::text
