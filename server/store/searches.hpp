#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "server/service/records.hpp"
#include "server/store/sqlite.hpp"

// What sweeps that search have come to: documents, candidates, their answers.
namespace crucible::server::store {

// Makes a sweep a search and `job` its job. Without a result: it is over when one is kept.
Status keep_search(Database& database, SweepId sweep, const std::string& document, JobId job);
Status keep_search_result(Database& database, SweepId sweep, const std::string& result);
Status mark_search_paused(Database& database, SweepId sweep, std::optional<TimeMs> at);

// Events as search::EventSink gets them, in their order. kCorrupt for others.
Status keep_search_events(Database& database, SweepId sweep,
                          std::span<const nlohmann::json> events);
// Scores and failures, as events: all the state of a search.
Result<std::vector<nlohmann::json>> search_events(Database& database, SweepId sweep);

// Its search, with counts and the best candidate; none for other sweeps.
Result<std::optional<Search>> find_search(Database& database, SweepId sweep);
// What each sweep was judged by: models that came of it were chosen on these.
Result<std::map<SweepId, std::vector<std::string>>> suites_of_sweeps(Database& database);
Result<std::optional<TimeMs>> search_paused_at(Database& database, SweepId sweep);

// By trial, references first. `after` is the last trial of the page before; -1 = from the start.
Result<std::vector<Candidate>> list_candidates(Database& database, SweepId sweep,
                                               std::int64_t after, std::size_t limit);
Result<std::optional<Candidate>> find_trial(Database& database, SweepId sweep, std::int64_t trial);

}  // namespace crucible::server::store
