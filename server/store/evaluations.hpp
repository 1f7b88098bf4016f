#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/service/records.hpp"
#include "server/store/sqlite.hpp"

// Rows of evaluations, task_scores and metric_scores. Scores are only ever added.
namespace crucible::server::store {

struct NewEvaluation {
  Evaluation evaluation;  // id and model.name are ignored
  std::string work_key;
  std::string model_digest;
  std::string samples_path;  // JSON lines, one an item
};

// The score of one content on one suite, for the board.
struct BoardScore {
  EvaluationId evaluation_id = 0;
  std::string model_digest;
  std::string suite;
  std::string suite_digest;
  double score = 0;
  std::optional<double> standard_error;
  std::int64_t items = 0;
  std::optional<ScoreInterval> interval;
  bool flagged = false;
};

// The id of the row that now holds this score: an equal one (same model, suite, engine and dtype by
// their digests) is kept and returned instead of a second.
Result<EvaluationId> keep_evaluation(Database& database, const NewEvaluation& evaluation);
Result<std::optional<EvaluationId>> evaluation_by_work(Database& database,
                                                       std::string_view work_key);
// With its tasks; kNotFound.
Result<Evaluation> get_evaluation(Database& database, EvaluationId id);
Result<std::string> samples_path(Database& database, EvaluationId id);
// Newest first; "" = any. A model's evaluations are those of its content.
Result<std::vector<Evaluation>> list_evaluations(Database& database, std::string_view model_digest,
                                                 std::string_view suite);
Result<std::vector<BoardScore>> board_scores(Database& database);  // by id

}  // namespace crucible::server::store
