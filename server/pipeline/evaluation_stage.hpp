#pragma once

#include "server/pipeline/merge_stage.hpp"
#include "server/pipeline/spec.hpp"
#include "server/pipeline/stage.hpp"

namespace crucible::server::pipeline {

// Evaluation jobs: model and suite → evaluations/<key>/ → evaluation row with task and metric
// scores.
class EvaluationStage : public Stage {
 public:
  EvaluationStage(store::Store& store, queue::JobQueue& queue, const StateFolder& state,
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
  Result<store::StoredModel> model_of(const queue::Lease& lease);
  Status name_sources(const SuiteEntry& suite, const Model& model, EvaluationSpec& spec) const;
  Status publish(const queue::Lease& lease, const std::filesystem::path& target);
  std::filesystem::path staged(const queue::Lease& lease) const;

  store::Store& store_;
  queue::JobQueue& queue_;
  const StateFolder& state_;
  ModelCatalog& models_;
  SuiteCatalog& suites_;
  WorkerLimits limits_;
};

}  // namespace crucible::server::pipeline
