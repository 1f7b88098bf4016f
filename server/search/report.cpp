#include "server/search/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "evaluator/race/selection.hpp"
#include "server/sampler/pareto.hpp"

namespace crucible::server::search {
namespace {

using nlohmann::json;

json finite(double number) { return std::isfinite(number) ? json(number) : json(); }

json score_json(const race::ReportedScore& score, std::size_t items) {
  return {{"score", score.score},
          {"low", finite(score.interval.low)},
          {"high", finite(score.interval.high)},
          {"items", items}};
}

bool is_trial(const Findings& findings, std::size_t number) {
  return findings.candidates[number].trial.has_value();
}

json race_json(const Findings& findings) {
  std::size_t trials = 0;
  std::size_t eliminated = 0;
  std::size_t set_aside = 0;
  for (std::size_t c = 0; c < findings.candidates.size(); ++c) {
    if (!is_trial(findings, c)) continue;
    const auto standing = findings.race.place(c).standing;
    ++trials;
    eliminated += standing == race::Standing::kEliminated;
    set_aside += standing == race::Standing::kSetAside;
  }
  return {{"stopped", findings.stopped},
          {"evaluations", findings.race.evaluations()},
          {"exhaustive", findings.candidates.size() * findings.items.tune().size()},
          {"trials", trials},
          {"eliminated", eliminated},
          {"set_aside", set_aside},
          {"failed", findings.failed.size()},
          {"alpha", findings.document.racing.alpha}};
}

json cost_json(const Findings& findings) {
  std::size_t items = findings.race.evaluations();
  for (const auto& [number, scores] : findings.report_scores) items += scores.size();
  return {{"items", items}, {"tokens", findings.tokens}};
}

// Of those that went as far as the winner: how much of its lead is luck.
json inflation_json(const Findings& findings) {
  const std::size_t seen = findings.race.place(findings.winner).seen;
  std::vector<std::vector<double>> scores;
  for (std::size_t c = 0; c < findings.candidates.size(); ++c) {
    const auto own = findings.race.scores(c);
    if (is_trial(findings, c) && own.size() >= seen) {
      scores.emplace_back(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(seen));
    }
  }
  const auto& order = findings.race.items();
  race::ItemSet set;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < seen; ++i) {
    set.items.push_back(order[i]);
    const race::ItemPlace& place = findings.items.tune()[i];
    const task::Item& item = findings.items.task(place.suite).items[place.item];
    names.push_back(item.cluster.empty() ? "" : fmt::format("{}:{}", place.suite, item.cluster));
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  set.clusters = stats::number_clusters(views);
  const race::Inflation inflation = race::expected_inflation(set, scores);
  return {{"expected", inflation.expected},
          {"gaussian", inflation.gaussian},
          {"candidates", inflation.candidates}};
}

json reference_json(const Findings& findings, std::size_t number,
                    const race::ParentVerdict& verdict, const race::ItemSet& set) {
  const Candidate& candidate = findings.candidates[number];
  const auto& scores = findings.report_scores.at(number);
  return {{"name", candidate.name},
          {"model", candidate.model.empty() ? json() : json(candidate.model)},
          {"values", candidate.values},
          {"report", score_json(race::report_score(set, scores), scores.size())},
          {"difference", verdict.difference},
          {"low", finite(verdict.interval.low)},
          {"high", finite(verdict.interval.high)},
          {"probability_better", verdict.probability_better},
          {"wins", verdict.wins},
          {"losses", verdict.losses},
          {"verdict", race::to_string(verdict.verdict)}};
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += i == 0 ? "" : i + 1 == names.size() ? " and " : ", ";
    text += names[i];
  }
  return text;
}

// "It beats a and b; no detectable difference from c."
std::string sentence(const json& winner, const json& references) {
  std::map<std::string, std::vector<std::string>> by_verdict;
  for (const json& reference : references)
    by_verdict[reference["verdict"]].push_back(reference["name"]);
  const json& report = winner["report"];
  std::string text = fmt::format("{} scores {:.3f}", winner["name"].get<std::string>(),
                                 report["score"].get<double>());
  if (report["low"].is_number() && report["high"].is_number()) {
    text += fmt::format(" (95 % interval {:.3f} to {:.3f})", report["low"].get<double>(),
                        report["high"].get<double>());
  }
  text +=
      fmt::format(" on {} items that the sweep did not see.", report["items"].get<std::size_t>());
  if (auto& beaten = by_verdict["beats"]; !beaten.empty()) {
    text += fmt::format(" It beats {}.", listed(beaten));
  }
  if (auto& level = by_verdict["no detectable difference"]; !level.empty()) {
    text += fmt::format(" No detectable difference between it and {}.", listed(level));
  }
  if (auto& worse = by_verdict["worse"]; !worse.empty()) {
    text += fmt::format(" It is worse than {}.", listed(worse));
  }
  return text;
}

json made_json(const Findings& findings) {
  json made = json::array();
  for (std::size_t c = 0; c < findings.candidates.size(); ++c) {
    const Candidate& candidate = findings.candidates[c];
    if (!candidate.trial || findings.failed.contains(c)) continue;
    made.push_back({{"name", candidate.name}, {"recipe", candidate.recipe}});
  }
  return made;
}

// Trials that no other beats on every suite, by the tune items.
json front_json(const Findings& findings) {
  std::vector<sampler::Objectives> points;
  std::vector<std::size_t> numbers;
  for (std::size_t c = 0; c < findings.candidates.size(); ++c) {
    if (!is_trial(findings, c) || findings.race.scores(c).size() < findings.items.tune().size()) {
      continue;
    }
    points.push_back(findings.items.suite_means(findings.items.tune(), findings.race.scores(c)));
    numbers.push_back(c);
  }
  json front = json::array();
  if (points.empty()) return front;
  const auto fronts = sampler::non_dominated_fronts(points);
  for (const std::size_t i : fronts.front()) {
    const Candidate& candidate = findings.candidates[numbers[i]];
    front.push_back({{"name", candidate.name},
                     {"trial", *candidate.trial},
                     {"values", candidate.values},
                     {"suites", points[i]}});
  }
  return front;
}

}  // namespace

