#pragma once

#include <string>
#include <string_view>
#include <vector>

// Metrics of generated text against reference text, as sacrebleu 2.6 and rouge-score 0.1.2 (both
// Apache-2.0) compute them; their formulas: BLEU (Papineni et al. 2002), chrF (Popovic 2015), TER
// (Snover et al. 2006), ROUGE (Lin 2004). Each has sums over segments from which the corpus value
// follows, so that a resample of the corpus costs one addition a segment. Pure functions; values in
// percent.
namespace crucible::metric {

// One segment's part of a corpus metric's sums.
using SegmentSums = std::vector<double>;

enum class BleuTokenizer { k13a, kInternational };
std::string tokenize_13a(std::string_view line);            // mteval-v13a, joined by spaces
std::string tokenize_international(std::string_view line);  // mteval-v14 with Unicode classes

// Sums: system length, reference length, matches of 1..4-grams, totals of 1..4-grams.
SegmentSums bleu_sums(std::string_view reference, std::string_view prediction,
                      BleuTokenizer tokenizer = BleuTokenizer::k13a);
double bleu_from(const SegmentSums& sums);  // exponential smoothing, no effective order

// Sums: predicted, reference and matching n-grams, for characters 1..6 and words 1..word_order.
SegmentSums chrf_sums(std::string_view reference, std::string_view prediction, int word_order);
double chrf_from(const SegmentSums& sums);

// Sums: edits (shifts count one), reference length.
SegmentSums ter_sums(std::string_view reference, std::string_view prediction);
double ter_from(const SegmentSums& sums);

// F-measures of one prediction in [0, 1]; no stemming. rougeLsum takes lines for sentences.
struct RougeScores {
  double rouge1 = 0;
  double rouge2 = 0;
  double rouge_lsum = 0;
};
RougeScores rouge(std::string_view reference, std::string_view prediction);

}  // namespace crucible::metric
