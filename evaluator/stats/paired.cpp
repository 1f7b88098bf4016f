#include "evaluator/stats/paired.hpp"

#include <algorithm>
#include <array>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

namespace crucible::stats {
namespace {

constexpr double kSignificance = 0.05;
constexpr double kPower = 0.8;
constexpr double kSmallest = 1e-4;   // p below it is not written out
constexpr double kMostItems = 1e15;  // more than any benchmark will ever hold

struct Differences {
  std::vector<double> values;
  std::vector<std::size_t> clusters;
  bool binary = true;
  bool clustered = false;
};

bool is_binary(double value) { return value == 0 || value == 1; }

Differences differences_of(std::span<const PairedItem> items) {
  Differences out;
  std::vector<std::string_view> names;
  for (const PairedItem& item : items) {
    out.values.push_back(item.a - item.b);
    names.push_back(item.cluster);
    out.binary = out.binary && is_binary(item.a) && is_binary(item.b);
  }
  out.clusters = number_clusters(names);
  out.clustered = count_clusters(out.clusters).shared;
  return out;
}

void count(Comparison& comparison, std::span<const PairedItem> items, bool higher_is_better) {
  for (const PairedItem& item : items) {
    comparison.mean_a += item.a;
    comparison.mean_b += item.b;
    if (item.a == item.b) {
      ++comparison.ties;
    } else {
      ++((item.a > item.b) == higher_is_better ? comparison.wins : comparison.losses);
    }
  }
  comparison.items = items.size();
  comparison.mean_a /= static_cast<double>(items.size());
  comparison.mean_b /= static_cast<double>(items.size());
}

// With n / (n - 1) for independent items, so that it is the paired t test's; G / (G - 1) for
// clusters.
double standard_error_of(const Differences& differences) {
  const auto groups = static_cast<double>(count_clusters(differences.clusters).clusters);
  return cluster_standard_error(differences.values, differences.clusters) *
         std::sqrt(groups / (groups - 1));
}

void test(Comparison& comparison, const Differences& differences) {
  const std::size_t groups = count_clusters(differences.clusters).clusters;
  if (differences.binary && !differences.clustered) {
    comparison.test = "exact McNemar";
    comparison.p = exact_mcnemar(comparison.wins, comparison.losses);
  } else {
    comparison.test = differences.clustered ? "paired t over clusters" : "paired t";
    const bool none = comparison.ties == comparison.items;
    comparison.p = none ? 1
                        : mean_test(comparison.difference, comparison.standard_error,
                                    groups > 1 ? groups - 1 : 0);
  }
  comparison.told_apart = comparison.p < kSignificance;
}

std::optional<std::uint64_t> further_items(const Comparison& comparison) {
  if (comparison.told_apart || !std::isfinite(comparison.standard_error)) return std::nullopt;
  const auto n = static_cast<double>(comparison.items);
  const double variance = n * comparison.standard_error * comparison.standard_error;
  const auto total = items_to_tell_apart(comparison.difference, variance);
  if (!total) return std::nullopt;
  return *total > comparison.items ? *total - comparison.items : 1;
}

std::string number(const char* pattern, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), pattern, value);
  return text.data();
}

std::string facts(const Comparison& comparison) {
  const std::string p =
      comparison.p < kSmallest ? "p < 0.0001" : "p = " + number("%.2g", comparison.p);
  return p + ", " + comparison.test;
}

}  // namespace

double exact_mcnemar(std::size_t wins, std::size_t losses) {
  const std::size_t discordant = wins + losses;
  if (discordant == 0) return 1;
  const boost::math::binomial_distribution<double> coin(static_cast<double>(discordant), 0.5);
  const double tail = boost::math::cdf(coin, static_cast<double>(std::min(wins, losses)));
  return 2 * std::min(tail, 0.5);
}

double mean_test(double difference, double standard_error, std::size_t degrees) {
  if (degrees == 0 || !std::isfinite(standard_error)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (standard_error == 0) return difference == 0 ? 1 : 0;
  const boost::math::students_t_distribution<double> t(static_cast<double>(degrees));
  const double statistic = std::abs(difference / standard_error);
  return 2 * boost::math::cdf(boost::math::complement(t, statistic));
}

std::optional<std::uint64_t> items_to_tell_apart(double difference, double variance) {
  if (difference == 0 || !std::isfinite(difference) || !std::isfinite(variance)) {
    return std::nullopt;
  }
  const boost::math::normal_distribution<double> normal;
  const double z =
      boost::math::quantile(normal, 1 - kSignificance / 2) + boost::math::quantile(normal, kPower);
  const double items = std::ceil(z * z * variance / (difference * difference));
  if (items > kMostItems) return std::nullopt;
  return static_cast<std::uint64_t>(std::max(items, 1.0));
}

Comparison compare(std::span<const PairedItem> items, bool higher_is_better, std::size_t resamples,
                   std::uint64_t seed) {
  Comparison comparison;
  count(comparison, items, higher_is_better);
  const Differences differences = differences_of(items);
  double sum = 0;
  for (const double value : differences.values) sum += value;
  comparison.difference = sum / static_cast<double>(items.size());
  comparison.standard_error = standard_error_of(differences);
  comparison.interval =
      bootstrap_mean(differences.values, differences.clusters, resamples, seed).interval;
  test(comparison, differences);
  comparison.further_items = further_items(comparison);
  return comparison;
}

std::string in_words(const Comparison& comparison, std::string_view a, std::string_view b,
                     bool higher_is_better) {
  const bool a_leads = (comparison.difference > 0) == higher_is_better;
  const std::string leader(a_leads ? a : b);
  const std::string other(a_leads ? b : a);
  const std::string items = std::to_string(comparison.items) + " items";
  if (comparison.told_apart) {
    return leader + " is better than " + other + " on these " + items + " (" + facts(comparison) +
           ").";
  }
  if (comparison.ties == comparison.items) {
    return std::string(a) + " and " + std::string(b) + " do the same on each of the " + items +
           ": nothing tells them apart.";
  }
  std::string text = std::string(a) + " and " + std::string(b) + " cannot be told apart on these " +
                     items + " (" + facts(comparison) + ").";
  if (comparison.difference == 0) {
    return text + " There is no difference that further items could confirm.";
  }
  if (!comparison.further_items) return text + " There are too few items to say how many it takes.";
  return text + " If the difference is what it seems, telling them apart takes about " +
         std::to_string(*comparison.further_items) + " more items (80 % power).";
}

}  // namespace crucible::stats
