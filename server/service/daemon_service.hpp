#pragma once

#include "server/access/token_book.hpp"
#include "server/leaderboard/leaderboard.hpp"
#include "server/metrics/metrics.hpp"
#include "server/pipeline/merge_stage.hpp"
#include "server/search/document.hpp"
#include "server/service/service.hpp"
#include "server/sweep/sweep.hpp"
#include "server/worker/worker_pool.hpp"

namespace crucible::server {

// What the service is made of; all of it outlives the service.
struct ServiceParts {
  store::Store& store;
  queue::JobQueue& queue;
  worker::WorkerPool& workers;
  pipeline::ModelCatalog& models;
  pipeline::SuiteCatalog& suites;
  const pipeline::StateFolder& state;
  metrics::Metrics& metrics;
  const Clock& clock;
  pipeline::WorkerLimits limits;
  std::int64_t max_attempts = 5;
  access::TokenBook& tokens;
  std::size_t most_open_jobs = 0;  // of one submitter; 0 = no limit
};

// The daemon's answer to every request. Holds no state of its own.
class DaemonService : public Service {
 public:
  explicit DaemonService(const ServiceParts& parts) : parts_(parts) {}

  Result<plan::Preflight> preflight(const SubmitMerge& request) override;
  Result<Job> submit_merge(const SubmitMerge& request) override;
  Result<std::vector<Job>> submit_evaluation(const SubmitEvaluation& request) override;
  Result<Sweep> submit_sweep(const SubmitSweep& request) override;
  Result<Sweep> submit_search(const SubmitSearch& request) override;
  Result<Sweep> pause_sweep(SweepId id, const access::Principal& by) override;
  Result<Sweep> resume_sweep(SweepId id, const nlohmann::json& budget,
                             const access::Principal& by) override;
  Result<Sweep> fork_sweep(SweepId id, std::int64_t trial, const Submission& submission) override;
  Result<Page<Candidate>> trials(SweepId id, std::int64_t after, std::size_t limit) override;
  Status check_quota(const access::Principal& principal, std::size_t wanted) override;

  Result<Page<Job>> jobs(const JobFilter& filter) override;
  Result<Job> job(JobId id) override;
  Result<Job> cancel_job(JobId id, const access::Principal& by) override;
  Result<Job> retry_job(JobId id, const access::Principal& by) override;
  Result<Job> set_priority(JobId id, std::int64_t priority, const access::Principal& by) override;
  Result<QueueStatus> queue_status() override;
  Result<QueueStatus> pause_queue(std::optional<JobKind> kind, const std::string& by) override;
  Result<QueueStatus> resume_queue(std::optional<JobKind> kind) override;
  Result<std::string> job_log(JobId id) override;
  Result<std::vector<JobEvent>> events(JobId job, std::int64_t after, std::size_t limit) override;
  Result<std::int64_t> last_event_id() override;
  std::uint64_t event_sequence() const override;

  Result<Model> register_model(const RegisterModel& request) override;
  Result<std::vector<Model>> models() override;
  Result<Model> model(const std::string& id_or_name) override;

  Result<std::vector<Evaluation>> evaluations(const std::string& model,
                                              const std::string& suite) override;
  Result<Evaluation> evaluation(EvaluationId id) override;
  Result<std::string> evaluation_samples(EvaluationId id) override;
  Result<ModelComparison> comparison(const std::string& a, const std::string& b,
                                     const std::string& suite) override;

  Result<std::vector<SuiteInfo>> suites() override;
  Result<Leaderboard> leaderboard(const LeaderboardQuery& query) override;
  Result<std::string> board_version() override;
  Result<std::vector<Sweep>> sweeps() override;
  Result<Sweep> sweep(SweepId id) override;
  Result<Sweep> cancel_sweep(SweepId id, const access::Principal& by) override;

  Result<CreatedToken> create_token(const CreateToken& request) override;
  Result<std::vector<access::Token>> tokens() override;
  Result<access::Token> revoke_token(const std::string& id_or_name) override;

  Result<Model> pin_model(const std::string& id_or_name, bool pinned) override;
  Result<StorageUsage> storage() override;
  Result<std::vector<GarbageItem>> garbage(const GarbageRules& rules, bool apply) override;
  Result<BackupInfo> back_up(const std::string& folder, bool with_models) override;

  Status ready() override;
  std::string metrics_text() override;

 private:
  // A recipe that has passed every check that can be made before work.
  struct CheckedRecipe {
    pipeline::MergeOrder order;
    plan::Preflight preflight;
  };
  Result<CheckedRecipe> check_recipe(pipeline::MergeOrder order,
                                     method::Compatibility compatibility);
  Result<CheckedRecipe> check_merge(const SubmitMerge& request);
  // Request: SubmitMerge or SubmitSweep.
  template <typename Request>
  Result<store::NewJob> merge_job(const pipeline::MergeOrder& order,
                                  const plan::Preflight& preflight, const std::string& text,
                                  const Request& request);
  Result<leaderboard::ScoreTable> score_table(store::Database& database);
  Result<Sweep> view_sweep(store::Database& database, store::StoredSweep stored,
                           std::optional<leaderboard::ScoreTable>& table);
  Result<std::optional<std::vector<std::int64_t>>> recall(const std::string& key,
                                                          const std::string& digest);
  Result<search::Document> check_search(const std::string& text, store::Need& need);
  Result<Search> search_of(SweepId id);
  Status check_owner(JobId id, const access::Principal& by);
  Status check_sweep_owner(SweepId id, const access::Principal& by);
  Result<std::vector<Job>> get_jobs(const std::vector<std::int64_t>& ids);

  ServiceParts parts_;
};

}  // namespace crucible::server
