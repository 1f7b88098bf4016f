#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "merger/base/digest.hpp"
#include "merger/base/io.hpp"
#include "server/service/daemon_service.hpp"
#include "server/store/searches.hpp"

// Models, evaluations, the leaderboard, sweeps, and the daemon's own condition.
namespace crucible::server {
namespace {

constexpr std::uint64_t kLargestSamples = 256ULL << 20;

std::map<std::string, std::string> current_digests(
    const std::vector<pipeline::SuiteEntry>& suites) {
  std::map<std::string, std::string> digests;
  for (const auto& suite : suites) {
    if (suite.info.error.empty()) digests[suite.info.name] = suite.info.digest;
  }
  return digests;
}

// A column holds the scores of one judge: those that another one gave under the same name, before
// the operator changed what the name stands for, are not shown beside them.
void drop_other_judges(std::vector<store::BoardScore>& scores,
                       const std::vector<pipeline::SuiteEntry>& suites) {
  std::erase_if(scores, [&](const store::BoardScore& score) {
    const auto suite = std::ranges::find_if(suites, [&](const pipeline::SuiteEntry& entry) {
      return entry.info.name == score.suite && !entry.info.judge.empty();
    });
    return suite != suites.end() && suite->info.digest != score.suite_digest;
  });
}

// Waiting jobs are cancelled, running ones asked to stop; others are left alone.
Result<bool> cancel_any(store::Database& database, JobId id, TimeMs at) {
  auto stored = store::get_job(database, id);
  if (!stored) return fail(std::move(stored).error());
  auto waiting = queue::cancel_waiting(database, stored->job, at);
  if (!waiting || *waiting) return waiting;
  return store::mark_cancel(database, id, at);
}

Result<bool> cancel_trial(store::Database& database, JobId merge, TimeMs at) {
  auto stored = store::get_job(database, merge);
  if (!stored) return fail(std::move(stored).error());
  bool any = false;
  std::vector<JobId> ids = stored->job.children;
  ids.push_back(merge);
  for (const JobId id : ids) {
    auto cancelled = cancel_any(database, id, at);
    if (!cancelled) return cancelled;
    any = any || *cancelled;
  }
  return any;
}

}  // namespace

Result<Model> DaemonService::register_model(const RegisterModel& request) {
  if (!request.endpoint.empty()) {
    return parts_.models.register_endpoint(request.endpoint, request.name);
  }
  return parts_.models.register_model(request.path, request.name);
}

Result<std::vector<Model>> DaemonService::models() {
  return parts_.store.read([](store::Database& database) { return store::list_models(database); });
}

Result<Model> DaemonService::model(const std::string& id_or_name) {
  auto stored = parts_.store.read([&](store::Database& database) {
    return store::get_model(database, std::string_view(id_or_name));
  });
  if (!stored) return fail(std::move(stored).error());
  return std::move(stored->model);
}

Result<std::vector<Evaluation>> DaemonService::evaluations(const std::string& model,
                                                           const std::string& suite) {
  return parts_.store.read([&](store::Database& database) -> Result<std::vector<Evaluation>> {
    std::string digest;
    if (!model.empty()) {
      auto stored = store::get_model(database, std::string_view(model));
      if (!stored) return fail(std::move(stored).error());
      digest = stored->model.digest;
    }
    return store::list_evaluations(database, digest, suite);
  });
}

Result<Evaluation> DaemonService::evaluation(EvaluationId id) {
  return parts_.store.read(
      [&](store::Database& database) { return store::get_evaluation(database, id); });
}

Result<std::string> DaemonService::evaluation_samples(EvaluationId id) {
  auto path = parts_.store.read(
      [&](store::Database& database) { return store::samples_path(database, id); });
  if (!path) return path;
  return io::read_text(*path, kLargestSamples);
}

Result<std::vector<SuiteInfo>> DaemonService::suites() {
  std::vector<SuiteInfo> infos;
  for (pipeline::SuiteEntry& entry : parts_.suites.list()) infos.push_back(std::move(entry.info));
  return infos;
}

Result<leaderboard::ScoreTable> DaemonService::score_table(store::Database& database) {
  auto scores = store::board_scores(database);
  if (!scores) return fail(std::move(scores).error());
  const auto suites = parts_.suites.list();
  drop_other_judges(*scores, suites);
  return leaderboard::ScoreTable(*scores, current_digests(suites));
}

Result<Leaderboard> DaemonService::leaderboard(const LeaderboardQuery& query) {
  return parts_.store.read([&](store::Database& database) -> Result<Leaderboard> {
    auto table = score_table(database);
    if (!table) return fail(std::move(table).error());
    auto models = store::list_models(database);
    if (!models) return fail(std::move(models).error());
    std::set<std::string> known = table->suites();
    for (const auto& entry : parts_.suites.list()) known.insert(entry.info.name);
    auto board = leaderboard::rank(*models, *table, query, {known.begin(), known.end()});
    if (!board) return board;
    auto tuned = store::suites_of_sweeps(database);
    if (!tuned) return fail(std::move(tuned).error());
    for (LeaderboardRow& row : board->rows) {
      if (row.sweep_id) row.tuned_on = (*tuned)[*row.sweep_id];
    }
    return board;
  });
}

// Rows of models and evaluations are only ever added, as far as boards show them.
Result<std::string> DaemonService::board_version() {
  auto rows = parts_.store.read([](store::Database& database) {
    return database.query_one(
        "SELECT (SELECT max(id) FROM evaluations), (SELECT max(id) FROM models)", {},
        [](const store::Row& row) { return fmt::format("{}.{}", row.text(0), row.text(1)); });
  });
  if (!rows) return fail(std::move(rows).error());
  Sha256 hash;
  hash.field(rows->value_or(""));
  for (const auto& entry : parts_.suites.list())
    hash.field(entry.info.name).field(entry.info.digest);
  return hash.finish().hex();
}

Result<std::vector<Sweep>> DaemonService::sweeps() {
  return parts_.store.read([&](store::Database& database) -> Result<std::vector<Sweep>> {
    auto ids = store::list_sweeps(database);
    if (!ids) return fail(std::move(ids).error());
    std::optional<leaderboard::ScoreTable> table;
    std::vector<Sweep> sweeps;
    for (const SweepId id : *ids) {
      auto stored = store::get_sweep(database, id);
      if (!stored) return fail(std::move(stored).error());
      auto viewed = view_sweep(database, std::move(*stored), table);
      if (!viewed) return fail(std::move(viewed).error());
      sweeps.push_back(std::move(*viewed));
    }
    return sweeps;
  });
}

Result<Sweep> DaemonService::sweep(SweepId id) {
  return parts_.store.read([&](store::Database& database) -> Result<Sweep> {
    auto stored = store::get_sweep(database, id);
    if (!stored) return fail(std::move(stored).error());
    std::optional<leaderboard::ScoreTable> table;
    return view_sweep(database, std::move(*stored), table);
  });
}

// The table of all scores is read for the first sweep that needs it.
Result<Sweep> DaemonService::view_sweep(store::Database& database, store::StoredSweep stored,
                                        std::optional<leaderboard::ScoreTable>& table) {
  if (!table && !stored.sweep.trials.empty()) {
    auto read = score_table(database);
    if (!read) return fail(std::move(read).error());
    table.emplace(std::move(*read));
  }
  return sweep::view(database, std::move(stored), table ? &*table : nullptr);
}

Result<Sweep> DaemonService::cancel_sweep(SweepId id, const access::Principal& by) {
  if (auto status = check_sweep_owner(id, by); !status) return fail(std::move(status).error());
  auto status = parts_.store.write([&](store::Database& database) -> Status {
    auto stored = store::get_sweep(database, id);
    if (!stored) return fail(std::move(stored).error());
    const TimeMs now = parts_.clock.now();
    bool any = false;
    auto search = store::find_search(database, id);
    if (!search) return fail(std::move(search).error());
    if (*search && (*search)->job_id) {
      auto cancelled = cancel_any(database, *(*search)->job_id, now);
      if (!cancelled) return fail(std::move(cancelled).error());
      any = *cancelled;
    }
    for (const Trial& trial : stored->sweep.trials) {
      auto cancelled = cancel_trial(database, trial.job_id, now);
      if (!cancelled) return fail(std::move(cancelled).error());
      any = any || *cancelled;
    }
    if (!any) {
      return fail(ErrorCode::kConflict, fmt::format("sweep {} has nothing left to cancel", id));
    }
    return store::mark_sweep_cancelled(database, id, now);
  });
  if (!status) return fail(std::move(status).error());
  parts_.workers.wake();
  return sweep(id);
}

Status DaemonService::ready() {
  if (!parts_.store.healthy()) {
    return fail(ErrorCode::kUnavailable, "the store stopped after a failed write");
  }
  if (!parts_.workers.accepting()) {
    return fail(ErrorCode::kUnavailable, "the workers are stopped");
  }
  return parts_.store.read(
      [](store::Database& database) { return database.execute("SELECT 1 FROM jobs LIMIT 1"); });
}

std::string DaemonService::metrics_text() {
  metrics::Gauges gauges;
  gauges.events = parts_.store.event_sequence();
  gauges.commits = parts_.store.commits();
  gauges.busy_workers = parts_.workers.busy();
  gauges.store_healthy = parts_.store.healthy();
  const QueueStatus capacity = parts_.workers.capacity();
  gauges.memory_used = capacity.memory_used;
  gauges.memory_budget = capacity.memory_budget;
  gauges.disk_free = capacity.disk_free;
  gauges.disk_floor = capacity.disk_floor;
  (void)parts_.store.read([&](store::Database& database) -> Status {
    auto jobs = store::count_jobs(database);
    if (!jobs) return fail(std::move(jobs).error());
    gauges.jobs = std::move(*jobs);
    auto models = database.query_one("SELECT count(*) FROM models", {},
                                     [](const store::Row& row) { return row.integer(0); });
    if (!models) return fail(std::move(models).error());
    gauges.models = models->value_or(0);
    return {};
  });
  return parts_.metrics.text(gauges);
}

}  // namespace crucible::server
