#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "evaluator/race/race.hpp"
#include "server/search/document.hpp"
#include "server/search/item_plan.hpp"
#include "server/search/scorer.hpp"

// What a sweep found, in the form that is stored and shown.
namespace crucible::server::search {

struct Findings {
  const Document& document;
  const ItemPlan& items;
  const race::Race& race;
  const std::vector<Candidate>& candidates;  // by their number in the race
  std::size_t winner = 0;
  std::string stopped = {};  // why the search ended
  // Of the winner and the references.
  std::map<std::size_t, std::vector<double>> report_scores = {};
  std::set<std::size_t> failed = {};  // numbers
  std::uint64_t tokens = 0;
};

// {"winner": {name, trial, values, recipe, tune: {score, items}, report: {score, low, high,
// items}},
//  "inflation": {expected, gaussian, candidates},
//  "references": [{name, report, difference, low, high, probability_better, wins, losses,
//  verdict}], "verdict": one or two sentences, "race": {stopped, evaluations, exhaustive, trials,
//  eliminated, set_aside, failed}, "front": [{name, values, suites}] of several objectives, "cost":
//  {items, tokens}}.
nlohmann::json report_of(const Findings& findings);
// [{name, recipe}] of the models that the document wants written: the winner, or all trials that
// could be made.
nlohmann::json to_keep(const Document& document, const nlohmann::json& report);
// The same where every trial failed: winner is null.
nlohmann::json no_winner(const Findings& findings);

}  // namespace crucible::server::search
