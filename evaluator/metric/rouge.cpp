#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "evaluator/metric/corpus_metrics.hpp"
#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

using Tokens = std::vector<std::string>;

Tokens tokens_of(std::string_view line) {
  static const text::Regex kOther = text::Regex::fixed("[^a-z0-9]+");
  const auto plain = kOther.sub(" ", text::lower(line));
  return plain ? text::split(std::string_view(*plain)) : Tokens{};
}

double f_measure(double precision, double recall) {
  return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0.0;
}

double rouge_n(const Tokens& reference, const Tokens& prediction, std::size_t n) {
  const auto grams = [n](const Tokens& tokens) {
    std::map<Tokens, long> counts;
    for (std::size_t i = 0; i + n <= tokens.size(); ++i) {
      ++counts[Tokens(tokens.begin() + static_cast<std::ptrdiff_t>(i),
                      tokens.begin() + static_cast<std::ptrdiff_t>(i + n))];
    }
    return counts;
  };
  const auto expected = grams(reference);
  const auto given = grams(prediction);
  long hits = 0;
  long expected_total = 0;
  long given_total = 0;
  for (const auto& [gram, count] : expected) {
    expected_total += count;
    const auto found = given.find(gram);
    if (found != given.end()) hits += std::min(count, found->second);
  }
  for (const auto& [gram, count] : given) given_total += count;
  const auto share = [&](long total) {
    return static_cast<double>(hits) / static_cast<double>(std::max(total, 1L));
  };
  return f_measure(share(given_total), share(expected_total));
}

// Places in `reference` of one longest common subsequence.
std::set<std::size_t> common_places(const Tokens& reference, const Tokens& candidate) {
  const std::size_t rows = reference.size();
  const std::size_t columns = candidate.size();
  std::vector<std::vector<int>> table(rows + 1, std::vector<int>(columns + 1, 0));
  for (std::size_t i = 1; i <= rows; ++i) {
    for (std::size_t j = 1; j <= columns; ++j) {
      table[i][j] = reference[i - 1] == candidate[j - 1]
                        ? table[i - 1][j - 1] + 1
                        : std::max(table[i - 1][j], table[i][j - 1]);
    }
  }
  std::set<std::size_t> places;
  std::size_t i = rows;
  std::size_t j = columns;
  while (i > 0 && j > 0) {
    if (reference[i - 1] == candidate[j - 1]) {
      places.insert(i - 1);
      --i;
      --j;
    } else if (table[i][j - 1] > table[i - 1][j]) {
      --j;
    } else {
      --i;
    }
  }
  return places;
}

std::vector<Tokens> sentence_tokens(std::string_view summary) {
  std::vector<Tokens> sentences;
  for (const std::string& line : text::split(summary, "\n")) {
    if (!line.empty()) sentences.push_back(tokens_of(line));
  }
  return sentences;
}

// Union of the common subsequences with every candidate sentence, no token counted twice.
double rouge_lsum(const std::vector<Tokens>& reference, const std::vector<Tokens>& candidate) {
  std::map<std::string, long> reference_left;
  std::map<std::string, long> candidate_left;
  double expected = 0;
  double given = 0;
  for (const Tokens& sentence : reference) {
    expected += static_cast<double>(sentence.size());
    for (const std::string& token : sentence) ++reference_left[token];
  }
  for (const Tokens& sentence : candidate) {
    given += static_cast<double>(sentence.size());
    for (const std::string& token : sentence) ++candidate_left[token];
  }
  if (expected == 0 || given == 0) return 0;
  double hits = 0;
  for (const Tokens& sentence : reference) {
    std::set<std::size_t> places;
    for (const Tokens& other : candidate) places.merge(common_places(sentence, other));
    for (const std::size_t place : places) {
      long& in_reference = reference_left[sentence[place]];
      long& in_candidate = candidate_left[sentence[place]];
      if (in_reference <= 0 || in_candidate <= 0) continue;
      hits += 1;
      --in_reference;
      --in_candidate;
    }
  }
  return f_measure(hits / given, hits / expected);
}

}  // namespace

RougeScores rouge(std::string_view reference, std::string_view prediction) {
  const Tokens expected = tokens_of(reference);
  const Tokens given = tokens_of(prediction);
  return {rouge_n(expected, given, 1), rouge_n(expected, given, 2),
          rouge_lsum(sentence_tokens(reference), sentence_tokens(prediction))};
}

}  // namespace crucible::metric
