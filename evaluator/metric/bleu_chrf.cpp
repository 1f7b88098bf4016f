#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "evaluator/metric/corpus_metrics.hpp"
#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

constexpr std::size_t kBleuOrder = 4;
constexpr std::size_t kCharacterOrder = 6;
constexpr double kBetaSquared = 4;  // chrF2: recall counts twice

using text::Regex;
using Counts = std::unordered_map<std::string, long>;

struct Rule {
  Regex regex;
  const char* replacement;
};

std::string rewritten(const std::vector<Rule>& rules, std::string line) {
  for (const auto& [regex, replacement] : rules) {
    if (auto changed = regex.sub(replacement, line)) line = std::move(*changed);
  }
  return text::join(text::split(std::string_view(line)), " ");
}

// n-grams of units joined by a byte that no unit holds.
Counts ngrams(const std::vector<std::string>& units, std::size_t order) {
  Counts counts;
  for (std::size_t i = 0; i + order <= units.size(); ++i) {
    std::string key;
    for (std::size_t j = 0; j < order; ++j) key += units[i + j] + '\xFF';
    ++counts[key];
  }
  return counts;
}

struct Overlap {
  double predicted = 0;
  double reference = 0;
  double matches = 0;
};
Overlap overlap(const Counts& reference, const Counts& prediction) {
  Overlap out;
  for (const auto& [gram, count] : prediction) {
    out.predicted += static_cast<double>(count);
    const auto found = reference.find(gram);
    if (found != reference.end())
      out.matches += static_cast<double>(std::min(count, found->second));
  }
  for (const auto& [gram, count] : reference) out.reference += static_cast<double>(count);
  return out;
}

std::vector<std::string> characters_without_space(std::string_view line) {
  std::vector<std::string> units;
  for (const std::string& word : text::split(line)) {
    for (const char32_t c : text::decode_utf8(word)) units.push_back(text::encode_utf8({&c, 1}));
  }
  return units;
}

// Words with one mark split off their end, or else their beginning.
std::vector<std::string> words_without_marks(std::string_view line) {
  std::vector<std::string> units;
  for (const std::string& word : text::split(line)) {
    const auto mark = [](char c) { return text::kAsciiPunctuation.find(c) != std::string::npos; };
    if (text::length(word) == 1) {
      units.push_back(word);
    } else if (mark(word.back())) {
      units.push_back(word.substr(0, word.size() - 1));
      units.push_back(word.substr(word.size() - 1));
    } else if (mark(word.front())) {
      units.push_back(word.substr(0, 1));
      units.push_back(word.substr(1));
    } else {
      units.push_back(word);
    }
  }
  return units;
}

void add_overlap(SegmentSums& sums, const std::vector<std::string>& reference,
                 const std::vector<std::string>& prediction, std::size_t order) {
  const Counts expected = ngrams(reference, order);
  const Overlap found = overlap(expected, ngrams(prediction, order));
  sums.push_back(expected.empty() ? 0 : found.predicted);
  sums.push_back(found.reference);
  sums.push_back(found.matches);
}

}  // namespace

std::string tokenize_13a(std::string_view line) {
  static const std::vector<Rule> kRules = {
      {Regex::fixed(R"(([\{-\~\[-\` -\&\(-\+\:-\@\/]))"), R"( \1 )"},
      {Regex::fixed(R"(([^0-9])([\.,]))"), R"(\1 \2 )"},
      {Regex::fixed(R"(([\.,])([^0-9]))"), R"( \1 \2)"},
      {Regex::fixed(R"(([0-9])(-))"), R"(\1 \2 )"}};
  std::string out = text::replace(line, "<skipped>", "");
  out = text::replace(out, "-\n", "");
  out = text::replace(out, "\n", " ");
  for (const auto& [entity, character] : std::array<std::array<const char*, 2>, 4>{
           {{"&quot;", "\""}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}}}) {
    out = text::replace(out, entity, character);
  }
  return rewritten(kRules, " " + out + " ");
}

