#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "merger/base/byte_count.hpp"
#include "server/pipeline/work.hpp"
#include "server/service/daemon_service.hpp"

// The requests that make work.
namespace crucible::server {
namespace {

constexpr std::size_t kNameDigits = 8;  // of a digest, in a name made for the client
constexpr std::size_t kLongestKey = 255;

std::string digest_of(const SubmitMerge& request) {
  Sha256 hash;
  hash.field("merge").field(request.recipe).field(request.name);
  hash.field(fmt::format("{}", request.seed)).field(store::suites_text(request.suites));
  hash.field(method::name_of(request.compatibility)).field(request.allow_nonfinite ? "1" : "0");
  return hash.finish().hex();
}

std::string digest_of(const SubmitEvaluation& request) {
  Sha256 hash;
  hash.field("evaluation").field(request.model).field(store::suites_text(request.suites));
  return hash.finish().hex();
}

std::string digest_of(const SubmitSweep& request) {
  Sha256 hash;
  hash.field("sweep").field(request.recipe).field(request.parameter).field(request.name);
  hash.field(fmt::format("{}", request.seed)).field(store::suites_text(request.suites));
  hash.field(method::name_of(request.compatibility)).field(request.allow_nonfinite ? "1" : "0");
  for (const double value : request.values) hash.field(sweep::value_text(value));
  return hash.finish().hex();
}

Status check_key(const std::string& key) {
  if (key.size() <= kLongestKey) return {};
  Error error{ErrorCode::kInvalidArgument, "the idempotency key is too long", {}};
  error.faults.push_back(
      {"idempotency_key", fmt::format("must be at most {} bytes", kLongestKey), ""});
  return fail(std::move(error));
}

// Both errors' faults when both are faults of the input, else the first.
Error joined(Error first, const Status& second) {
  if (second || first.code != ErrorCode::kInvalidArgument ||
      second.error().code != ErrorCode::kInvalidArgument) {
    return first;
  }
  first.message += "; " + second.error().message;
  std::ranges::copy(second.error().faults, std::back_inserter(first.faults));
  return first;
}

template <typename T>
Status status_of(const Result<T>& result) {
  if (result) return {};
  return fail(result.error());
}

// An endpoint without log-probabilities of prompts would score chance.
Status check_answerable(const Model& model, const std::vector<pipeline::SuiteEntry>& suites) {
  Error error{
      ErrorCode::kUnsupported, fmt::format("model {} cannot answer these suites", model.name), {}};
  for (std::size_t i = 0; i < suites.size() && model.endpoint; ++i) {
    if (!suites[i].info.needs_logprobs || model.endpoint->prompt_logprobs) continue;
    error.faults.push_back(
        {fmt::format("suites[{}]", i),
         fmt::format("\"{}\" is scored by log-likelihoods, and the endpoint gives no "
                     "log-probabilities of prompts",
                     suites[i].info.name),
         "serve the model by vLLM or `crucible eval-server`, or choose suites of generated "
         "answers"});
  }
  if (error.faults.empty()) return {};
  return fail(std::move(error));
}

std::vector<pipeline::SuiteToRun> to_run(const std::vector<pipeline::SuiteEntry>& entries) {
  std::vector<pipeline::SuiteToRun> suites;
  for (const auto& entry : entries) suites.push_back({entry.info.name, entry.info.digest});
  return suites;
}

}  // namespace

Result<DaemonService::CheckedRecipe> DaemonService::check_recipe(
    pipeline::MergeOrder order, method::Compatibility compatibility) {
  auto folders = parts_.models.locate_all(order);
  if (!folders) return fail(std::move(folders).error());
  const plan::ModelResolver resolver =
      [&](const recipe::ModelReference& reference) -> Result<std::filesystem::path> {
    const auto found = folders->find(reference.text());
    if (found != folders->end()) return found->second;
    return fail(ErrorCode::kNotFound, fmt::format("no model {}", reference.text()));
  };
  plan::MergeOptions options;
  options.compatibility = compatibility;
  options.threads = parts_.limits.threads;
  options.memory_bytes = parts_.limits.memory_bytes;
  options.shard_bytes = parts_.limits.shard_bytes;
  auto preflight = order.preflight(resolver, options, parts_.state.models());
  if (!preflight) return fail(std::move(preflight).error());
  const std::uint64_t floor = parts_.workers.capacity().disk_floor;
  if (preflight->free_disk_bytes < floor + preflight->output_bytes) {
    return fail(ErrorCode::kNoSpace,
                fmt::format("the result takes {} and {} of disk stay free, but {} are free; "
                            "`crucible gc` says what can go",
                            format_byte_count(preflight->output_bytes), format_byte_count(floor),
                            format_byte_count(preflight->free_disk_bytes)));
  }
  return CheckedRecipe{std::move(order), std::move(*preflight)};
}

Result<DaemonService::CheckedRecipe> DaemonService::check_merge(const SubmitMerge& request) {
  if (auto status = pipeline::check_name(request.name); !status) {
    return fail(std::move(status).error());
  }
  const Status suites = status_of(parts_.suites.find_all(request.suites));
  auto order = pipeline::MergeOrder::read(request.recipe);
  if (!order) return fail(joined(std::move(order).error(), suites));
  auto checked = check_recipe(std::move(*order), request.compatibility);
  if (!checked) return fail(joined(std::move(checked).error(), suites));
  if (!suites) return fail(suites.error());
  return checked;
}

Result<plan::Preflight> DaemonService::preflight(const SubmitMerge& request) {
  auto checked = check_merge(request);
  if (!checked) return fail(std::move(checked).error());
  return std::move(checked->preflight);
}

template <typename Request>
Result<store::NewJob> DaemonService::merge_job(const pipeline::MergeOrder& order,
                                               const plan::Preflight& preflight,
                                               const std::string& text, const Request& request) {
  return pipeline::new_merge_job(
      parts_.models, order, text, preflight,
      {request.seed, request.compatibility, request.allow_nonfinite, request.submission.submitter,
       request.submission.priority, parts_.max_attempts});
}

Result<std::optional<std::vector<std::int64_t>>> DaemonService::recall(const std::string& key,
                                                                       const std::string& digest) {
  if (auto status = check_key(key); !status) return fail(std::move(status).error());
  return parts_.store.read(
      [&](store::Database& database) { return store::recall_idempotency(database, key, digest); });
}

Result<std::vector<Job>> DaemonService::get_jobs(const std::vector<std::int64_t>& ids) {
  return parts_.store.read([&](store::Database& database) -> Result<std::vector<Job>> {
    std::vector<Job> jobs;
    for (const JobId id : ids) {
      auto job = store::get_job(database, id);
      if (!job) return fail(std::move(job).error());
      jobs.push_back(std::move(job->job));
    }
    return jobs;
  });
}

Result<Job> DaemonService::submit_merge(const SubmitMerge& request) {
  const std::string digest = digest_of(request);
  auto known = recall(request.idempotency_key, digest);
  if (!known) return fail(std::move(known).error());
  if (*known) return job((*known)->front());
  auto checked = check_merge(request);
  if (!checked) return fail(std::move(checked).error());
  auto added = merge_job(checked->order, checked->preflight, request.recipe, request);
  if (!added) return fail(std::move(added).error());
  added->suites = request.suites;
  if (!request.name.empty()) added->name = request.name;
  const auto suites = pipeline::suites_to_run(parts_.suites, request.suites);
  auto id = parts_.store.write([&](store::Database& database) -> Result<JobId> {
    auto raced = store::recall_idempotency(database, request.idempotency_key, digest);
    if (!raced) return fail(std::move(raced).error());
    if (*raced) return (*raced)->front();
    auto queued = pipeline::enqueue_merge(database, *added, suites, parts_.clock.now());
    if (!queued) return queued;
    auto kept = store::keep_idempotency(
        database, {request.idempotency_key, digest, "job", {*queued}}, parts_.clock.now());
    if (!kept) return fail(std::move(kept).error());
    return queued;
  });
  if (!id) return fail(std::move(id).error());
  parts_.workers.wake();
  return job(*id);
}

Result<std::vector<Job>> DaemonService::submit_evaluation(const SubmitEvaluation& request) {
  using Ids = std::vector<std::int64_t>;
  const std::string digest = digest_of(request);
  auto known = recall(request.idempotency_key, digest);
  if (!known) return fail(std::move(known).error());
  if (*known) return get_jobs(**known);
  if (request.suites.empty()) {
    Error error{ErrorCode::kInvalidArgument, "there is nothing to evaluate", {}};
    error.faults.push_back({"suites", "must name at least one suite", ""});
    return fail(std::move(error));
  }
  auto scored = model(request.model);
  if (!scored) return fail(std::move(scored).error());
  if (scored->removed_at) {
    return fail(
        ErrorCode::kConflict,
        fmt::format("the files of {} were removed; submit its recipe again to have them made",
                    scored->name));
  }
  auto suites = parts_.suites.find_all(request.suites);
  if (!suites) return fail(std::move(suites).error());
  if (auto status = check_answerable(*scored, *suites); !status) {
    return fail(std::move(status).error());
  }
  auto ids = parts_.store.write([&](store::Database& database) -> Result<Ids> {
    auto raced = store::recall_idempotency(database, request.idempotency_key, digest);
    if (!raced) return fail(std::move(raced).error());
    if (*raced) return std::move(**raced);
    auto queued =
        pipeline::enqueue_evaluations(database, *scored, to_run(*suites),
                                      {std::nullopt, std::nullopt, parts_.max_attempts,
                                       request.submission.submitter, request.submission.priority},
                                      parts_.clock.now());
    if (!queued) return queued;
    auto kept = store::keep_idempotency(
        database, {request.idempotency_key, digest, "evaluation_jobs", *queued},
        parts_.clock.now());
    if (!kept) return fail(std::move(kept).error());
    return queued;
  });
  if (!ids) return fail(std::move(ids).error());
  parts_.workers.wake();
  return get_jobs(*ids);
}

Result<Sweep> DaemonService::submit_sweep(const SubmitSweep& request) {
  const std::string digest = digest_of(request);
  auto known = recall(request.idempotency_key, digest);
  if (!known) return fail(std::move(known).error());
  if (*known) return sweep((*known)->front());
  if (auto status = pipeline::check_name(request.name); !status) {
    return fail(std::move(status).error());
  }
  auto suites = parts_.suites.find_all(request.suites);
  const std::string name =
      request.name.empty() ? fmt::format("sweep-{}", digest.substr(0, kNameDigits)) : request.name;
  auto trials = sweep::plan_trials(request.recipe, request.parameter, request.values, name);
  if (!trials) return fail(joined(std::move(trials).error(), status_of(suites)));
  if (!suites) return fail(std::move(suites).error());
  std::vector<store::NewJob> added;
  for (const sweep::PlannedTrial& trial : *trials) {
    const pipeline::MergeOrder order(trial.recipe);
    auto checked = check_recipe(order, request.compatibility);
    if (!checked) return fail(std::move(checked).error().with_context(trial.name));
    auto job = merge_job(order, checked->preflight, trial.recipe_text, request);
    if (!job) return fail(std::move(job).error());
    job->name = trial.name;
    job->suites = request.suites;
    added.push_back(std::move(*job));
  }
  const auto run = to_run(*suites);
  auto id = parts_.store.write([&](store::Database& database) -> Result<SweepId> {
    auto raced = store::recall_idempotency(database, request.idempotency_key, digest);
    if (!raced) return fail(std::move(raced).error());
    if (*raced) return (*raced)->front();
    const TimeMs now = parts_.clock.now();
    auto made = store::insert_sweep(database,
                                    {name, request.parameter, request.recipe, request.suites,
                                     request.seed, request.submission.submitter},
                                    now);
    if (!made) return made;
    for (std::size_t i = 0; i < added.size(); ++i) {
      added[i].sweep_id = *made;
      auto queued = pipeline::enqueue_merge(database, added[i], run, now);
      if (!queued) return fail(std::move(queued).error());
      auto trial = store::insert_trial(database, *made, i, (*trials)[i].value, *queued);
      if (!trial) return fail(std::move(trial).error());
    }
    auto kept =
        store::keep_idempotency(database, {request.idempotency_key, digest, "sweep", {*made}}, now);
    if (!kept) return fail(std::move(kept).error());
    return made;
  });
  if (!id) return fail(std::move(id).error());
  parts_.workers.wake();
  return sweep(*id);
}

}  // namespace crucible::server
