#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"

// English text into sentences and words as NLTK 3.10 does: nltk.sent_tokenize with the Punkt model
// of English (Kiss and Strunk, Unsupervised Multilingual Sentence Boundary Detection,
// Computational Linguistics 32(4), 2006; the model lies in data/punkt_english.txt) and
// nltk.word_tokenize (rules of the Penn Treebank with NLTK's changes). NLTK before 3.10 did not
// take curly quotes for closing punctuation. Errors: a text too hard for a regular expression's
// step limit.
namespace crucible::text {

Result<std::vector<std::string>> split_sentences(std::string_view text);
Result<std::vector<std::string>> tokenize_words(std::string_view text);

}  // namespace crucible::text
