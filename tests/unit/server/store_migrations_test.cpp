#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>

#include "server/store/evaluations.hpp"
#include "server/store/jobs.hpp"
#include "server/store/migrator.hpp"
#include "server/store/models.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::server::store {
namespace {

// What every schema since the first can hold: a registered and a merged model, a job of each kind
// with its events, an attempt, a score, a sweep with its trial, a key.
constexpr std::string_view kRows = R"(
INSERT INTO sweeps (name, parameter, recipe, suites, seed, created_at)
  VALUES ('s', 'parameters.t', 'merge_method: slerp', '["sums"]', -1, 1);
INSERT INTO models (name, origin, digest, path, fingerprint, architecture, dtype, parameters,
                    weight_bytes, created_at, merge_method, recipe)
  VALUES ('base', 'registered', printf('%064d', 1), '/m/base', 'f', 'llama', 'bf16', 10, 20, 1, '', NULL),
         ('merged', 'merged', printf('%064d', 2), '/m/2', 'f', 'llama', 'bf16', 10, 20, 2, 'slerp', 'r: ü');
INSERT INTO model_parents VALUES (2, 0, 1);
INSERT INTO jobs (kind, state, name, attempt, max_attempts, created_at, updated_at, finished_at,
                  merge_method, recipe, seed, work_key, suites, model_id, sweep_id)
  VALUES ('merge', 'succeeded', 'merged', 1, 5, 1, 2, 2, 'slerp', 'r: ü', -7, 'k1', '["sums"]', 2, 1);
INSERT INTO jobs (kind, state, name, max_attempts, created_at, updated_at, work_key, suites, model_id,
                  parent_id)
  VALUES ('evaluation', 'queued', 'merged', 5, 3, 3, 'k2', '["sums"]', 2, 1);
INSERT INTO job_inputs VALUES (1, 0, 'base', 1);
INSERT INTO job_events (job_id, at, type, state, attempt, message, progress_stage, progress_done,
                        progress_total, progress_unit)
  VALUES (1, 1, 'state', 'queued', 0, 'submitted', '', 0, 0, ''), (1, 2, 'state', 'succeeded', 1, '', '', 0, 0, '');
INSERT INTO attempts (job_id, attempt, started_at, finished_at, log_path, outcome)
  VALUES (1, 1, 1, 2, 'logs/1.1.log', 'succeeded');
INSERT INTO merge_results VALUES ('k1', 2);
INSERT INTO evaluations (work_key, model_id, model_digest, suite, suite_digest, engine, dtype, score,
                         standard_error, items, seconds, created_at, samples_path)
  VALUES ('k3', 2, printf('%064d', 2), 'sums', 'd', 'e', 'f32', 0.625, 0.01, 8, 1.5, 4, '/s');
INSERT INTO task_scores (evaluation_id, position, task, version, digest, primary_metric, items)
  VALUES (1, 0, 'sums', '1', 'd', 'acc', 8);
INSERT INTO metric_scores (evaluation_id, task_position, position, name, value, standard_error)
  VALUES (1, 0, 0, 'acc', 0.625, 0.01);
INSERT INTO trials VALUES (1, 0, 0.5, 1);
INSERT INTO idempotency_keys VALUES ('key', 'digest', 'job', '[1]', 1);
)";

// Rows of each table of the first schema, as text, in the columns it had when they were written.
std::map<std::string, std::vector<std::string>> read_all(
    Database& database, const std::map<std::string, std::string>& columns) {
  std::map<std::string, std::vector<std::string>> found;
  for (const auto& [table, list] : columns) {
    auto rows = database.query("SELECT " + list + " FROM " + table + " ORDER BY 1", {},
                               [](const Row& row) { return row.text(0); });
    EXPECT_TRUE(rows) << table << ": " << rows.error().message;
    found[table] = rows.value_or(std::vector<std::string>());
  }
  return found;
}

std::map<std::string, std::string> columns_of(Database& database) {
  std::map<std::string, std::string> columns;
  auto names = database.query(
      "SELECT tables.name, columns.name FROM sqlite_schema AS tables, "
      "pragma_table_info(tables.name) AS columns WHERE tables.type = 'table' AND tables.name NOT "
      "LIKE "
      "'sqlite_%' AND tables.name <> 'schema_steps'",
      {}, [](const Row& row) { return std::pair(row.text(0), row.text(1)); });
  EXPECT_TRUE(names);
  for (const auto& [table, column] : *names) {
    std::string& list = columns[table];
    list += (list.empty() ? "" : " || '|' || ") + ("coalesce(" + column + ", 'NULL')");
  }
  return columns;
}

TEST(SchemaTest, EveryEarlierSchemaIsBroughtUpWithItsRows) {
  const auto steps = compiled_migrations();
  ASSERT_GE(steps.size(), 6U);
  for (std::size_t version = 1; version < steps.size(); ++version) {
    crucible::test::ScratchFolder folder;
    const auto file = folder.path() / "crucible.db";
    auto database = Database::open(file, OpenMode::kWriter);
    ASSERT_TRUE(database);
    ASSERT_TRUE(migrate(*database, steps.first(version)));
    ASSERT_TRUE(database->execute_script(kRows)) << version;
    const auto columns = columns_of(*database);
    const auto before = read_all(*database, columns);
    ASSERT_EQ(before.at("models").size(), 2U);
    ASSERT_TRUE(migrate(*database, steps)) << version;
    EXPECT_EQ(read_all(*database, columns), before) << version;

    auto model = get_model(*database, "merged");
    ASSERT_TRUE(model) << version;
    EXPECT_EQ(model->model.recipe, "r: ü");
    EXPECT_FALSE(model->model.removed_at || model->model.pinned_at);
    auto next = next_claimable(*database, JobKind::kEvaluation, 5);
    ASSERT_TRUE(next && next->size() == 1) << version;
    EXPECT_EQ(next->front().job.priority, 0);
    auto evaluation = get_evaluation(*database, 1);
    ASSERT_TRUE(evaluation) << version;
    EXPECT_EQ(evaluation->score, 0.625);
    EXPECT_EQ(evaluation->tasks.front().metrics.front().value, 0.625);
  }
}

TEST(SchemaTest, AKillWithinAStepLeavesTheOneBefore) {
  const auto steps = compiled_migrations();
  for (std::size_t version = 1; version < steps.size(); ++version) {
    crucible::test::ScratchFolder folder;
    const auto file = folder.path() / "crucible.db";
    {
      auto database = Database::open(file, OpenMode::kWriter);
      ASSERT_TRUE(database && migrate(*database, steps.first(version)));
      ASSERT_TRUE(database->execute_script(kRows));
    }
    const pid_t child = ::fork();
    if (child == 0) {
      // The step's statements run; before its commit the process is gone.
      auto database = Database::open(file, OpenMode::kWriter);
      auto transaction = Transaction::begin(*database);
      (void)database->execute_script(steps[version].sql);
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    auto database = Database::open(file, OpenMode::kWriter);
    ASSERT_TRUE(database);
    auto at = database->query_one("PRAGMA user_version", {},
                                  [](const Row& row) { return row.integer(0); });
    ASSERT_TRUE(at && *at);
    EXPECT_EQ(static_cast<std::size_t>(**at), version);
    EXPECT_TRUE(migrate(*database, steps)) << version;
    EXPECT_TRUE(get_model(*database, "merged")) << version;
  }
}

}  // namespace
}  // namespace crucible::server::store
