#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "merger/plan/merge.hpp"
#include "server/access/token.hpp"
#include "server/service/queue_records.hpp"
#include "server/service/records.hpp"
#include "server/service/storage_records.hpp"

// Everything a client can ask of the daemon, free of any protocol: the API, and tests, call this.
namespace crucible::server {

// On whose behalf, and how urgently.
struct Submission {
  std::string submitter;      // name of the token; "" without tokens
  std::int64_t priority = 0;  // -100 to 100
};

struct SubmitMerge {
  std::string recipe;  // YAML or JSON text
  std::vector<std::string> suites;
  std::string name;  // "" = made from method and digest
  std::uint64_t seed = 0;
  method::Compatibility compatibility = method::Compatibility::kNone;
  bool allow_nonfinite = false;
  std::string
      idempotency_key;  // "" = none; the same key with the same request returns the first job
  Submission submission = {};
};
struct RegisterModel {
  std::string path;      // below an allowed root
  std::string endpoint;  // instead of a path: a name of the operator's file
  std::string name;      // "" = the folder's or the endpoint's name
};
struct SubmitEvaluation {
  std::string model;  // id or name
  std::vector<std::string> suites;
  std::string idempotency_key;
  Submission submission = {};
};
struct SubmitSweep {
  std::string recipe;  // template
  std::string
      parameter;  // "parameters.t", "models[1].parameters.weight", or NAME of a ${NAME} in it
  std::vector<double> values;
  std::vector<std::string> suites;
  std::string name;
  std::uint64_t seed = 0;
  method::Compatibility compatibility = method::Compatibility::kNone;
  bool allow_nonfinite = false;
  std::string idempotency_key;
  Submission submission = {};
};
struct CreateToken {
  std::string name;
  access::Role role = access::Role::kRead;
  std::optional<std::int64_t> lifetime_ms;  // none = for ever
};
struct CreatedToken {
  access::Token token;
  std::string text;  // the secret part is nowhere else
};

struct SubmitSearch {
  std::string document;  // YAML or JSON: see server/search/document.hpp
  std::string name;      // "" = the document's, else made from its digest
  std::string idempotency_key;
  Submission submission;
};

template <typename T>
struct Page {
  std::vector<T> items;
  std::string next_cursor;  // "" = last page
};
struct JobFilter {
  std::optional<JobState> state;
  std::optional<JobKind> kind;
  std::optional<SweepId> sweep_id;
  std::string cursor;
  std::size_t limit = 50;  // 1 to 500
};

// Thread-safe; every call may block on the store or on files (never call it on an I/O thread).
// Faults of the input are kInvalidArgument with paths into the request.
class Service {
 public:
  virtual ~Service() = default;

  virtual Result<plan::Preflight> preflight(const SubmitMerge& request) = 0;
  // Durable when it returns: the job survives any crash.
  virtual Result<Job> submit_merge(const SubmitMerge& request) = 0;
  virtual Result<std::vector<Job>> submit_evaluation(
      const SubmitEvaluation& request) = 0;  // one a suite
  virtual Result<Sweep> submit_sweep(const SubmitSweep& request) = 0;
  virtual Result<Sweep> submit_search(const SubmitSearch& request) = 0;
  // kConflict where the sweep is no search, or is not in the state for it.
  virtual Result<Sweep> pause_sweep(SweepId id, const access::Principal& by) = 0;
  // `budget`: fields that replace those of the document; a sweep that is over needs some.
  virtual Result<Sweep> resume_sweep(SweepId id, const nlohmann::json& budget,
                                     const access::Principal& by) = 0;
  // A new search around a trial of another.
  virtual Result<Sweep> fork_sweep(SweepId id, std::int64_t trial,
                                   const Submission& submission) = 0;
  // Of a search: references, then trials; `after` is the last trial of the page before, -1 = first.
  virtual Result<Page<Candidate>> trials(SweepId id, std::int64_t after, std::size_t limit) = 0;
  // kUnavailable when as many jobs of this submitter are open as one may have.
  virtual Status check_quota(const access::Principal& principal, std::size_t wanted) = 0;

  virtual Result<Page<Job>> jobs(const JobFilter& filter) = 0;  // newest first
  virtual Result<Job> job(JobId id) = 0;
  // kPermission when the job is another's and the principal no admin.
  virtual Result<Job> cancel_job(
      JobId id, const access::Principal& by) = 0;  // and its queued children; kConflict when final
  virtual Result<Job> retry_job(
      JobId id, const access::Principal& by) = 0;  // failed, dead or cancelled → queued
  virtual Result<Job> set_priority(JobId id, std::int64_t priority,
                                   const access::Principal& by) = 0;
  virtual Result<QueueStatus> queue_status() = 0;
  // All kinds when none is given.
  virtual Result<QueueStatus> pause_queue(std::optional<JobKind> kind, const std::string& by) = 0;
  virtual Result<QueueStatus> resume_queue(std::optional<JobKind> kind) = 0;
  virtual Result<std::string> job_log(JobId id) = 0;
  // Events with id > `after`, oldest first, at most `limit`; job 0 = of all jobs. Returns at once.
  virtual Result<std::vector<JobEvent>> events(JobId job, std::int64_t after,
                                               std::size_t limit) = 0;
  virtual Result<std::int64_t> last_event_id() = 0;
  // Rises whenever a new event exists; cheap, in memory: streams poll it (or wait on it) instead of
  // the store.
  virtual std::uint64_t event_sequence() const = 0;

  virtual Result<Model> register_model(const RegisterModel& request) = 0;
  virtual Result<std::vector<Model>> models() = 0;
  virtual Result<Model> model(const std::string& id_or_name) = 0;

  virtual Result<std::vector<Evaluation>> evaluations(const std::string& model,
                                                      const std::string& suite) = 0;
  virtual Result<Evaluation> evaluation(EvaluationId id) = 0;
  virtual Result<std::string> evaluation_samples(EvaluationId id) = 0;  // JSON lines
  // Two models, by id or name, on the items of one suite that both were evaluated on.
  virtual Result<ModelComparison> comparison(const std::string& a, const std::string& b,
                                             const std::string& suite) = 0;

  virtual Result<std::vector<SuiteInfo>> suites() = 0;
  virtual Result<Leaderboard> leaderboard(const LeaderboardQuery& query) = 0;
  // Names the state of everything that boards are made of: equal versions, equal boards. Cheap.
  virtual Result<std::string> board_version() = 0;
  virtual Result<std::vector<Sweep>> sweeps() = 0;
  virtual Result<Sweep> sweep(SweepId id) = 0;
  virtual Result<Sweep> cancel_sweep(SweepId id, const access::Principal& by) = 0;

  virtual Result<CreatedToken> create_token(const CreateToken& request) = 0;
  virtual Result<std::vector<access::Token>> tokens() = 0;  // oldest first
  virtual Result<access::Token> revoke_token(const std::string& id_or_name) = 0;

  virtual Result<Model> pin_model(const std::string& id_or_name, bool pinned) = 0;
  virtual Result<StorageUsage> storage() = 0;
  // What the rules select; removed where `apply` says so.
  virtual Result<std::vector<GarbageItem>> garbage(const GarbageRules& rules, bool apply) = 0;
  // Into a new folder on the daemon's machine.
  virtual Result<BackupInfo> back_up(const std::string& folder, bool with_models) = 0;

  virtual Status ready() = 0;              // store answers, workers accept: /readyz
  virtual std::string metrics_text() = 0;  // Prometheus exposition
};

}  // namespace crucible::server
