#include "server/pipeline/evaluation_stage.hpp"

#include <fmt/format.h>

#include <utility>

#include "merger/base/io.hpp"
#include "server/pipeline/artefact.hpp"
#include "server/pipeline/work.hpp"
#include "server/store/evaluations.hpp"

namespace crucible::server::pipeline {

std::filesystem::path EvaluationStage::staged(const queue::Lease& lease) const {
  return state_.staging(lease.id(), lease.attempt()) / "report";
}

Result<store::StoredModel> EvaluationStage::model_of(const queue::Lease& lease) {
  return store_.read([&](store::Database& database) {
    return store::get_model(database, lease.job.job.model_id.value_or(0));
  });
}

Result<bool> EvaluationStage::settle(queue::Lease& lease) {
  auto known = store_.read([&](store::Database& database) {
    return store::evaluation_by_work(database, lease.job.work_key);
  });
  if (!known) return fail(std::move(known).error());
  if (!*known) return false;
  auto status =
      queue_.succeed(lease, [&](store::Database& database, store::JobMove& move) -> Status {
        auto done = settle_evaluation(database, lease.job, move);
        if (!done) return fail(std::move(done).error());
        return {};
      });
  if (!status) return fail(std::move(status).error());
  return true;
}

Result<nlohmann::json> EvaluationStage::prepare(const queue::Lease& lease) {
  auto model = model_of(lease);
  if (!model) return fail(std::move(model).error());
  if (auto status = models_.check_unchanged(*model); !status) {
    return fail(ErrorCode::kInvalidArgument, std::move(status).error().message);
  }
  auto suite = suites_.find(lease.job.job.suites.front());
  if (!suite) return fail(std::move(suite).error());
  const auto staging = state_.staging(lease.id(), lease.attempt());
  remove_below(state_.staging(), staging);
  if (auto status = io::make_folder(staging); !status) return fail(std::move(status).error());
  EvaluationSpec spec;
  spec.model_folder = model->model.path;
  spec.model_name = model->model.name;
  spec.model_digest = model->model.digest;
  if (auto status = name_sources(*suite, model->model, spec); !status) {
    return fail(std::move(status).error());
  }
  spec.suite_file = suite->file.string();
  for (const auto& folder : limits_.datasets) spec.datasets.push_back(folder.string());
  // A folder a model: what reads one model's files may not touch what is kept of others.
  if (!limits_.evaluation_cache.empty()) {
    spec.cache = (limits_.evaluation_cache / spec.model_digest).string();
  }
  spec.threads = limits_.threads;
  spec.out = staged(lease).string();
  return to_json(spec);
}

// Endpoints keep their answers below the cache, so that none is paid twice.
Status EvaluationStage::name_sources(const SuiteEntry& suite, const Model& model,
                                     EvaluationSpec& spec) const {
  const auto cached = [&](endpoint::EndpointOptions options) {
    if (!limits_.evaluation_cache.empty()) {
      options.cache = limits_.evaluation_cache / "endpoints" / identity_of(options).hex();
    }
    return options;
  };
  if (model.endpoint) {
    auto options = models_.endpoint_of(model);
    if (!options) return fail(std::move(options).error());
    spec.endpoint = to_json(cached(std::move(*options)));
  }
  if (suite.info.judge.empty()) return {};
  const JudgeSpec* known = suites_.judge(suite.info.judge);
  if (known == nullptr) return fail(ErrorCode::kNotFound, "no judge " + suite.info.judge);
  JudgeSpec judge = *known;
  judge.endpoint = cached(std::move(judge.endpoint));
  spec.judge = to_json(judge);
  return {};
}

// The same key means the same scores, so a folder that a stopped daemon published is as good as
// ours where its files are those of the result; ours is taken if it is still there.
Status EvaluationStage::publish(const queue::Lease& lease, const std::filesystem::path& target) {
  std::error_code error;
  if (!std::filesystem::is_directory(staged(lease), error)) {
    if (std::filesystem::is_directory(target, error)) return sync_published(target);
    return fail(ErrorCode::kUnavailable, "the report is gone from staging; it is made again");
  }
  remove_below(state_.evaluations(), target);
  return io::publish_folder(staged(lease), target);
}

Status EvaluationStage::finish(queue::Lease& lease, const nlohmann::json& json) {
  auto result = evaluation_result_from(json);
  if (!result) return fail(std::move(result).error());
  auto model = model_of(lease);
  if (!model) return fail(std::move(model).error());
  store::NewEvaluation added;
  added.work_key = evaluation_key(model->model.digest, result->suite_digest);
  added.model_digest = model->model.digest;
  auto known = store_.read([&](store::Database& database) {
    return store::evaluation_by_work(database, added.work_key);
  });
  if (!known) return fail(std::move(known).error());
  const auto folder = state_.evaluations() / added.work_key;
  if (!*known) {
    if (auto status = publish(lease, folder); !status) return status;
  }
  const std::string own_name = "evaluations/" + added.work_key;
  auto files = hash_files(folder, own_name);
  if (!files) return fail(std::move(files).error());
  if (!*known) {
    if (auto status = check_told(json, *files); !status) {
      remove_below(state_.evaluations(), folder);
      return status;
    }
  }
  added.samples_path = (folder / "samples.jsonl").string();
  Evaluation& evaluation = added.evaluation;
  evaluation.model = {model->model.id, model->model.name};
  evaluation.suite = result->suite;
  evaluation.suite_digest = result->suite_digest;
  evaluation.engine = result->engine;
  evaluation.dtype = result->dtype;
  evaluation.score = result->score;
  evaluation.standard_error = result->standard_error;
  evaluation.items = result->items;
  evaluation.seconds = result->seconds;
  evaluation.job_id = lease.id();
  evaluation.tasks = std::move(result->tasks);
  evaluation.interval = std::move(result->interval);
  evaluation.columns = std::move(result->columns);
  evaluation.groups = std::move(result->groups);
  evaluation.flags = std::move(result->flags);
  evaluation.prompt_tokens_asked = result->prompt_tokens_asked;
  evaluation.prompt_tokens_computed = result->prompt_tokens_computed;
  auto status =
      queue_.succeed(lease, [&](store::Database& database, store::JobMove& move) -> Status {
        added.evaluation.created_at = move.at;
        auto id = store::keep_evaluation(database, added);
        if (!id) return fail(std::move(id).error());
        if (auto kept = store::keep_artefact(database, own_name, *files); !kept) return kept;
        move.message = fmt::format("evaluation {}: {} {:.4f}", *id, result->suite, result->score);
        return {};
      });
  if (status) discard(lease);
  return status;
}

void EvaluationStage::discard(const queue::Lease& lease) {
  remove_below(state_.staging(), state_.staging(lease.id(), lease.attempt()));
}

}  // namespace crucible::server::pipeline
