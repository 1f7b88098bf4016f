#pragma once

#include <memory>
#include <span>
#include <stop_token>

#include "server/search/item_plan.hpp"
#include "server/search/scorer.hpp"
#include "server/trial/trial.hpp"

namespace crucible::server::search {

struct ModelScorerOptions {
  plan::MergeOptions merge;
  engine::LlamaOptions engine;
  std::uint64_t cache_bytes = 0;  // of merged tensors that candidates share
  std::stop_token stop;
  // Told of the merge (bytes) and the evaluation (requests) of each candidate, under its name.
  std::function<void(const std::string& candidate, const Progress& progress)> progress;
};

// Merges each candidate into the engine's memory and asks it. One model is held at a time: a
// candidate that comes again is merged again, from cached tensors where they fit. One caller at a
// time.
class ModelScorer final : public Scorer {
 public:
  // `items` and what `resolver` refers to must outlive it.
  ModelScorer(const ItemPlan& items, plan::ModelResolver resolver, ModelScorerOptions options)
      : items_(items),
        resolver_(std::move(resolver)),
        options_(std::move(options)),
        memory_(options_.cache_bytes) {}

  Result<Scores> score(const Candidate& candidate,
                       std::span<const race::ItemPlace> places) override;

 private:
  Status hold(const Candidate& candidate);
  Result<trial::TrialModel> load(const Candidate& candidate);

  const ItemPlan& items_;
  plan::ModelResolver resolver_;
  ModelScorerOptions options_;
  trial::TrialMemory memory_;
  std::string held_;  // whose model it is
  std::unique_ptr<engine::LanguageModel> model_;
};

}  // namespace crucible::server::search
