#include "server/pipeline/sweep_stage.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "server/pipeline/work.hpp"
#include "server/search/summary.hpp"
#include "server/store/searches.hpp"
#include "server/store/sweeps.hpp"

namespace crucible::server::pipeline {
namespace {

using nlohmann::json;

constexpr std::uint64_t kCacheBytes = 1ULL << 30;

// Where every model lies that a recipe of the search may mention: those of its ends and default.
Result<std::map<std::string, std::string>> folders_of(ModelCatalog& models,
                                                      const search::Document& document) {
  std::map<std::string, std::string> folders;
  for (const sampler::Point& point : search::probe_points(document)) {
    auto text = search::render(document, point);
    if (!text) return fail(std::move(text).error());
    auto order = MergeOrder::read(*text);
    if (!order) return fail(std::move(order).error());
    auto found = models.locate_all(*order);
    if (!found) return fail(std::move(found).error());
    for (const auto& [reference, folder] : *found) folders[reference] = folder.string();
  }
  return folders;
}

}  // namespace

json to_json(const SweepSpec& spec) {
  return {{"kind", "sweep"},
          {"document", spec.document},
          {"folders", spec.folders},
          {"suite_files", spec.suite_files},
          {"datasets", spec.datasets},
          {"events", spec.events},
          {"threads", spec.threads},
          {"memory_bytes", spec.memory_bytes},
          {"cache_bytes", spec.cache_bytes}};
}

Result<SweepSpec> sweep_spec_from(const json& object) {
  try {
    return SweepSpec{object.at("document"),     object.at("folders"),    object.at("suite_files"),
                     object.at("datasets"),     object.at("events"),     object.at("threads"),
                     object.at("memory_bytes"), object.at("cache_bytes")};
  } catch (const json::exception& exception) {
    return fail(ErrorCode::kCorrupt, std::string("sweep spec: ") + exception.what());
  }
}

Result<json> SweepStage::prepare(const queue::Lease& lease) {
  const SweepId sweep = lease.job.job.sweep_id.value_or(0);
  struct Known {
    std::optional<Search> search;
    std::vector<json> events;
  };
  auto known = store_.read([&](store::Database& database) -> Result<Known> {
    auto search = store::find_search(database, sweep);
    if (!search) return fail(std::move(search).error());
    auto events = store::search_events(database, sweep);
    if (!events) return fail(std::move(events).error());
    return Known{std::move(*search), std::move(*events)};
  });
  if (!known) return fail(std::move(known).error());
  if (!known->search) return fail(ErrorCode::kNotFound, fmt::format("no search {}", sweep));
  auto document = search::read_document(known->search->document);
  if (!document) return fail(std::move(document).error());
  SweepSpec spec;
  spec.document = known->search->document;
  auto folders = folders_of(models_, *document);
  if (!folders) return fail(std::move(folders).error());
  spec.folders = std::move(*folders);
  for (const std::string& name : document->suites) {
    auto suite = suites_.find(name);
    if (!suite) return fail(std::move(suite).error());
    spec.suite_files.push_back(suite->file.string());
  }
  for (const auto& folder : limits_.datasets) spec.datasets.push_back(folder.string());
  spec.events = std::move(known->events);
  spec.threads = limits_.threads;
  spec.memory_bytes = limits_.memory_bytes;
  spec.cache_bytes = kCacheBytes;
  return to_json(spec);
}

Status SweepStage::note(const queue::Lease& lease, std::span<const json> events) {
  return store_.write([&](store::Database& database) {
    return store::keep_search_events(database, lease.job.job.sweep_id.value_or(0), events);
  });
}

Result<SweepStage::Wanted> SweepStage::merge_of(const queue::Lease& lease, const std::string& name,
                                                const std::string& recipe) {
  const Job& job = lease.job.job;
  auto order = MergeOrder::read(recipe);
  if (!order) return fail(std::move(order).error());
  auto folders = models_.locate_all(*order);
  if (!folders) return fail(std::move(folders).error());
  const plan::ModelResolver resolver =
      [&](const recipe::ModelReference& reference) -> Result<std::filesystem::path> {
    const auto found = folders->find(reference.text());
    if (found != folders->end()) return found->second;
    return fail(ErrorCode::kNotFound, fmt::format("no model {}", reference.text()));
  };
  plan::MergeOptions options;
  options.threads = limits_.threads;
  options.memory_bytes = limits_.memory_bytes;
  options.shard_bytes = limits_.shard_bytes;
  auto preflight = order->preflight(resolver, options, state_.models());
  if (!preflight) return fail(std::move(preflight).error());
  MergeChoices choices;
  choices.seed = job.seed;
  choices.submitter = job.submitter;
  choices.priority = job.priority;
  choices.max_attempts = max_attempts_;
  auto made = new_merge_job(models_, *order, recipe, *preflight, choices);
  if (!made) return fail(std::move(made).error());
  made->name = name;
  made->suites = job.suites;
  made->sweep_id = job.sweep_id;
  made->parent_id = job.id;
  return Wanted{std::move(*made), suites_to_run(suites_, job.suites)};
}

Result<std::vector<SweepStage::Wanted>> SweepStage::merges_to_keep(const queue::Lease& lease,
                                                                   const json& result) {
  std::vector<Wanted> wanted;
  for (const json& kept : result.at("keep")) {
    auto merge = merge_of(
        lease, fmt::format("{}-{}", lease.job.job.name, kept.at("name").get<std::string>()),
        kept.at("recipe"));
    if (!merge) return fail(std::move(merge).error());
    wanted.push_back(std::move(*merge));
  }
  return wanted;
}

Status SweepStage::finish(queue::Lease& lease, const json& result) {
  const bool usable = result.is_object() && result.contains("report") && result.contains("keep") &&
                      result["report"].contains("verdict");
  if (!usable) return fail(ErrorCode::kCorrupt, "what the sweep's worker delivered is no report");
  auto wanted = merges_to_keep(lease, result);
  if (!wanted) return fail(std::move(wanted).error());
  return queue_.succeed(lease, [&](store::Database& database, store::JobMove& move) -> Status {
    const SweepId sweep = lease.job.job.sweep_id.value_or(0);
    auto kept = store::keep_search_result(database, sweep, result["report"].dump());
    if (!kept) return kept;
    for (const Wanted& merge : *wanted) {
      auto queued = enqueue_merge(database, merge.job, merge.suites, move.at);
      if (!queued) return fail(std::move(queued).error());
    }
    move.message = result["report"]["verdict"].get<std::string>();
    return {};
  });
}

}  // namespace crucible::server::pipeline
