#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/cli/output.hpp"

// Commands that ask a daemon. Each takes its parsed options and returns the exit code.
namespace crucible::server::cli {

struct SubmitOptions {
  std::string recipe;  // file, "-" = standard input
  std::vector<std::string> suites;
  std::string name;
  std::uint64_t seed = 0;
  std::string compatibility = "none";
  bool allow_nonfinite = false;
  std::string idempotency_key;
  int priority = 0;
  bool check = false;
  bool watch = false;
};
int submit(const SubmitOptions& options, const CommonOptions& common);

struct JobsOptions {
  std::string state;
  std::string kind;
  unsigned limit = 50;
};
int list_jobs(const JobsOptions& options, const CommonOptions& common);
int show_job(std::int64_t id, const CommonOptions& common);
int cancel_job(std::int64_t id, const CommonOptions& common);
int retry_job(std::int64_t id, const CommonOptions& common);
int show_log(std::int64_t id, const CommonOptions& common);
// Follows a job and its children to their ends; kJobFailed when one did not succeed.
int watch(std::int64_t id, const CommonOptions& common);

int list_models(const CommonOptions& common);
// A folder, or instead an endpoint by the name that the daemon's operator gave it.
int add_model(const std::string& path, const std::string& endpoint, const std::string& name,
              const CommonOptions& common);
int show_model(const std::string& id_or_name, const CommonOptions& common);
int pin_model(const std::string& id_or_name, const CommonOptions& common);
int unpin_model(const std::string& id_or_name, const CommonOptions& common);
int show_model_recipe(const std::string& id_or_name, const CommonOptions& common);
int list_suites(const CommonOptions& common);

struct LeaderboardOptions {
  std::string sort;
  std::string order;
  std::string method;
  std::vector<std::string> suites;
};
int leaderboard(const LeaderboardOptions& options, const CommonOptions& common);

// A file's text, or standard input's for "-".
Result<std::string> read_recipe_text(const std::string& file);

struct SweepOptions {
  int priority = 0;
  std::string recipe;
  std::string parameter;
  std::vector<double> values;
  std::optional<double> from, to;
  unsigned points = 0;
  std::vector<std::string> suites;
  std::string name;
  std::uint64_t seed = 0;
  std::string compatibility = "none";
  bool allow_nonfinite = false;
  std::string idempotency_key;
  bool watch = false;
};
int submit_sweep(const SweepOptions& options, const CommonOptions& common);
int list_sweeps(const CommonOptions& common);
int show_sweep(std::int64_t id, const CommonOptions& common);
int cancel_sweep(std::int64_t id, const CommonOptions& common);

struct EvaluateOptions {
  int priority = 0;
  std::string model;
  std::vector<std::string> suites;
  std::string idempotency_key;
  bool watch = false;
};
int evaluate_remote(const EvaluateOptions& options, const CommonOptions& common);

}  // namespace crucible::server::cli
