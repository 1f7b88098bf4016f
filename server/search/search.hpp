#pragma once

#include <functional>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <tuple>
#include <vector>

#include "evaluator/race/race.hpp"
#include "server/sampler/sampler.hpp"
#include "server/search/document.hpp"
#include "server/search/item_plan.hpp"
#include "server/search/scorer.hpp"

// The sweep itself: points from the sampler, races between their merges on the tune items, and a
// report of the winner on items that nobody chose by.
//
// Everything it decides follows from the document and the scores, in order: kept scores are all the
// state that there is. A search that was killed runs again from the start, is answered from what
// was kept, and so comes to ask for exactly what it would have asked for.
namespace crucible::server::search {

enum class Phase { kTune, kReport };
std::string_view to_string(Phase phase);

// What an earlier attempt came to, by candidate's subject, phase and first item; a message where
// the candidate could not be made.
struct Kept {
  std::map<std::tuple<std::string, Phase, std::size_t>, Scores> scores;
  std::map<std::string, std::string> failed;
  double seconds = 0;  // of work
};
// From the events that the sink was given, in their order. kCorrupt for others.
Result<Kept> kept_from(std::span<const nlohmann::json> events);

// Told of everything new. An error ends the attempt; what it does not report is durable. Events:
//   {"event": "candidate", "name", "trial", "values", "recipe", "model"}
//   {"event": "scores", "name", "subject", "phase", "first", "scores", "tokens", "seconds"}
//   {"event": "failed", "name", "subject", "message"}
//   {"event": "standing", "name", "seen", "estimate", "standing", "suites": [means]}
// Standings are told again in a later attempt, candidates too; scores and failures are not.
using EventSink = std::function<Status(const nlohmann::json& event)>;

struct SearchOptions {
  EventSink sink;
  std::stop_token stop;
  std::vector<std::string> parents;  // model references of the recipe, each a reference of the race
  std::string settings;              // see subject_of
};

// The result: see report.hpp. Errors: the scorer's and the sink's, kCancelled.
Result<nlohmann::json> run_search(const Document& document, const ItemPlan& items, Scorer& scorer,
                                  const Kept& kept, const SearchOptions& options);

// What every reference and the final report will take of the budget of items at least; a smaller
// budget is refused before any work. kInvalidArgument names budget.items.
Status check_budget(const Document& document, const ItemPlan& items, std::size_t parents);

}  // namespace crucible::server::search
