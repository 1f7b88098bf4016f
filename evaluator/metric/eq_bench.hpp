#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluator/metric/scoring.hpp"
#include "evaluator/task/task.hpp"
#include "merger/base/error.hpp"

// EQ-Bench (Paech 2023, arXiv:2312.06281; code MIT): how near a model's ratings of four emotions
// come to the reference. Three rules: the harness's (v2.1, an unreadable answer scores 0), and the
// benchmark's own v1 and v2, which leave unreadable answers out. Pure functions.
namespace crucible::metric {

using Emotions = std::map<std::string, double>;

// "Remorseful: 2" pairs of a text; of one name the last counts.
Emotions parse_emotions(const std::string& text);

// An answer with first pass, critique and revised scores: what stands between the headings "First
// pass scores:" and "Revised scores:", and after the latter. Empty where a heading is missing.
struct EqBenchAnswer {
  Emotions first_pass;
  Emotions revised;
};
EqBenchAnswer parse_eq_bench(const std::string& text);

// `emotion1` … `emotion4` with `emotion1_score` …, as an object or as a Python literal of one.
Result<Emotions> eq_bench_reference(const task::Json& reference);

// Points of 10 of one question; nothing where the names are not the reference's four. v2 may fall
// below 0. v1 scales the ratings to a sum of 10 and needs one above 0.
std::optional<double> eq_bench_v1_score(const Emotions& given, const Emotions& reference);
std::optional<double> eq_bench_v2_score(const Emotions& given, const Emotions& reference);

// A whole run: 100 times the mean of the readable questions' points over 10. The revised scores
// stand in for the first pass where they are no worse and at least 95 % as many are readable.
struct EqBenchTotal {
  double score = 0;
  std::size_t parseable = 0;
  bool enough = false;  // at least 83.33 % of the questions could be read
};
EqBenchTotal eq_bench_total(const std::vector<std::optional<double>>& first_pass,
                            const std::vector<std::optional<double>>& revised);
// The same of drawn questions' {first, revised} points of 100, NaN where unreadable.
double eq_bench_total(const std::vector<MetricValue>& passes, std::span<const std::size_t> indices);

}  // namespace crucible::metric
