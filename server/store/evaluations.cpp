#include "server/store/evaluations.hpp"

#include <fmt/format.h>

#include "server/service/score_json.hpp"

namespace crucible::server::store {
namespace {

constexpr std::string_view kSelect =
    "SELECT evaluations.id, model_id, models.name, suite, suite_digest, engine, evaluations.dtype, "
    "score, standard_error, items, seconds, evaluations.created_at, evaluations.job_id, "
    "interval_low, interval_high, interval_kind, score_columns, score_groups, flags, "
    "prompt_tokens_asked, prompt_tokens_computed "
    "FROM evaluations JOIN models ON models.id = model_id ";

std::optional<ScoreInterval> interval_from(const Row& row, int low) {
  const auto from = row.optional_real(low);
  const auto to = row.optional_real(low + 1);
  if (!from || !to) return std::nullopt;
  return ScoreInterval{*from, *to, row.text(low + 2)};
}

std::optional<double> low_of(const std::optional<ScoreInterval>& interval) {
  return interval ? std::optional(interval->low) : std::nullopt;
}
std::optional<double> high_of(const std::optional<ScoreInterval>& interval) {
  return interval ? std::optional(interval->high) : std::nullopt;
}
std::string kind_of(const std::optional<ScoreInterval>& interval) {
  return interval ? interval->kind : std::string();
}

// A list that this program wrote; one that cannot be read is none.
template <typename T>
std::vector<T> list_from(const std::string& text, T (*read)(const ScoreJson&)) {
  std::vector<T> items;
  try {
    for (const ScoreJson& item : ScoreJson::parse(text)) items.push_back(read(item));
  } catch (const ScoreJson::exception&) {
    items.clear();
  }
  return items;
}

std::string text_from(const ScoreJson& json) { return json.get<std::string>(); }

std::string text_of(const ScoreJson& json) {
  return json.dump(-1, ' ', false, ScoreJson::error_handler_t::replace);
}

Evaluation evaluation_from(const Row& row) {
  Evaluation evaluation;
  evaluation.id = row.integer(0);
  evaluation.model = {row.integer(1), row.text(2)};
  evaluation.suite = row.text(3);
  evaluation.suite_digest = row.text(4);
  evaluation.engine = row.text(5);
  evaluation.dtype = row.text(6);
  evaluation.score = row.real(7);
  evaluation.standard_error = row.optional_real(8);
  evaluation.items = row.integer(9);
  evaluation.seconds = row.real(10);
  evaluation.created_at = row.integer(11);
  evaluation.job_id = row.optional_integer(12);
  evaluation.interval = interval_from(row, 13);
  evaluation.columns = list_from(row.text(16), column_from);
  evaluation.groups = list_from(row.text(17), group_from);
  evaluation.flags = list_from(row.text(18), text_from);
  evaluation.prompt_tokens_asked = row.integer(19);
  evaluation.prompt_tokens_computed = row.integer(20);
  return evaluation;
}

Status add_tasks(Database& database, Evaluation& evaluation) {
  auto tasks = database.query(
      "SELECT task, version, digest, primary_metric, items, primary_filter FROM task_scores "
      "WHERE evaluation_id = ? ORDER BY position",
      {evaluation.id}, [](const Row& row) {
        return TaskScore{row.text(0),    row.text(1), row.text(2), row.text(3),
                         row.integer(4), {},          row.text(5)};
      });
  if (!tasks) return fail(std::move(tasks).error());
  evaluation.tasks = std::move(*tasks);
  constexpr std::string_view kMetrics =
      "SELECT task_position, name, value, standard_error, filter, higher_is_better, interval_low, "
      "interval_high, interval_kind FROM metric_scores WHERE evaluation_id = ? ORDER BY "
      "task_position, position";
  const Value id(evaluation.id);
  return database.for_each(kMetrics, std::span(&id, 1), [&](const Row& row) {
    evaluation.tasks.at(row.unsigned_integer(0))
        .metrics.push_back({row.text(1), row.real(2), row.optional_real(3), row.text(4),
                            row.integer(5) != 0, interval_from(row, 6)});
  });
}

Status insert_tasks(Database& database, EvaluationId id, const std::vector<TaskScore>& tasks) {
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    const TaskScore& task = tasks[t];
    auto status = database.execute(
        "INSERT INTO task_scores (evaluation_id, position, task, version, digest, primary_metric, "
        "items, primary_filter) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        {id, t, task.task, task.version, task.digest, task.primary_metric, task.items,
         task.primary_filter});
    if (!status) return status;
    for (std::size_t m = 0; m < task.metrics.size(); ++m) {
      const MetricScore& metric = task.metrics[m];
      status = database.execute(
          "INSERT INTO metric_scores (evaluation_id, task_position, position, name, value, "
          "standard_error, filter, higher_is_better, interval_low, interval_high, interval_kind) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          {id, t, m, metric.name, metric.value, metric.standard_error, metric.filter,
           metric.higher_is_better, low_of(metric.interval), high_of(metric.interval),
           kind_of(metric.interval)});
      if (!status) return status;
    }
  }
  return {};
}

}  // namespace

