#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/suite.hpp"
#include "merger/base/digest.hpp"
#include "server/pipeline/work.hpp"
#include "server/search/edit.hpp"
#include "server/search/search.hpp"
#include "server/search/summary.hpp"
#include "server/service/daemon_service.hpp"
#include "server/store/searches.hpp"
#include "server/store/sweeps.hpp"

// Sweeps that search: one job does all of it, and may be paused, resumed and extended.
namespace crucible::server {
namespace {

std::string digest_of(const SubmitSearch& request) {
  Sha256 hash;
  hash.field("search").field(request.document).field(request.name);
  return hash.finish().hex();
}

// Paths of the document's faults are paths below `document` of the request.
Error within_document(Error error) {
  for (Fault& fault : error.faults) {
    fault.path = fault.path.empty() ? "document" : "document." + fault.path;
  }
  return error;
}

store::NewJob job_of(const search::Document& document, const std::string& name, SweepId sweep,
                     const Submission& submission, std::int64_t max_attempts) {
  store::NewJob job;
  job.kind = JobKind::kSweep;
  job.name = name;
  job.max_attempts = max_attempts;
  job.recipe = document.recipe;
  job.seed = document.seed;
  job.work_key = fmt::format("sweep {}", sweep);
  job.suites = document.suites;
  job.sweep_id = sweep;
  job.submitter = submission.submitter;
  job.priority = submission.priority;
  return job;
}

}  // namespace

// Everything that can be said before work: recipes at the space's ends against their models, the
// suites' metrics, and whether the budget reaches.
Result<search::Document> DaemonService::check_search(const std::string& text, store::Need& need) {
  auto document = search::read_document(text);
  if (!document) return fail(within_document(std::move(document).error()));
  auto entries = parts_.suites.find_all(document->suites);
  if (!entries) return fail(within_document(std::move(entries).error()));
  for (const sampler::Point& point : search::probe_points(*document)) {
    auto recipe = search::render(*document, point);
    if (!recipe) return fail(within_document(std::move(recipe).error()));
    auto order = pipeline::MergeOrder::read(*recipe);
    if (!order) return fail(within_document(std::move(order).error()));
    auto checked = check_recipe(std::move(*order), method::Compatibility::kNone);
    if (!checked) {
      return fail(within_document(std::move(checked).error().with_context(
          fmt::format("at {}", search::values_at(*document, point).dump()))));
    }
    need.memory_bytes = std::max(
        need.memory_bytes, checked->preflight.memory_bytes + 6 * checked->preflight.parameters);
  }
  task::FolderDatasets datasets(parts_.limits.datasets);
  task::BuildOptions build;
  build.datasets = &datasets;
  std::vector<task::Suite> suites;
  for (const pipeline::SuiteEntry& entry : *entries) {
    auto suite = task::read_suite(entry.file, build);
    if (!suite) return fail(within_document(std::move(suite).error()));
    suites.push_back(std::move(*suite));
  }
  auto items = search::ItemPlan::make(suites, document->tune_share, document->seed);
  if (!items) return fail(within_document(std::move(items).error()));
  auto parents = search::parents_of(*document);
  if (!parents) return fail(within_document(std::move(parents).error()));
  auto budget = search::check_budget(*document, *items, parents->size());
  if (!budget) return fail(within_document(std::move(budget).error()));
  return document;
}

Result<Sweep> DaemonService::submit_search(const SubmitSearch& request) {
  const std::string digest = digest_of(request);
  auto known = recall(request.idempotency_key, digest);
  if (!known) return fail(std::move(known).error());
  if (*known) return sweep((*known)->front());
  if (auto status = pipeline::check_name(request.name); !status) {
    return fail(std::move(status).error());
  }
  store::Need need;
  auto document = check_search(request.document, need);
  if (!document) return fail(std::move(document).error());
  std::string name = request.name.empty() ? document->name : request.name;
  if (name.empty()) name = fmt::format("sweep-{}", digest.substr(0, 8));
  auto id = parts_.store.write([&](store::Database& database) -> Result<SweepId> {
    auto raced = store::recall_idempotency(database, request.idempotency_key, digest);
    if (!raced) return fail(std::move(raced).error());
    if (*raced) return (*raced)->front();
    const TimeMs now = parts_.clock.now();
    auto made = store::insert_sweep(database,
                                    {name, "", document->recipe, document->suites, document->seed,
                                     request.submission.submitter},
                                    now);
    if (!made) return made;
    auto job = job_of(*document, name, *made, request.submission, parts_.max_attempts);
    job.need = need;
    auto queued = store::insert_job(database, job, now);
    if (!queued) return fail(std::move(queued).error());
    auto kept = store::keep_search(database, *made, request.document, *queued);
    if (kept) {
      kept = store::keep_idempotency(database, {request.idempotency_key, digest, "sweep", {*made}},
                                     now);
    }
    if (!kept) return fail(std::move(kept).error());
    return made;
  });
  if (!id) return fail(std::move(id).error());
  parts_.workers.wake();
  return sweep(*id);
}

Result<Search> DaemonService::search_of(SweepId id) {
  return parts_.store.read([&](store::Database& database) -> Result<Search> {
    auto stored = store::get_sweep(database, id);
    if (!stored) return fail(std::move(stored).error());
    auto search = store::find_search(database, id);
    if (!search) return fail(std::move(search).error());
    if (*search) return std::move(**search);
    return fail(ErrorCode::kConflict,
                fmt::format("sweep {} is one of fixed values; it can only be cancelled", id));
  });
}

Result<Sweep> DaemonService::pause_sweep(SweepId id, const access::Principal& by) {
  if (auto status = check_sweep_owner(id, by); !status) return fail(std::move(status).error());
  auto search = search_of(id);
  if (!search) return fail(std::move(search).error());
  if (!search->job_id || is_final(search->job_state)) {
    return fail(ErrorCode::kConflict, fmt::format("sweep {} does not run", id));
  }
  auto cancelled = parts_.queue.request_cancel(*search->job_id);
  if (!cancelled) return fail(std::move(cancelled).error());
  auto status = parts_.store.write([&](store::Database& database) {
    return store::mark_search_paused(database, id, parts_.clock.now());
  });
  if (!status) return fail(std::move(status).error());
  parts_.workers.wake();
  return sweep(id);
}

Result<Sweep> DaemonService::resume_sweep(SweepId id, const nlohmann::json& budget,
                                          const access::Principal& by) {
  if (auto status = check_sweep_owner(id, by); !status) return fail(std::move(status).error());
  auto search = search_of(id);
  if (!search) return fail(std::move(search).error());
  if (search->job_id && !is_final(search->job_state)) {
    return fail(ErrorCode::kConflict, fmt::format("sweep {} is still {}; pause it first", id,
                                                  to_string(search->job_state)));
  }
  if (search->result && budget.empty()) {
    return fail(ErrorCode::kConflict,
                fmt::format("sweep {} is over; it goes on with a larger budget", id));
  }
  auto text = search::with_budget(search->document, budget);
  if (!text) return fail(std::move(text).error());
  store::Need need;
  auto document = check_search(*text, need);
  if (!document) return fail(std::move(document).error());
  auto status = parts_.store.write([&](store::Database& database) -> Status {
    auto stored = store::get_sweep(database, id);
    if (!stored) return fail(std::move(stored).error());
    auto now_known = store::find_search(database, id);
    if (!now_known) return fail(std::move(now_known).error());
    if ((*now_known)->job_id != search->job_id) {
      return fail(ErrorCode::kConflict, fmt::format("sweep {} was resumed meanwhile", id));
    }
    auto job = job_of(*document, stored->sweep.name, id, {stored->sweep.submitter, 0},
                      parts_.max_attempts);
    job.need = need;
    auto queued = store::insert_job(database, job, parts_.clock.now());
    if (!queued) return fail(std::move(queued).error());
    return store::keep_search(database, id, *text, *queued);
  });
  if (!status) return fail(std::move(status).error());
  parts_.workers.wake();
  return sweep(id);
}

Result<Sweep> DaemonService::fork_sweep(SweepId id, std::int64_t trial,
                                        const Submission& submission) {
  auto search = search_of(id);
  if (!search) return fail(std::move(search).error());
  auto candidate = parts_.store.read(
      [&](store::Database& database) { return store::find_trial(database, id, trial); });
  if (!candidate) return fail(std::move(candidate).error());
  if (!*candidate) {
    return fail(ErrorCode::kNotFound, fmt::format("sweep {} has no trial {}", id, trial));
  }
  auto text = search::started_at(search->document, (*candidate)->point);
  if (!text) return fail(std::move(text).error());
  SubmitSearch request;
  request.document = std::move(*text);
  request.name = fmt::format("fork-of-{}-t{}", id, trial);
  request.submission = submission;
  return submit_search(request);
}

Result<Page<Candidate>> DaemonService::trials(SweepId id, std::int64_t after, std::size_t limit) {
  if (auto known = search_of(id); !known) return fail(std::move(known).error());
  auto found = parts_.store.read([&](store::Database& database) {
    return store::list_candidates(database, id, after, limit + 1);
  });
  if (!found) return fail(std::move(found).error());
  Page<Candidate> page;
  page.items = std::move(*found);
  // References come first and belong to the first page; pages end at a trial.
  if (page.items.size() > limit && page.items[limit].trial) {
    while (page.items.size() > limit) page.items.pop_back();
    page.next_cursor = fmt::format("{}", page.items.back().trial.value_or(-1));
  }
  return page;
}

}  // namespace crucible::server