std::string tokenize_international(std::string_view line) {
  static const std::vector<Rule> kRules = {{Regex::fixed_pcre(R"((\P{N})(\p{P}))"), R"(\1 \2 )"},
                                           {Regex::fixed_pcre(R"((\p{P})(\P{N}))"), R"( \1 \2)"},
                                           {Regex::fixed_pcre(R"((\p{S}))"), R"( \1 )"}};
  return rewritten(kRules, std::string(line));
}

SegmentSums bleu_sums(std::string_view reference, std::string_view prediction,
                      BleuTokenizer tokenizer) {
  const auto words = [&](std::string_view line) {
    line = text::rstrip(line);
    return text::split(std::string_view(
        tokenizer == BleuTokenizer::k13a ? tokenize_13a(line) : tokenize_international(line)));
  };
  const std::vector<std::string> expected = words(reference);
  const std::vector<std::string> given = words(prediction);
  SegmentSums sums(2 + 2 * kBleuOrder);
  sums[0] = static_cast<double>(given.size());
  sums[1] = static_cast<double>(expected.size());
  for (std::size_t n = 1; n <= kBleuOrder; ++n) {
    const Overlap found = overlap(ngrams(expected, n), ngrams(given, n));
    sums[1 + n] = found.matches;
    sums[1 + kBleuOrder + n] = found.predicted;
  }
  return sums;
}

double bleu_from(const SegmentSums& sums) {
  const double system = sums[0];
  const double reference = sums[1];
  double brevity = 1;
  if (system < reference) brevity = system > 0 ? std::exp(1 - reference / system) : 0.0;
  const auto matches = sums.begin() + 2;
  const auto totals = matches + kBleuOrder;
  if (std::all_of(matches, totals, [](double count) { return count == 0; })) return 0;
  double smoothing = 1;
  double log_sum = 0;
  bool counting = true;
  for (std::size_t n = 0; n < kBleuOrder; ++n) {
    const double total = totals[static_cast<std::ptrdiff_t>(n)];
    const double match = matches[static_cast<std::ptrdiff_t>(n)];
    counting = counting && total != 0;
    double precision = 0;
    if (counting && match == 0) {
      smoothing *= 2;
      precision = 100. / (smoothing * total);
    } else if (counting) {
      precision = 100. * match / total;
    }
    log_sum += precision == 0 ? -9999999999.0 : std::log(precision);
  }
  return brevity * std::exp(log_sum / static_cast<double>(kBleuOrder));
}

SegmentSums chrf_sums(std::string_view reference, std::string_view prediction, int word_order) {
  SegmentSums sums;
  const auto expected = characters_without_space(reference);
  const auto given = characters_without_space(prediction);
  for (std::size_t n = 1; n <= kCharacterOrder; ++n) add_overlap(sums, expected, given, n);
  if (word_order > 0) {
    const auto expected_words = words_without_marks(reference);
    const auto given_words = words_without_marks(prediction);
    for (std::size_t n = 1; n <= static_cast<std::size_t>(word_order); ++n) {
      add_overlap(sums, expected_words, given_words, n);
    }
  }
  return sums;
}

double chrf_from(const SegmentSums& sums) {
  double precision = 0;
  double recall = 0;
  double orders = 0;
  for (std::size_t i = 0; i + 2 < sums.size(); i += 3) {
    if (sums[i] <= 0 || sums[i + 1] <= 0) continue;
    precision += sums[i + 2] / sums[i];
    recall += sums[i + 2] / sums[i + 1];
    orders += 1;
  }
  if (orders == 0 || precision + recall == 0) return 0;
  precision /= orders;
  recall /= orders;
  const double score = (1 + kBetaSquared) * precision * recall;
  return 100 * (score / (kBetaSquared * precision + recall));
}

}  // namespace crucible::metric
