#pragma once

#include <atomic>
#include <mutex>

#include "server/service/service.hpp"

// A Service in memory: returns what the test put in, remembers what it was asked, can fail.
namespace crucible::server {

class FakeService : public Service {
 public:
  // What to return. `failure`, when set, is what every call returns instead.
  std::optional<Error> failure;
  plan::Preflight preflight_result;
  std::vector<Job> stored_jobs;
  std::vector<JobEvent> stored_events;
  std::vector<Model> stored_models;
  std::vector<Evaluation> stored_evaluations;
  ModelComparison compared;
  std::vector<SuiteInfo> stored_suites;
  std::vector<Sweep> stored_sweeps;
  Leaderboard board;
  std::vector<access::Token> stored_tokens;
  QueueStatus queue;
  bool quota_spent = false;
  GarbageRules last_rules;
  bool collected = false;
  std::string log_text = "line one\n";

  // What it was asked last.
  SubmitMerge last_merge;
  SubmitEvaluation last_evaluation;
  SubmitSweep last_sweep;
  SubmitSearch last_search;
  std::vector<Candidate> stored_candidates;
  RegisterModel last_model;
  LeaderboardQuery last_query;
  JobFilter last_filter;

  void add_event(JobEvent event) {
    {
      const std::lock_guard lock(mutex_);
      stored_events.push_back(std::move(event));
    }
    ++sequence_;
  }
  void set_job_state(JobId id, JobState state) {
    const std::lock_guard lock(mutex_);
    for (Job& job : stored_jobs) {
      if (job.id == id) job.state = state;
    }
  }

