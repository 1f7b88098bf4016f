#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"

// Numbers written as English words, as lm-evaluation-harness 0.4.13 reads them in BIG-bench Hard
// (tasks/bbh/zeroshot/utils.py, MIT, with word2number 1.1, MIT). Pure functions.
namespace crucible::metric {

// The stretches of number words in a text, lower case, in their order.
Result<std::vector<std::string>> number_phrases(std::string_view text);

// "two thousand and five" as 2005; words that name no number are left out. word2number's rule for
// up to four words before or after a scale word: one by one, the first times the second (three
// words or more, or a hundred), the rest added. Nothing where a scale word comes twice or in the
// wrong order, or where nothing stands before it. word2number counts the words before a final
// "thousand" twice where a million stands before them; that is not repeated.
std::optional<long> number_of_words(std::string_view phrase);

}  // namespace crucible::metric
