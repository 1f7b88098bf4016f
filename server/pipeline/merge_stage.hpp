#pragma once

#include <filesystem>

#include "server/pipeline/model_catalog.hpp"
#include "server/pipeline/spec.hpp"
#include "server/pipeline/stage.hpp"
#include "server/pipeline/state_folder.hpp"
#include "server/pipeline/suite_catalog.hpp"

namespace crucible::server::pipeline {

// What workers may use.
struct WorkerLimits {
  unsigned threads = 0;                          // 0 = one per hardware thread
  std::uint64_t memory_bytes = 512ULL << 20;     // tensor buffers of a merge
  std::uint64_t shard_bytes = 5'000'000'000ULL;  // of a merged model's files
  std::vector<std::filesystem::path> datasets;   // folders of data sets
  std::filesystem::path evaluation_cache;        // kept answers of models; "" = none
};

// Merge jobs: recipe → models/<digest>/ → model row, parents, evaluation jobs.
class MergeStage : public Stage {
 public:
  MergeStage(store::Store& store, queue::JobQueue& queue, const StateFolder& state,
             ModelCatalog& models, SuiteCatalog& suites, const WorkerLimits& limits)
      : store_(store),
        queue_(queue),
        state_(state),
        models_(models),
        suites_(suites),
        limits_(limits) {}

  Result<bool> settle(queue::Lease& lease) override;
  Result<nlohmann::json> prepare(const queue::Lease& lease) override;
  Status finish(queue::Lease& lease, const nlohmann::json& result) override;
  void discard(const queue::Lease& lease) override;

 private:
  using Models = std::vector<std::pair<store::JobInput, store::StoredModel>>;
  // Where the recipe's adapters lie; kInvalidArgument when they changed since the job came, which
  // its key shows.
  Result<std::vector<ResolvedAdapter>> unchanged_adapters(const queue::Lease& lease,
                                                          const Models& inputs);
  // The folder of this content, published from staging unless it is there already and intact.
  Result<std::filesystem::path> publish(const queue::Lease& lease, const MergeResult& result);
  Status record(store::Database& database, const queue::Lease& lease, const MergeResult& result,
                const std::filesystem::path& folder, const std::string& fingerprint,
                store::JobMove& move);
  Result<store::NewModel> model_row(store::Database& database, const queue::Lease& lease,
                                    const MergeResult& result);
  std::filesystem::path staged(const queue::Lease& lease) const;

  store::Store& store_;
  queue::JobQueue& queue_;
  const StateFolder& state_;
  ModelCatalog& models_;
  SuiteCatalog& suites_;
  WorkerLimits limits_;
};

// Removes a folder tree below `root`; refuses anything else. Errors are logged, not returned: the
// start-up sweep tries again.
void remove_below(const std::filesystem::path& root, const std::filesystem::path& folder);

}  // namespace crucible::server::pipeline
