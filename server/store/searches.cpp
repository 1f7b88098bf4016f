#include "server/store/searches.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "server/store/jobs.hpp"

namespace crucible::server::store {
namespace {

using nlohmann::json;

constexpr const char* kCandidateColumns =
    "name, trial, point, recipe, model, standing, seen, estimate, suites, failure";

Candidate candidate_of(const Row& row) {
  Candidate candidate;
  candidate.name = row.text(0);
  candidate.trial = row.optional_integer(1);
  candidate.point = row.text(2);
  candidate.recipe = row.text(3);
  candidate.model = row.text(4);
  candidate.standing = row.text(5);
  candidate.seen = row.integer(6);
  candidate.estimate = row.optional_real(7);
  candidate.suites = row.text(8);
  candidate.failure = row.optional_text(9);
  return candidate;
}

std::optional<std::int64_t> integer_of(const json& value) {
  return value.is_number() ? std::optional(value.get<std::int64_t>()) : std::nullopt;
}
std::optional<double> real_of(const json& value) {
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

// A later attempt tells its candidates again.
Status keep_candidate(Database& database, SweepId sweep, const json& event) {
  return database.execute(
      "INSERT INTO candidates (sweep_id, name, trial, point, recipe, model) "
      "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (sweep_id, name) DO UPDATE SET "
      "trial = excluded.trial, point = excluded.point, recipe = excluded.recipe, "
      "model = excluded.model",
      {sweep, event.at("name").get<std::string>(), integer_of(event.at("trial")),
       event.at("values").dump(), event.at("recipe").get<std::string>(),
       event.at("model").get<std::string>()});
}

Status keep_standing(Database& database, SweepId sweep, const json& event) {
  return database.execute(
      "UPDATE candidates SET standing = ?, seen = ?, estimate = ?, suites = ? "
      "WHERE sweep_id = ? AND name = ?",
      {event.at("standing").get<std::string>(), event.at("seen").get<std::int64_t>(),
       real_of(event.at("estimate")), event.at("suites").dump(), sweep,
       event.at("name").get<std::string>()});
}

Status keep_scores(Database& database, SweepId sweep, const json& event) {
  const double seconds = event.at("seconds");
  auto status = database.execute(
      "INSERT OR IGNORE INTO candidate_scores (sweep_id, subject, phase, first, scores, tokens, "
      "seconds) VALUES (?, ?, ?, ?, ?, ?, ?)",
      {sweep, event.at("subject").get<std::string>(), event.at("phase").get<std::string>(),
       event.at("first").get<std::int64_t>(), event.at("scores").dump(),
       event.at("tokens").get<std::int64_t>(), seconds});
  if (!status || database.changes() == 0) return status;
  return database.execute(
      "UPDATE sweeps SET evaluations = evaluations + ?, seconds = seconds + ? WHERE id = ?",
      {event.at("scores").size(), seconds, sweep});
}

Status keep_failure(Database& database, SweepId sweep, const json& event) {
  const std::string message = event.at("message");
  auto status = database.execute(
      "INSERT OR IGNORE INTO candidate_failures (sweep_id, subject, message) VALUES (?, ?, ?)",
      {sweep, event.at("subject").get<std::string>(), message});
  if (!status) return status;
  return database.execute("UPDATE candidates SET failure = ? WHERE sweep_id = ? AND name = ?",
                          {message, sweep, event.at("name").get<std::string>()});
}

Status keep_event(Database& database, SweepId sweep, const json& event) {
  const std::string kind = event.at("event");
  if (kind == "candidate") return keep_candidate(database, sweep, event);
  if (kind == "standing") return keep_standing(database, sweep, event);
  if (kind == "scores") return keep_scores(database, sweep, event);
  if (kind == "failed") return keep_failure(database, sweep, event);
  return fail(ErrorCode::kCorrupt, "an unknown event of a sweep: " + kind);
}

Status count(Database& database, SweepId sweep, Search& search) {
  auto trials = database.query_one(
      "SELECT count(*), coalesce(sum(standing = 'racing'), 0) FROM candidates "
      "WHERE sweep_id = ? AND trial IS NOT NULL",
      {sweep}, [](const Row& row) { return std::pair(row.integer(0), row.integer(1)); });
  if (!trials) return fail(std::move(trials).error());
  std::tie(search.trials, search.racing) = trials->value_or(std::pair(0, 0));
  return {};
}

}  // namespace

Status keep_search(Database& database, SweepId sweep, const std::string& document, JobId job) {
  return database.execute(
      "UPDATE sweeps SET document = ?, job_id = ?, result = NULL, paused_at = NULL, "
      "cancelled_at = NULL WHERE id = ?",
      {document, job, sweep});
}

Status keep_search_result(Database& database, SweepId sweep, const std::string& result) {
  return database.execute("UPDATE sweeps SET result = ? WHERE id = ?", {result, sweep});
}

Status mark_search_paused(Database& database, SweepId sweep, std::optional<TimeMs> at) {
  return database.execute("UPDATE sweeps SET paused_at = ? WHERE id = ?", {at, sweep});
}

Status keep_search_events(Database& database, SweepId sweep, std::span<const json> events) {
  try {
    for (const json& event : events) {
      if (auto status = keep_event(database, sweep, event); !status) return status;
    }
  } catch (const json::exception& exception) {
    return fail(ErrorCode::kCorrupt, std::string("an event of a sweep: ") + exception.what());
  }
  return {};
}

Result<std::vector<json>> search_events(Database& database, SweepId sweep) {
  auto events = database.query(
      "SELECT subject, phase, first, scores, tokens, seconds FROM candidate_scores "
      "WHERE sweep_id = ?",
      {sweep}, [](const Row& row) {
        return json{{"event", "scores"},
                    {"subject", row.text(0)},
                    {"phase", row.text(1)},
                    {"first", row.integer(2)},
                    {"scores", json::parse(row.text(3), nullptr, false)},
                    {"tokens", row.integer(4)},
                    {"seconds", row.real(5)}};
      });
  if (!events) return events;
  auto failures = database.query(
      "SELECT subject, message FROM candidate_failures WHERE sweep_id = ?", {sweep},
      [](const Row& row) {
        return json{{"event", "failed"}, {"subject", row.text(0)}, {"message", row.text(1)}};
      });
  if (!failures) return failures;
  std::ranges::move(*failures, std::back_inserter(*events));
  return events;
}

Result<std::optional<Search>> find_search(Database& database, SweepId sweep) {
  auto found = database.query_one(
      "SELECT document, job_id, result, evaluations, seconds FROM sweeps WHERE id = ?", {sweep},
      [](const Row& row) -> std::optional<Search> {
        if (row.is_null(0)) return std::nullopt;
        Search search;
        search.document = row.text(0);
        search.job_id = row.optional_integer(1);
        search.result = row.optional_text(2);
        search.evaluations = row.integer(3);
        search.seconds = row.real(4);
        return search;
      });
  if (!found) return fail(std::move(found).error());
  if (!*found || !**found) return std::nullopt;
  Search search = std::move(***found);
  if (auto status = count(database, sweep, search); !status) return fail(std::move(status).error());
  if (search.job_id) {
    auto job = get_job(database, *search.job_id);
    if (!job) return fail(std::move(job).error());
    search.job_state = job->job.state;
    search.progress = job->job.progress;
    search.error = job->job.error;
  }
  auto best = database.query_one(
      std::string("SELECT ") + kCandidateColumns +
          " FROM candidates WHERE sweep_id = ? AND trial IS NOT NULL AND standing = 'racing' AND "
          "estimate IS NOT NULL ORDER BY seen DESC, estimate DESC, trial LIMIT 1",
      {sweep}, candidate_of);
  if (!best) return fail(std::move(best).error());
  search.best = std::move(*best);
  return search;
}

Result<std::map<SweepId, std::vector<std::string>>> suites_of_sweeps(Database& database) {
  std::map<SweepId, std::vector<std::string>> suites;
  auto status = database.for_each("SELECT id, suites FROM sweeps", {}, [&](const Row& row) {
    suites[row.integer(0)] = suites_from(row.text(1));
  });
  if (!status) return fail(std::move(status).error());
  return suites;
}

Result<std::optional<TimeMs>> search_paused_at(Database& database, SweepId sweep) {
  auto found = database.query_one("SELECT paused_at FROM sweeps WHERE id = ?", {sweep},
                                  [](const Row& row) { return row.optional_integer(0); });
  if (!found) return fail(std::move(found).error());
  return found->value_or(std::nullopt);
}

Result<std::vector<Candidate>> list_candidates(Database& database, SweepId sweep,
                                               std::int64_t after, std::size_t limit) {
  return database.query(std::string("SELECT ") + kCandidateColumns +
                            " FROM candidates WHERE sweep_id = ? AND coalesce(trial, -1) >= ? "
                            "ORDER BY trial, name LIMIT ?",
                        {sweep, after < 0 ? std::int64_t{-1} : after + 1, limit}, candidate_of);
}

Result<std::optional<Candidate>> find_trial(Database& database, SweepId sweep, std::int64_t trial) {
  return database.query_one(std::string("SELECT ") + kCandidateColumns +
                                " FROM candidates WHERE sweep_id = ? AND trial = ?",
                            {sweep, trial}, candidate_of);
}

}  // namespace crucible::server::store
