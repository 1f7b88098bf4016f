#include "server/pipeline/work.hpp"

#include <fmt/format.h>

#include <utility>

#include "server/store/evaluations.hpp"

namespace crucible::server::pipeline {
namespace {

constexpr std::size_t kNameDigits = 8;                    // of a digest, in a name
constexpr std::uint64_t kEvaluationBytes = 256ULL << 20;  // beside the weights

Result<store::StoredJob> inserted(store::Database& database, const store::NewJob& job, TimeMs at) {
  auto id = store::insert_job(database, job, at);
  if (!id) return fail(std::move(id).error());
  return store::get_job(database, *id);
}

store::JobMove to_succeeded(const Job& job, TimeMs at) {
  store::JobMove move;
  move.id = job.id;
  move.from = job.state;
  move.to = JobState::kSucceeded;
  move.attempt = job.attempt;
  move.at = at;
  return move;
}

Status apply(store::Database& database, const store::JobMove& move) {
  auto moved = store::move_job(database, move);
  if (!moved) return fail(std::move(moved).error());
  if (!*moved) return fail(ErrorCode::kInternal, "a job changed inside its own transaction");
  return {};
}

Result<JobId> enqueue_evaluation(store::Database& database, const Model& model,
                                 const SuiteToRun& suite, const EvaluationOrigin& origin,
                                 TimeMs at) {
  store::NewJob added;
  added.kind = JobKind::kEvaluation;
  added.name = model.name;
  added.max_attempts = origin.max_attempts;
  // Without a digest the suite's name keeps the key apart from every real one.
  added.work_key =
      evaluation_key(model.digest, suite.digest.empty() ? "name:" + suite.name : suite.digest);
  added.suites = {suite.name};
  added.model_id = model.id;
  added.parent_id = origin.parent_id;
  added.sweep_id = origin.sweep_id;
  added.submitter = origin.submitter;
  added.priority = origin.priority;
  // Weights in float32 and as much again for the context and logits, at least.
  added.need.memory_bytes = model.endpoint ? 0 : model.parameters * 6 + kEvaluationBytes;
  auto stored = inserted(database, added, at);
  if (!stored) return fail(std::move(stored).error());
  auto move = to_succeeded(stored->job, at);
  auto settled = settle_evaluation(database, *stored, move);
  if (!settled) return fail(std::move(settled).error());
  if (*settled) {
    if (auto status = apply(database, move); !status) return fail(std::move(status).error());
  }
  return stored->job.id;
}

}  // namespace

std::string engine_version() { return "crucible " CRUCIBLE_VERSION; }

std::string merge_key(const MergeOrder& order, const store::NewJob& job,
                      const std::vector<store::StoredModel>& inputs,
                      const std::vector<ResolvedAdapter>& adapters) {
  Sha256 hash;
  hash.field("merge").field(engine_version()).field(order.digest().hex());
  hash.field(fmt::format("{}", job.seed)).field(method::name_of(job.compatibility));
  hash.field(job.allow_nonfinite ? "allow_nonfinite" : "");
  for (const store::StoredModel& input : inputs) hash.field(input.model.digest);
  for (const ResolvedAdapter& adapter : adapters) hash.field("adapter").field(adapter.digest);
  return hash.finish().hex();
}

std::string evaluation_key(const std::string& model_digest, const std::string& suite_digest) {
  Sha256 hash;
  hash.field("evaluation").field(engine_version()).field("f32");
  hash.field(model_digest).field(suite_digest);
  return hash.finish().hex();
}

Result<store::NewJob> new_merge_job(ModelCatalog& models, const MergeOrder& order,
                                    const std::string& recipe, const plan::Preflight& preflight,
                                    const MergeChoices& choices) {
  auto inputs = models.resolve(order);
  if (!inputs) return fail(std::move(inputs).error());
  store::NewJob job;
  job.kind = JobKind::kMerge;
  job.max_attempts = choices.max_attempts;
  job.merge_method = order.method();
  job.recipe = recipe;
  job.recipe_digest = order.digest().hex();
  job.seed = choices.seed;
  job.compatibility = choices.compatibility;
  job.allow_nonfinite = choices.allow_nonfinite;
  job.submitter = choices.submitter;
  job.priority = choices.priority;
  job.need = {preflight.memory_bytes, preflight.output_bytes};
  job.work_key = merge_key(order, job, inputs->models, inputs->adapters);
  job.name = fmt::format("{}-{}", job.merge_method, job.recipe_digest.substr(0, kNameDigits));
  job.inputs = std::move(inputs->inputs);
  return job;
}

EvaluationOrigin origin_of(const Job& merge) {
  return {merge.id, merge.sweep_id, merge.max_attempts, merge.submitter, merge.priority};
}

std::vector<SuiteToRun> suites_to_run(SuiteCatalog& catalog,
                                      const std::vector<std::string>& names) {
  std::vector<SuiteToRun> suites;
  for (const std::string& name : names) {
    auto entry = catalog.find(name);
    suites.push_back({name, entry ? entry->info.digest : ""});
  }
  return suites;
}

Result<std::vector<JobId>> enqueue_evaluations(store::Database& database, const Model& model,
                                               const std::vector<SuiteToRun>& suites,
                                               const EvaluationOrigin& origin, TimeMs at) {
  std::vector<JobId> ids;
  for (const SuiteToRun& suite : suites) {
    auto id = enqueue_evaluation(database, model, suite, origin, at);
    if (!id) return fail(std::move(id).error());
    ids.push_back(*id);
  }
  return ids;
}

Result<JobId> enqueue_merge(store::Database& database, const store::NewJob& job,
                            const std::vector<SuiteToRun>& suites, TimeMs at) {
  auto stored = inserted(database, job, at);
  if (!stored) return fail(std::move(stored).error());
  auto move = to_succeeded(stored->job, at);
  auto settled = settle_merge(database, *stored, suites, move);
  if (!settled) return fail(std::move(settled).error());
  if (*settled) {
    if (auto status = apply(database, move); !status) return fail(std::move(status).error());
  }
  return stored->job.id;
}

Result<bool> settle_merge(store::Database& database, const store::StoredJob& job,
                          const std::vector<SuiteToRun>& suites, store::JobMove& move) {
  auto known = store::merge_result(database, job.work_key);
  if (!known) return fail(std::move(known).error());
  if (!*known) return false;
  auto model = store::get_model(database, **known);
  if (!model) return fail(std::move(model).error());
  std::error_code error;
  if (model->model.removed_at || !std::filesystem::is_directory(model->model.path, error)) {
    return false;  // run it again
  }
  move.model_id = model->model.id;
  move.message = fmt::format("this merge was done before: model {} \"{}\"", model->model.id,
                             model->model.name);
  auto children = enqueue_evaluations(database, model->model, suites, origin_of(job.job), move.at);
  if (!children) return fail(std::move(children).error());
  return true;
}

Result<bool> settle_evaluation(store::Database& database, const store::StoredJob& job,
                               store::JobMove& move) {
  auto known = store::evaluation_by_work(database, job.work_key);
  if (!known) return fail(std::move(known).error());
  if (!*known) return false;
  move.message = fmt::format("scored before: evaluation {}", **known);
  return true;
}

}  // namespace crucible::server::pipeline