Result<EvaluationId> keep_evaluation(Database& database, const NewEvaluation& added) {
  const Evaluation& evaluation = added.evaluation;
  const auto id_of = [](const Row& row) { return row.integer(0); };
  auto equal = database.query_one(
      "SELECT id FROM evaluations WHERE model_digest = ? AND suite_digest = ? AND engine = ? AND "
      "dtype = ?",
      {added.model_digest, evaluation.suite_digest, evaluation.engine, evaluation.dtype}, id_of);
  if (!equal) return fail(std::move(equal).error());
  if (*equal) return **equal;
  auto status = database.execute(
      "INSERT INTO evaluations (work_key, model_id, model_digest, suite, suite_digest, engine, "
      "dtype, "
      "score, standard_error, items, seconds, created_at, job_id, samples_path, interval_low, "
      "interval_high, interval_kind, score_columns, score_groups, flags, prompt_tokens_asked, "
      "prompt_tokens_computed) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {added.work_key,
       evaluation.model.id,
       added.model_digest,
       evaluation.suite,
       evaluation.suite_digest,
       evaluation.engine,
       evaluation.dtype,
       evaluation.score,
       evaluation.standard_error,
       evaluation.items,
       evaluation.seconds,
       evaluation.created_at,
       evaluation.job_id,
       added.samples_path,
       low_of(evaluation.interval),
       high_of(evaluation.interval),
       kind_of(evaluation.interval),
       text_of(json_list(evaluation.columns)),
       text_of(json_list(evaluation.groups)),
       text_of(evaluation.flags),
       evaluation.prompt_tokens_asked,
       evaluation.prompt_tokens_computed});
  if (!status) return fail(std::move(status).error());
  const EvaluationId id = database.last_insert_id();
  if (auto tasks = insert_tasks(database, id, evaluation.tasks); !tasks) {
    return fail(std::move(tasks).error());
  }
  return id;
}

Result<std::optional<EvaluationId>> evaluation_by_work(Database& database,
                                                       std::string_view work_key) {
  return database.query_one("SELECT id FROM evaluations WHERE work_key = ?", {work_key},
                            [](const Row& row) { return row.integer(0); });
}

Result<Evaluation> get_evaluation(Database& database, EvaluationId id) {
  auto found = database.query_one(fmt::format("{} WHERE evaluations.id = ?", kSelect), {id},
                                  evaluation_from);
  if (!found) return fail(std::move(found).error());
  if (!*found) return fail(ErrorCode::kNotFound, fmt::format("there is no evaluation {}", id));
  if (auto status = add_tasks(database, **found); !status) return fail(std::move(status).error());
  return std::move(**found);
}

Result<std::string> samples_path(Database& database, EvaluationId id) {
  auto path = database.query_one("SELECT samples_path FROM evaluations WHERE id = ?", {id},
                                 [](const Row& row) { return row.text(0); });
  if (!path) return fail(std::move(path).error());
  if (!*path) return fail(ErrorCode::kNotFound, fmt::format("there is no evaluation {}", id));
  return std::move(**path);
}

Result<std::vector<Evaluation>> list_evaluations(Database& database, std::string_view model_digest,
                                                 std::string_view suite) {
  std::string sql(kSelect);
  std::vector<Value> values;
  if (!model_digest.empty()) {
    sql += "WHERE model_digest = ? ";
    values.emplace_back(model_digest);
  }
  if (!suite.empty()) {
    sql += values.empty() ? "WHERE suite = ? " : "AND suite = ? ";
    values.emplace_back(suite);
  }
  sql += "ORDER BY evaluations.id DESC";
  auto found = database.query(sql, std::span<const Value>(values), evaluation_from);
  if (!found) return found;
  for (Evaluation& evaluation : *found) {
    if (auto status = add_tasks(database, evaluation); !status) {
      return fail(std::move(status).error());
    }
  }
  return found;
}

Result<std::vector<BoardScore>> board_scores(Database& database) {
  return database.query(
      "SELECT id, model_digest, suite, suite_digest, score, standard_error, items, interval_low, "
      "interval_high, interval_kind, flags FROM evaluations ORDER BY id",
      {}, [](const Row& row) {
        return BoardScore{row.integer(0), row.text(1),           row.text(2),
                          row.text(3),    row.real(4),           row.optional_real(5),
                          row.integer(6), interval_from(row, 7), row.text(10) != "[]"};
      });
}

}  // namespace crucible::server::store
