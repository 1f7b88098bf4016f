#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"
#include "merger/base/progress.hpp"
#include "merger/method/compatibility.hpp"
#include "server/service/job_kinds.hpp"
#include "server/service/score_records.hpp"
#include "server/service/search_records.hpp"

// The daemon's domain records: plain values that cross its inner borders (store, queue, service,
// api). Times are milliseconds since the Unix epoch, UTC. Ids are positive and never reused.
namespace crucible::server {

struct Job {
  JobId id = 0;
  JobKind kind = JobKind::kMerge;
  JobState state = JobState::kQueued;
  std::string name;          // "slerp-0.5"; of an evaluation the model's name
  std::int64_t attempt = 0;  // number of the latest attempt; the fencing token
  std::int64_t max_attempts = 5;
  TimeMs created_at = 0;
  TimeMs updated_at = 0;
  std::optional<TimeMs> started_at;  // of the latest attempt
  std::optional<TimeMs> finished_at;
  std::optional<TimeMs> not_before;  // retry_wait until then
  bool cancel_requested = false;
  Progress progress;
  std::optional<Error> error;  // of the latest failed attempt
  std::string merge_method;    // merge jobs
  std::string recipe;          // merge jobs: as submitted
  std::string recipe_digest;
  std::uint64_t seed = 0;
  method::Compatibility compatibility = method::Compatibility::kNone;
  bool allow_nonfinite = false;
  std::vector<std::string> suites;  // to run (evaluation), or to run after the merge
  std::optional<ModelId> model_id;  // merge: its result; evaluation: what is scored
  std::optional<JobId> parent_id;   // the merge that asked for this evaluation
  std::vector<JobId> children;
  std::optional<SweepId> sweep_id;
  std::string submitter;      // name of the token it came with; "" without tokens
  std::int64_t priority = 0;  // -100 to 100; a higher one is taken first
};

struct JobEvent {  // append-only, ids ascending over all jobs
  std::int64_t id = 0;
  JobId job_id = 0;
  TimeMs at = 0;
  std::string type;  // "state" or "progress"
  JobState state = JobState::kQueued;
  std::int64_t attempt = 0;
  std::string message;
  Progress progress;  // latest known
};

struct ModelSummary {
  ModelId id = 0;
  std::string name;
};
// A model behind an OpenAI-style endpoint, and what the endpoint was found to answer.
struct EndpointModel {
  std::string name;  // of the operator's file
  bool prompt_logprobs = false;
  bool generation = false;
  bool chat = false;
};

struct Model {
  ModelId id = 0;
  std::string name;                       // unique
  std::string origin;                     // "registered" or "merged"
  std::string digest;                     // content digest, hex
  std::string path;                       // "endpoint:NAME" of one that is no folder
  std::optional<EndpointModel> endpoint;  // none for folders
  std::string architecture;
  std::string dtype;
  std::uint64_t parameters = 0;
  std::uint64_t weight_bytes = 0;
  TimeMs created_at = 0;
  std::string merge_method;           // "" when registered
  std::optional<std::string> recipe;  // as submitted
  std::optional<JobId> job_id;
  std::optional<SweepId> sweep_id;
  std::optional<TimeMs> pinned_at;    // garbage collection leaves it alone
  std::optional<TimeMs> removed_at;   // its files are gone; the recipe makes them again
  std::vector<ModelSummary> parents;  // registered or merged models that the recipe names
  std::vector<ModelSummary> children;
};

struct Evaluation {
  EvaluationId id = 0;
  ModelSummary model;
  std::string suite;
  std::string suite_digest;
  std::string engine;
  std::string dtype;
  double score = 0;
  std::optional<double> standard_error;
  std::int64_t items = 0;
  double seconds = 0;
  TimeMs created_at = 0;
  std::optional<JobId> job_id;
  std::vector<TaskScore> tasks;
  std::optional<ScoreInterval> interval;
  std::vector<ColumnScore> columns;
  std::vector<GroupScore> groups;
  std::vector<std::string> flags;  // what makes the score doubtful, in words
  std::int64_t prompt_tokens_asked = 0;
  std::int64_t prompt_tokens_computed = 0;  // the rest was shared
};

// Two models on the same items of one task, or of all tasks together.
struct TaskComparison {
  std::string task;  // "" = all tasks
  std::string metric;
  std::string filter;
  bool higher_is_better = true;
  std::int64_t items = 0;
  double mean_a = 0;
  double mean_b = 0;
  std::int64_t wins = 0;  // items on which a is better
  std::int64_t losses = 0;
  std::int64_t ties = 0;
  double difference = 0;
  std::optional<double> standard_error;
  std::optional<ScoreInterval> interval;  // of the difference
  std::optional<double> p;
  std::string test;
  bool told_apart = false;
  std::optional<std::int64_t> further_items;
  std::string verdict;  // in words
};
struct ModelComparison {
  ModelSummary a;
  ModelSummary b;
  std::string suite;
  std::vector<TaskComparison> tasks;
  std::optional<TaskComparison> overall;  // none where the tasks' metrics differ in direction
  std::vector<std::string> notes;         // items that only one of the two has, and the like
};

struct SuiteInfo {
  std::string name;
  std::string description;
  std::string error;  // "" = usable
  bool built_in = false;
  std::vector<std::string> missing;  // data sets that it needs and this machine lacks
  bool needs_logprobs = false;       // of prompts; known once it has been read
  std::string judge;                 // who grades it; "" = rules
  std::vector<std::string> tasks;
  std::int64_t items = 0;
  std::string digest;
};

struct Score {
  double value = 0;
  std::optional<double> standard_error;
  std::int64_t items = 0;
  std::optional<EvaluationId> evaluation_id;  // none for a mean
  std::optional<ScoreInterval> interval;
  bool flagged = false;  // its evaluation says what is doubtful
};
struct LeaderboardRow {
  std::int64_t rank = 0;  // by the sort asked for, from 1
  ModelSummary model;
  std::string origin;
  std::string merge_method;
  std::string digest;
  std::vector<ModelSummary> parents;
  bool is_parent = false;  // some other row was merged from it
  std::optional<SweepId> sweep_id;
  std::vector<std::string> tuned_on;    // suites of its sweep: its scores on them flatter it
  std::map<std::string, Score> scores;  // by suite
  std::optional<Score> mean;  // unweighted over the board's suites; none unless all are scored
};
struct LeaderboardQuery {
  std::string sort = "mean";  // "mean", "name", "created", or a suite's name
  bool descending = true;
  std::string merge_method;         // filter; "none" = registered models; "" = all
  std::vector<std::string> suites;  // columns; empty = every suite with a score
};
struct Leaderboard {
  std::vector<std::string> suites;
  std::vector<LeaderboardRow> rows;
};

struct Trial {
  double value = 0;
  JobId job_id = 0;
  JobState state = JobState::kQueued;  // of the merge, then of its evaluation
  std::optional<ModelId> model_id;
  std::map<std::string, Score> scores;
  std::optional<Score> mean;
};
struct Sweep {
  SweepId id = 0;
  std::string name;
  std::string state;  // "running", "succeeded" (all trials), "failed" (some), "cancelled"; searches
                      // also "queued" and "paused"
  std::string parameter;  // path into the recipe, or the placeholder's name; "" for a search
  std::string recipe;     // template as submitted
  std::vector<std::string> suites;
  TimeMs created_at = 0;
  std::vector<Trial> trials;              // by value
  std::optional<std::size_t> best_trial;  // highest mean so far
  std::string submitter;                  // name of the token it came with; "" without tokens
  std::optional<Search> search = std::nullopt;
};

}  // namespace crucible::server
