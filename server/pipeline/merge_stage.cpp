#include "server/pipeline/merge_stage.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "merger/base/io.hpp"
#include "server/pipeline/artefact.hpp"
#include "server/pipeline/work.hpp"

namespace crucible::server::pipeline {
namespace {

Result<std::string> digest_of(const std::filesystem::path& folder, unsigned threads) {
  auto opened = checkpoint::Checkpoint::open(folder);
  if (!opened) return fail(std::move(opened).error());
  auto digest = checkpoint::content_digest(*opened, threads);
  if (!digest) return fail(std::move(digest).error());
  return digest->hex();
}

}  // namespace

void remove_below(const std::filesystem::path& root, const std::filesystem::path& folder) {
  if (folder.parent_path() != root) return;
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (error) spdlog::warn("removing {}: {}", folder.string(), error.message());
}

std::filesystem::path MergeStage::staged(const queue::Lease& lease) const {
  return state_.staging(lease.id(), lease.attempt()) / "model";
}

Result<bool> MergeStage::settle(queue::Lease& lease) {
  const auto suites = suites_to_run(suites_, lease.job.job.suites);
  auto known = store_.read(
      [&](store::Database& database) { return store::merge_result(database, lease.job.work_key); });
  if (!known) return fail(std::move(known).error());
  if (!*known) return false;
  bool settled = false;
  auto status =
      queue_.succeed(lease, [&](store::Database& database, store::JobMove& move) -> Status {
        auto done = settle_merge(database, lease.job, suites, move);
        if (!done) return fail(std::move(done).error());
        settled = *done;
        if (!settled) return fail(ErrorCode::kNotFound, "the known model's files are gone");
        return {};
      });
  if (!status && settled) return fail(std::move(status).error());
  return settled;
}

Result<std::vector<ResolvedAdapter>> MergeStage::unchanged_adapters(const queue::Lease& lease,
                                                                    const Models& inputs) {
  const Job& job = lease.job.job;
  const auto order = MergeOrder::read(job.recipe);
  if (!order) return fail(order.error());
  auto adapters = models_.resolve_adapters(*order);
  if (!adapters || adapters->empty()) return adapters;
  store::NewJob asked;
  asked.seed = job.seed;
  asked.compatibility = job.compatibility;
  asked.allow_nonfinite = job.allow_nonfinite;
  std::vector<store::StoredModel> models;
  for (const auto& [input, model] : inputs) models.push_back(model);
  if (merge_key(*order, asked, models, *adapters) == lease.job.work_key) return adapters;
  return fail(ErrorCode::kInvalidArgument,
              "an adapter's files are not the ones that were there when the job was submitted; "
              "submit it again");
}

Result<nlohmann::json> MergeStage::prepare(const queue::Lease& lease) {
  const Job& job = lease.job.job;
  auto inputs = store_.read([&](store::Database& database) -> Result<Models> {
    auto references = store::job_inputs(database, job.id);
    if (!references) return fail(std::move(references).error());
    Models models;
    for (store::JobInput& input : *references) {
      auto model = store::get_model(database, input.model_id);
      if (!model) return fail(std::move(model).error());
      models.emplace_back(std::move(input), std::move(*model));
    }
    return models;
  });
  if (!inputs) return fail(std::move(inputs).error());
  MergeSpec spec;
  for (const auto& [input, model] : *inputs) {
    if (auto status = models_.check_unchanged(model); !status) {
      // Trying again would not help: someone must restore the files.
      return fail(ErrorCode::kInvalidArgument, std::move(status).error().message);
    }
    spec.folders[input.reference] = model.model.path;
  }
  auto adapters = unchanged_adapters(lease, *inputs);
  if (!adapters) return fail(std::move(adapters).error());
  for (const ResolvedAdapter& adapter : *adapters) {
    spec.folders[adapter.reference] = adapter.folder.string();
  }
  const auto staging = state_.staging(lease.id(), lease.attempt());
  remove_below(state_.staging(), staging);
  if (auto status = io::make_folder(staging); !status) return fail(std::move(status).error());
  spec.recipe = job.recipe;
  spec.seed = job.seed;
  spec.compatibility = job.compatibility;
  spec.allow_nonfinite = job.allow_nonfinite;
  spec.threads = limits_.threads;
  spec.memory_bytes = limits_.memory_bytes;
  spec.shard_bytes = limits_.shard_bytes;
  spec.out = staged(lease).string();
  return to_json(spec);
}

Result<std::filesystem::path> MergeStage::publish(const queue::Lease& lease,
                                                  const MergeResult& result) {
  const auto target = state_.model(result.digest);
  std::error_code error;
  if (std::filesystem::is_directory(target, error)) {
    // Left by a daemon that stopped between rename and commit, or the same content by other means.
    auto digest = digest_of(target, limits_.threads);
    if (digest && *digest == result.digest) {
      if (auto status = sync_published(target); !status) return fail(std::move(status).error());
      return target;
    }
    const auto aside = target.string() + fmt::format(".damaged-{}.{}", lease.id(), lease.attempt());
    spdlog::error("{} is damaged; it is kept as {}", target.string(), aside);
    if (io::system().rename(target.c_str(), aside.c_str()) != 0) {
      return fail(from_errno(errno, target.string()));
    }
  }
  if (!std::filesystem::is_directory(staged(lease), error)) {
    return fail(ErrorCode::kUnavailable, "the merged model is gone from staging; it is made again");
  }
  if (auto status = io::publish_folder(staged(lease), target); !status) {
    return fail(std::move(status).error());
  }
  return target;
}

Result<store::NewModel> MergeStage::model_row(store::Database& database, const queue::Lease& lease,
                                              const MergeResult& result) {
  const Job& job = lease.job.job;
  store::NewModel added;
  auto name = store::free_model_name(database, job.name);
  if (!name) return fail(std::move(name).error());
  added.model.name = std::move(*name);
  added.model.origin = "merged";
  added.model.digest = result.digest;
  added.model.architecture = result.architecture;
  added.model.dtype = result.dtype;
  added.model.parameters = result.parameters;
  added.model.weight_bytes = result.weight_bytes;
  added.model.merge_method = job.merge_method;
  added.model.recipe = job.recipe;
  added.model.job_id = job.id;
  added.model.sweep_id = job.sweep_id;
  auto inputs = store::job_inputs(database, job.id);
  if (!inputs) return fail(std::move(inputs).error());
  for (const store::JobInput& input : *inputs) added.parents.push_back(input.model_id);
  return added;
}

Status MergeStage::record(store::Database& database, const queue::Lease& lease,
                          const MergeResult& result, const std::filesystem::path& folder,
                          const std::string& fingerprint, store::JobMove& move) {
  const Job& job = lease.job.job;
  auto equal = store::find_model_by_digest(database, result.digest);
  if (!equal) return fail(std::move(equal).error());
  ModelId id = 0;
  if (*equal) {
    id = (*equal)->model.id;
    if ((*equal)->model.removed_at) {
      auto status = store::restore_model(database, id, folder.string(), fingerprint);
      if (!status) return status;
    }
    move.message = fmt::format("the result equals model {} \"{}\", which keeps its name", id,
                               (*equal)->model.name);
  } else {
    auto added = model_row(database, lease, result);
    if (!added) return fail(std::move(added).error());
    added->model.path = folder.string();
    added->model.created_at = move.at;
    added->fingerprint = fingerprint;
    auto inserted = store::insert_model(database, *added);
    if (!inserted) return fail(std::move(inserted).error());
    id = *inserted;
    move.message = fmt::format("model {} \"{}\"", id, added->model.name);
    if (added->model.name != job.name) {
      move.message += fmt::format(" (the name \"{}\" was taken)", job.name);
    }
  }
  move.model_id = id;
  for (const std::string& warning : result.warnings) move.message += "; warning: " + warning;
  if (auto status = store::keep_merge_result(database, lease.job.work_key, id); !status)
    return status;
  auto model = store::get_model(database, id);
  if (!model) return fail(std::move(model).error());
  auto children = enqueue_evaluations(database, model->model, suites_to_run(suites_, job.suites),
                                      origin_of(job), move.at);
  if (!children) return fail(std::move(children).error());
  return {};
}

Status MergeStage::finish(queue::Lease& lease, const nlohmann::json& json) {
  auto result = merge_result_from(json);
  if (!result) return fail(std::move(result).error());
  auto known = store_.read([&](store::Database& database) {
    return store::find_model_by_digest(database, result->digest);
  });
  if (!known) return fail(std::move(known).error());
  std::filesystem::path folder;
  std::error_code error;
  if (*known && std::filesystem::is_directory((*known)->model.path, error)) {
    folder = (*known)->model.path;
  } else {
    auto published = publish(lease, *result);
    if (!published) return fail(std::move(published).error());
    folder = std::move(*published);
  }
  auto fingerprint = folder_fingerprint(folder);
  if (!fingerprint) return fail(std::move(fingerprint).error());
  // A registered model of the same content lies elsewhere and is not ours to watch.
  const bool is_own = folder.parent_path() == state_.models();
  const std::string own_name = "models/" + result->digest;
  std::vector<store::ArtefactFile> files;
  if (is_own) {
    auto hashed = hash_files(folder, own_name);
    if (!hashed) return fail(std::move(hashed).error());
    files = std::move(*hashed);
  }
  (void)suites_.list();  // read now, so that the transaction finds them in memory
  auto status = queue_.succeed(lease, [&](store::Database& database, store::JobMove& move) {
    if (is_own) {
      if (auto kept = store::keep_artefact(database, own_name, files); !kept) return kept;
    }
    return record(database, lease, *result, folder, *fingerprint, move);
  });
  if (status) discard(lease);
  return status;
}

void MergeStage::discard(const queue::Lease& lease) {
  remove_below(state_.staging(), state_.staging(lease.id(), lease.attempt()));
}

}  // namespace crucible::server::pipeline
