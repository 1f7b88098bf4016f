#pragma once

#include <string_view>
#include <vector>

#include "evaluator/task/task.hpp"

namespace crucible::metric {

// Names that MetricSetting::aggregation may have, and what they take of n items (api/metrics.py of
// lm-evaluation-harness 0.4.13 unless another source is given):
//
// - mean: Σx/n; standard error s/√n, s the sample standard deviation.
// - median, nanmean: the element at n/2 of the sorted values; the mean of those that are numbers.
// - perplexity: exp(−Σx/n) of log-probabilities.
// - weighted_perplexity: exp(−Σx/Σw), w words or bytes; bits_per_byte: −Σx/Σw/ln 2.
// - f1: 2tp/(2tp+fp+fn) of class 1; cb_multi_fi: its mean over classes 0, 1, 2.
// - weighted_f1, macro_f1, micro_f1: scikit-learn's f1_score over all classes that occur.
// - matthews_corrcoef: Gorodkin, Computational Biology and Chemistry 28 (2004), any classes.
// - brier_score: mean of Σ(p−y)²; Brier, Monthly Weather Review 78 (1950).
// - bleu, chrf, chrf++, ter: see corpus_metrics.hpp.
// - agg_inst_level_acc: mean over the parts of all items (IFEval's instructions).
// - eq_bench_total: see eq_bench.hpp.
// - bypass: 999.
//
// Standard errors are bootstrap.hpp's for median, nanmean, perplexity, f1, matthews_corrcoef,
// eq_bench_total and the metrics of text; the rest have none (NaN).
std::vector<std::string_view> aggregation_names();
bool is_aggregation(std::string_view name);
// Whether the metric's values are what the aggregation takes.
bool aggregation_fits(const task::MetricSetting& setting);

}  // namespace crucible::metric
