#pragma once

#include <string>
#include <vector>

#include "server/pipeline/merge_order.hpp"
#include "server/pipeline/model_catalog.hpp"
#include "server/pipeline/suite_catalog.hpp"
#include "server/store/jobs.hpp"
#include "server/store/models.hpp"

// Jobs by the work they stand for. Work has a key made of everything its result depends on; what is
// done under a key is not done again: a job for it succeeds as soon as it is put in. These
// functions run inside the caller's transaction.
namespace crucible::server::pipeline {

// Version of this program's arithmetic: part of every key.
std::string engine_version();

std::string merge_key(const MergeOrder& order, const store::NewJob& job,
                      const std::vector<store::StoredModel>& inputs,
                      const std::vector<ResolvedAdapter>& adapters);
std::string evaluation_key(const std::string& model_digest, const std::string& suite_digest);

// A suite to run, with its digest where it could be read ("" else: the job's worker will say why).
// What decides a merge's bytes and place in the queue beside its recipe.
struct MergeChoices {
  std::uint64_t seed = 0;
  method::Compatibility compatibility = method::Compatibility::kNone;
  bool allow_nonfinite = false;
  std::string submitter;
  std::int64_t priority = 0;
  std::int64_t max_attempts = 5;
};
// The job of a recipe that passed its preflight, named by method and digest; its models are
// registered. Suites and sweep are the caller's to set.
Result<store::NewJob> new_merge_job(ModelCatalog& models, const MergeOrder& order,
                                    const std::string& recipe, const plan::Preflight& preflight,
                                    const MergeChoices& choices);

struct SuiteToRun {
  std::string name;
  std::string digest;
};
std::vector<SuiteToRun> suites_to_run(SuiteCatalog& catalog, const std::vector<std::string>& names);

struct EvaluationOrigin {
  std::optional<JobId> parent_id;
  std::optional<SweepId> sweep_id;
  std::int64_t max_attempts = 5;
  std::string submitter = {};
  std::int64_t priority = 0;
};
// Of the evaluations that a merge asked for.
EvaluationOrigin origin_of(const Job& merge);
// One job a suite, queued, or succeeded at once where the score is known.
Result<std::vector<JobId>> enqueue_evaluations(store::Database& database, const Model& model,
                                               const std::vector<SuiteToRun>& suites,
                                               const EvaluationOrigin& origin, TimeMs at);
// Queued, or succeeded at once (with its evaluations) where the merge is known.
Result<JobId> enqueue_merge(store::Database& database, const store::NewJob& job,
                            const std::vector<SuiteToRun>& suites, TimeMs at);

// If the job's work is done already: fills in what its move to succeeded must say, and returns
// true.
Result<bool> settle_merge(store::Database& database, const store::StoredJob& job,
                          const std::vector<SuiteToRun>& suites, store::JobMove& move);
Result<bool> settle_evaluation(store::Database& database, const store::StoredJob& job,
                               store::JobMove& move);

}  // namespace crucible::server::pipeline