json to_keep(const Document& document, const json& report) {
  if (report["winner"].is_null() || document.keep == Keep::kNone) return json::array();
  if (document.keep == Keep::kAll) return report["made"];
  return {{{"name", report["winner"]["name"]}, {"recipe", report["winner"]["recipe"]}}};
}

json no_winner(const Findings& findings) {
  return {{"winner", nullptr},
          {"verdict", "No trial could be evaluated."},
          {"references", json::array()},
          {"race", race_json(findings)},
          {"cost", cost_json(findings)}};
}

json report_of(const Findings& findings) {
  const race::ItemSet set = findings.items.report_items();
  const auto& own = findings.report_scores.at(findings.winner);
  std::vector<std::size_t> numbers;
  std::vector<std::vector<double>> others;
  for (const auto& [number, scores] : findings.report_scores) {
    if (number == findings.winner) continue;
    numbers.push_back(number);
    others.push_back(scores);
  }
  const auto verdicts = race::against_parents(set, own, others);
  json references = json::array();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    references.push_back(reference_json(findings, numbers[i], verdicts[i], set));
  }
  const Candidate& best = findings.candidates[findings.winner];
  const race::Place place = findings.race.place(findings.winner);
  json winner = {{"name", best.name},
                 {"trial", *best.trial},
                 {"values", best.values},
                 {"recipe", best.recipe},
                 {"tune", {{"score", place.estimate}, {"items", place.seen}}},
                 {"report", score_json(race::report_score(set, own), own.size())}};
  json suites = json::array();
  for (const double mean : findings.items.suite_means(findings.items.report(), own)) {
    suites.push_back(finite(mean));
  }
  winner["report"]["suites"] = std::move(suites);
  json report = {{"verdict", sentence(winner, references)},
                 {"winner", std::move(winner)},
                 {"inflation", inflation_json(findings)},
                 {"references", std::move(references)},
                 {"race", race_json(findings)},
                 {"cost", cost_json(findings)}};
  if (findings.document.keep == Keep::kAll) report["made"] = made_json(findings);
  if (findings.document.objective_per_suite) report["front"] = front_json(findings);
  return report;
}

}  // namespace crucible::server::search
