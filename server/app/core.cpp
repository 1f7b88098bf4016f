#include "server/app/core.hpp"

#include <utility>

#include "evaluator/task/folder_datasets.hpp"

namespace crucible::server::app {
namespace {

const Clock& system_clock() {
  static const SystemClock clock;  // stateless
  return clock;
}

std::vector<std::filesystem::path> datasets_of(const config::Options& options) {
  return options.datasets.empty() ? task::FolderDatasets::default_roots() : options.datasets;
}

pipeline::WorkerLimits limits_of(const config::Options& options) {
  std::filesystem::path cache = options.evaluation_cache;
  if (cache.empty()) cache = options.state / "cache" / "evaluations";
  if (options.evaluation_cache == "none") cache.clear();
  return {options.threads, options.memory_bytes, options.shard_bytes, datasets_of(options), cache};
}

std::vector<pipeline::JudgeSpec> judges_of(const pipeline::ModelSources& sources) {
  std::vector<pipeline::JudgeSpec> judges;
  for (const auto& [name, source] : sources.judges) {
    judges.push_back({name, source, {}});
    const auto found = sources.endpoints.find(source.endpoint);
    if (found != sources.endpoints.end()) judges.back().endpoint = found->second;
  }
  return judges;
}

queue::RetryPolicy policy_of(const config::Options& options) {
  queue::RetryPolicy policy;
  policy.max_attempts = options.max_attempts;
  policy.first_delay = options.retry_delay_ms;
  return policy;
}

worker::PoolOptions pool_of(const config::Options& options, worker::PoolOptions pool) {
  pool.most = {{JobKind::kMerge, options.max_merges},
               {JobKind::kEvaluation, options.max_evaluations}};
  pool.grace = std::chrono::milliseconds(options.stop_grace_ms);
  return pool;
}

}  // namespace

Core::Core(pipeline::StateFolder state, std::unique_ptr<store::Store> store,
           pipeline::ModelCatalog models, std::vector<pipeline::JudgeSpec> judges,
           const config::Options& options, worker::PoolOptions pool)
    : state_(std::move(state)),
      store_(std::move(store)),
      queue_(*store_, system_clock(), random_, policy_of(options), &metrics_),
      models_(std::move(models)),
      suites_(options.suites, datasets_of(options), std::move(judges)),
      merge_stage_(*store_, queue_, state_, models_, suites_, limits_of(options)),
      evaluation_stage_(*store_, queue_, state_, models_, suites_, limits_of(options)),
      workers_(*store_, queue_, system_clock(), state_,
               {{JobKind::kMerge, &merge_stage_}, {JobKind::kEvaluation, &evaluation_stage_}},
               pool_of(options, std::move(pool))),
      service_({*store_, queue_, workers_, models_, suites_, state_, metrics_, system_clock(),
                limits_of(options), options.max_attempts}) {}

Core::~Core() { stop(); }

void Core::stop() { workers_.stop(); }

Result<std::unique_ptr<Core>> Core::start(const config::Options& options,
                                          worker::PoolOptions pool) {
  auto state = pipeline::StateFolder::open(options.state);
  if (!state) return fail(std::move(state).error());
  auto store = store::Store::open(state->database());
  if (!store) return fail(std::move(store).error());
  auto sources = pipeline::read_model_sources(options.endpoints);
  if (!sources) return fail(std::move(sources).error());
  auto judges = judges_of(*sources);
  auto models = pipeline::ModelCatalog::open(**store, system_clock(), options.allow_roots,
                                             options.threads, std::move(sources->endpoints));
  if (!models) return fail(std::move(models).error());
  std::unique_ptr<Core> core(new Core(std::move(*state), std::move(*store), std::move(*models),
                                      std::move(judges), options, std::move(pool)));
  if (auto status = core->workers_.start(); !status) return fail(std::move(status).error());
  return core;
}

}  // namespace crucible::server::app
