#pragma once

#include "server/pipeline/merge_stage.hpp"
#include "server/pipeline/stage.hpp"
#include "server/pipeline/work.hpp"

namespace crucible::server::pipeline {

// What one search's worker is given.
struct SweepSpec {
  std::string document;
  std::map<std::string, std::string> folders;  // model reference → folder
  std::vector<std::string> suite_files;        // of the document's suites, in their order
  std::vector<std::string> datasets;
  std::vector<nlohmann::json> events;  // kept ones: see search::kept_from
  unsigned threads = 0;
  std::uint64_t memory_bytes = 0;  // tensor buffers of a merge
  std::uint64_t cache_bytes = 0;   // merged tensors that candidates share
};
nlohmann::json to_json(const SweepSpec& spec);  // "kind": "sweep"
Result<SweepSpec> sweep_spec_from(const nlohmann::json& json);

// Jobs of searches: a sampler's merges raced in one worker's memory; every answer is kept as it
// comes; the winner, or all that finished, becomes a merge job with its evaluations.
class SweepStage : public Stage {
 public:
  SweepStage(store::Store& store, queue::JobQueue& queue, const StateFolder& state,
             ModelCatalog& models, SuiteCatalog& suites, const WorkerLimits& limits,
             std::int64_t max_attempts)
      : store_(store),
        queue_(queue),
        state_(state),
        models_(models),
        suites_(suites),
        limits_(limits),
        max_attempts_(max_attempts) {}

  Result<bool> settle(queue::Lease&) override { return false; }
  Result<nlohmann::json> prepare(const queue::Lease& lease) override;
  Status note(const queue::Lease& lease, std::span<const nlohmann::json> events) override;
  Status finish(queue::Lease& lease, const nlohmann::json& result) override;
  void discard(const queue::Lease&) override {}

 private:
  struct Wanted {
    store::NewJob job;
    std::vector<SuiteToRun> suites;
  };
  // The merge of a recipe that the search tried.
  Result<Wanted> merge_of(const queue::Lease& lease, const std::string& name,
                          const std::string& recipe);
  Result<std::vector<Wanted>> merges_to_keep(const queue::Lease& lease,
                                             const nlohmann::json& result);

  store::Store& store_;
  queue::JobQueue& queue_;
  const StateFolder& state_;
  ModelCatalog& models_;
  SuiteCatalog& suites_;
  WorkerLimits limits_;
  std::int64_t max_attempts_;
};

}  // namespace crucible::server::pipeline