  Result<plan::Preflight> preflight(const SubmitMerge& request) override {
    last_merge = request;
    if (failure) return fail(*failure);
    return preflight_result;
  }
  Result<Job> submit_merge(const SubmitMerge& request) override {
    last_merge = request;
    if (failure) return fail(*failure);
    return job(1);
  }
  Result<std::vector<Job>> submit_evaluation(const SubmitEvaluation& request) override {
    last_evaluation = request;
    if (failure) return fail(*failure);
    return stored_jobs;
  }
  Result<Sweep> submit_sweep(const SubmitSweep& request) override {
    last_sweep = request;
    if (failure) return fail(*failure);
    return sweep(1);
  }
  Result<Page<Job>> jobs(const JobFilter& filter) override {
    last_filter = filter;
    if (failure) return fail(*failure);
    return Page<Job>{stored_jobs, "next"};
  }
  Result<Job> job(JobId id) override {
    const std::lock_guard lock(mutex_);
    return find(stored_jobs, id);
  }
  Result<Sweep> submit_search(const SubmitSearch& request) override {
    last_search = request;
    if (failure) return fail(*failure);
    return stored_sweeps.at(0);
  }
  Result<Sweep> pause_sweep(SweepId id, const access::Principal&) override { return sweep(id); }
  Result<Sweep> resume_sweep(SweepId id, const nlohmann::json&, const access::Principal&) override {
    return sweep(id);
  }
  Result<Sweep> fork_sweep(SweepId id, std::int64_t, const Submission&) override {
    return sweep(id);
  }
  Result<Page<Candidate>> trials(SweepId, std::int64_t, std::size_t) override {
    return Page<Candidate>{stored_candidates, ""};
  }
  Status check_quota(const access::Principal&, std::size_t) override {
    if (quota_spent) return fail(ErrorCode::kUnavailable, "5 jobs of this token are open");
    return {};
  }
  Result<Job> cancel_job(JobId id, const access::Principal&) override { return job(id); }
  Result<Job> retry_job(JobId id, const access::Principal&) override { return job(id); }
  Result<Job> set_priority(JobId id, std::int64_t priority, const access::Principal&) override {
    return job(id).map([&](Job found) {
      found.priority = priority;
      return found;
    });
  }
  Result<QueueStatus> queue_status() override {
    if (failure) return fail(*failure);
    return queue;
  }
  Result<QueueStatus> pause_queue(std::optional<JobKind> kind, const std::string& by) override {
    queue.pauses.push_back({kind.value_or(JobKind::kMerge), 0, by});
    return queue_status();
  }
  Result<QueueStatus> resume_queue(std::optional<JobKind> /*kind*/) override {
    queue.pauses.clear();
    return queue_status();
  }
  Result<CreatedToken> create_token(const CreateToken& request) override {
    if (failure) return fail(*failure);
    access::Token token;
    token.id = "0a0b0c0d";
    token.name = request.name;
    token.role = request.role;
    return CreatedToken{token, "cru_0a0b0c0d_secret"};
  }
  Result<std::vector<access::Token>> tokens() override { return all(stored_tokens); }
  Result<access::Token> revoke_token(const std::string& id_or_name) override {
    for (const access::Token& token : stored_tokens) {
      if (token.id == id_or_name || token.name == id_or_name) return token;
    }
    return fail(ErrorCode::kNotFound, "there is no such token");
  }
  Result<std::string> job_log(JobId id) override {
    return job(id).map([this](const Job&) { return log_text; });
  }
  Result<std::vector<JobEvent>> events(JobId job, std::int64_t after, std::size_t limit) override {
    const std::lock_guard lock(mutex_);
    if (failure) return fail(*failure);
    std::vector<JobEvent> found;
    for (const JobEvent& event : stored_events) {
      if (event.id > after && (job == 0 || event.job_id == job) && found.size() < limit) {
        found.push_back(event);
      }
    }
    return found;
  }
  Result<std::int64_t> last_event_id() override {
    const std::lock_guard lock(mutex_);
    return stored_events.empty() ? 0 : stored_events.back().id;
  }
  std::uint64_t event_sequence() const override { return sequence_; }
  Result<Model> register_model(const RegisterModel& request) override {
    last_model = request;
    if (failure) return fail(*failure);
    return find(stored_models, 1);
  }
  Result<std::vector<Model>> models() override { return all(stored_models); }
  Result<Model> model(const std::string& id_or_name) override {
    if (failure) return fail(*failure);
    for (const Model& model : stored_models) {
      if (model.name == id_or_name || std::to_string(model.id) == id_or_name) return model;
    }
    return fail(ErrorCode::kNotFound, "there is no such model");
  }
  Result<std::vector<Evaluation>> evaluations(const std::string& /*model*/,
                                              const std::string& /*suite*/) override {
    return all(stored_evaluations);
  }
  Result<Evaluation> evaluation(EvaluationId id) override { return find(stored_evaluations, id); }
  Result<std::string> evaluation_samples(EvaluationId id) override {
    return evaluation(id).map([](const Evaluation&) { return std::string("{}\n"); });
  }
  Result<ModelComparison> comparison(const std::string& a, const std::string& b,
                                     const std::string& suite) override {
    if (failure) return fail(*failure);
    ModelComparison made = compared;
    made.a.name = a;
    made.b.name = b;
    made.suite = suite;
    return made;
  }
  Result<std::vector<SuiteInfo>> suites() override { return all(stored_suites); }
  Result<Leaderboard> leaderboard(const LeaderboardQuery& query) override {
    last_query = query;
    if (failure) return fail(*failure);
    return board;
  }
  Result<std::string> board_version() override {
    if (failure) return fail(*failure);
    return std::to_string(++board_reads);  // never the same: nothing is kept
  }
  int board_reads = 0;
  Result<std::vector<Sweep>> sweeps() override { return all(stored_sweeps); }
  Result<Sweep> sweep(SweepId id) override { return find(stored_sweeps, id); }
  Result<Sweep> cancel_sweep(SweepId id, const access::Principal&) override {
    return find(stored_sweeps, id);
  }
  Result<Model> pin_model(const std::string& id_or_name, bool pinned) override {
    return model(id_or_name).map([&](Model found) {
      found.pinned_at = pinned ? std::optional<TimeMs>(1) : std::nullopt;
      return found;
    });
  }
  Result<StorageUsage> storage() override { return StorageUsage{{{"models", 5}}, 7}; }
  Result<std::vector<GarbageItem>> garbage(const GarbageRules& rules, bool apply) override {
    if (failure) return fail(*failure);
    last_rules = rules;
    collected = apply;
    return std::vector<GarbageItem>{{"/state/models/x", 3, "old", 1}};
  }
  Result<BackupInfo> back_up(const std::string& folder, bool /*with_models*/) override {
    if (failure) return fail(*failure);
    return BackupInfo{folder, 1, 2, 3};
  }
  Status ready() override {
    if (failure) return fail(*failure);
    return {};
  }
  std::string metrics_text() override { return "crucible_up 1\n"; }

 private:
  template <typename T>
  Result<T> find(const std::vector<T>& items, std::int64_t id) {
    if (failure) return fail(*failure);
    for (const T& item : items) {
      if (item.id == id) return item;
    }
    return fail(ErrorCode::kNotFound, "there is no such record");
  }
  template <typename T>
  Result<std::vector<T>> all(const std::vector<T>& items) {
    if (failure) return fail(*failure);
    return items;
  }

  std::mutex mutex_;
  std::atomic<std::uint64_t> sequence_{1};
};

}  // namespace crucible::server
