#include "server/trial/trial.hpp"

#include <utility>

#include "merger/plan/merged_model.hpp"

namespace crucible::server::trial {

Result<TrialModel> load_recipe(const recipe::Recipe& recipe, const plan::ModelResolver& resolver,
                               const TrialOptions& options, TrialMemory& memory) {
  auto merged = plan::MergedModel::open(recipe, resolver, options.merge, memory.tensors());
  if (!merged) return fail(std::move(merged.error()));
  auto model = engine::load_llama_model(**merged, options.engine,
                                        {&memory.weights(), options.progress, options.stop});
  if (!model) return fail(std::move(model.error()));
  return TrialModel{std::move(*model), (*merged)->identity(), (*merged)->warnings()};
}

Result<std::vector<run::EvaluationReport>> evaluate_recipe_in_memory(
    const recipe::Recipe& recipe, const plan::ModelResolver& resolver,
    std::span<const task::Suite> suites, const TrialOptions& options,
    const run::EvaluationOptions& evaluation, TrialMemory& memory) {
  auto trial = load_recipe(recipe, resolver, options, memory);
  if (!trial) return fail(std::move(trial.error()));
  std::vector<run::EvaluationReport> reports;
  for (const task::Suite& suite : suites) {
    auto report = run::evaluate(*trial->model, suite, evaluation);
    if (!report) return fail(std::move(report.error()).with_context("suite " + suite.name));
    reports.push_back(std::move(*report));
  }
  return reports;
}

}  // namespace crucible::server::trial
