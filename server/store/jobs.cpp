#include "server/store/jobs.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "server/store/job_states.hpp"

namespace crucible::server::store {
namespace {

constexpr std::string_view kColumns =
    "id, kind, state, name, attempt, max_attempts, created_at, updated_at, started_at, "
    "finished_at, "
    "not_before, cancel_requested, progress_stage, progress_done, progress_total, progress_unit, "
    "error_code, error_message, error_faults, merge_method, recipe, recipe_digest, seed, suites, "
    "model_id, parent_id, sweep_id, work_key, failures, signals, compatibility, allow_nonfinite, "
    "submitter, priority, memory_bytes, disk_bytes";

std::string faults_text(const std::vector<Fault>& faults) {
  auto list = nlohmann::json::array();
  for (const Fault& fault : faults) {
    list.push_back(
        {{"path", fault.path}, {"message", fault.message}, {"suggestion", fault.suggestion}});
  }
  return list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<Fault> faults_from(const std::string& text) {
  std::vector<Fault> faults;
  for (const auto& item : nlohmann::json::parse(text)) {
    faults.push_back({item.at("path"), item.at("message"), item.at("suggestion")});
  }
  return faults;
}

std::optional<Error> error_from(const Row& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return Error{error_code_from(row.text(column)), row.text(column + 1),
               faults_from(row.text(column + 2))};
}

StoredJob job_from(const Row& row) {
  StoredJob stored;
  Job& job = stored.job;
  job.id = row.integer(0);
  job.kind = job_kind_from(row.text(1)).value_or(JobKind::kMerge);
  job.state = job_state_from(row.text(2)).value_or(JobState::kDead);
  job.name = row.text(3);
  job.attempt = row.integer(4);
  job.max_attempts = row.integer(5);
  job.created_at = row.integer(6);
  job.updated_at = row.integer(7);
  job.started_at = row.optional_integer(8);
  job.finished_at = row.optional_integer(9);
  job.not_before = row.optional_integer(10);
  job.cancel_requested = row.integer(11) != 0;
  job.progress = {row.text(12), row.unsigned_integer(13), row.unsigned_integer(14), row.text(15)};
  job.error = error_from(row, 16);
  job.merge_method = row.text(19);
  job.recipe = row.text(20);
  job.recipe_digest = row.text(21);
  job.seed = row.unsigned_integer(22);
  job.suites = suites_from(row.text(23));
  job.model_id = row.optional_integer(24);
  job.parent_id = row.optional_integer(25);
  job.sweep_id = row.optional_integer(26);
  stored.work_key = row.text(27);
  stored.failures = row.integer(28);
  stored.signals = row.integer(29);
  job.compatibility =
      method::parse_compatibility(row.text(30)).value_or(method::Compatibility::kNone);
  job.allow_nonfinite = row.integer(31) != 0;
  job.submitter = row.text(32);
  job.priority = row.integer(33);
  stored.need = {row.unsigned_integer(34), row.unsigned_integer(35)};
  return stored;
}

Status add_children(Database& database, Job& job) {
  auto children = database.query("SELECT id FROM jobs WHERE parent_id = ? ORDER BY id", {job.id},
                                 [](const Row& row) { return row.integer(0); });
  if (!children) return fail(std::move(children).error());
  job.children = std::move(*children);
  return {};
}

Result<std::optional<StoredJob>> with_children(Database& database,
                                               Result<std::optional<StoredJob>> found) {
  if (found && *found) {
    if (auto status = add_children(database, (*found)->job); !status) {
      return fail(std::move(status).error());
    }
  }
  return found;
}

// Copies state, attempt and progress from the row as it now stands.
Status add_event(Database& database, JobId id, std::string_view type, std::string_view message,
                 TimeMs at) {
  return database.execute(
      "INSERT INTO job_events (job_id, at, type, state, attempt, message, progress_stage, "
      "progress_done, progress_total, progress_unit) "
      "SELECT id, ?, ?, state, attempt, ?, progress_stage, progress_done, progress_total, "
      "progress_unit FROM jobs WHERE id = ?",
      {at, type, message, id});
}

// Whether the statement before changed the row; then its event is written.
Result<bool> changed_with_event(Database& database, Status status, JobId id, std::string_view type,
                                std::string_view message, TimeMs at) {
  if (!status) return fail(std::move(status).error());
  if (database.changes() == 0) return false;
  if (auto event = add_event(database, id, type, message, at); !event) {
    return fail(std::move(event).error());
  }
  return true;
}

}  // namespace

std::string suites_text(const std::vector<std::string>& suites) {
  return nlohmann::json(suites).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
std::vector<std::string> suites_from(const std::string& text) {
  return nlohmann::json::parse(text).get<std::vector<std::string>>();
}

Result<JobId> insert_job(Database& database, const NewJob& job, TimeMs at) {
  auto status = database.execute(
      "INSERT INTO jobs (kind, state, name, max_attempts, created_at, updated_at, merge_method, "
      "recipe, recipe_digest, seed, work_key, suites, model_id, parent_id, sweep_id, "
      "compatibility, allow_nonfinite, submitter, priority, memory_bytes, disk_bytes) "
      "VALUES (?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {to_string(job.kind),
       job.name,
       job.max_attempts,
       at,
       at,
       job.merge_method,
       job.recipe,
       job.recipe_digest,
       job.seed,
       job.work_key,
       suites_text(job.suites),
       job.model_id,
       job.parent_id,
       job.sweep_id,
       method::name_of(job.compatibility),
       std::int64_t{job.allow_nonfinite},
       job.submitter,
       job.priority,
       job.need.memory_bytes,
       job.need.disk_bytes});
  if (!status) return fail(std::move(status).error());
  const JobId id = database.last_insert_id();
  std::int64_t position = 0;
  for (const JobInput& input : job.inputs) {
    auto added = database.execute(
        "INSERT INTO job_inputs (job_id, position, reference, model_id) VALUES (?, ?, ?, ?)",
        {id, position++, input.reference, input.model_id});
    if (!added) return fail(std::move(added).error());
  }
  if (auto event = add_event(database, id, "state", "submitted", at); !event) {
    return fail(std::move(event).error());
  }
  return id;
}

Result<std::optional<StoredJob>> find_job(Database& database, JobId id) {
  return with_children(
      database, database.query_one(fmt::format("SELECT {} FROM jobs WHERE id = ?", kColumns), {id},
                                   job_from));
}

Result<StoredJob> get_job(Database& database, JobId id) {
  auto found = find_job(database, id);
  if (!found) return fail(std::move(found).error());
  if (!*found) return fail(ErrorCode::kNotFound, fmt::format("there is no job {}", id));
  return std::move(**found);
}

Result<std::vector<Job>> list_jobs(Database& database, const JobSelection& selection) {
  std::string sql = fmt::format("SELECT {} FROM jobs WHERE true", kColumns);
  std::vector<Value> values;
  const auto narrow = [&](std::string_view condition, Value value) {
    sql += condition;
    values.push_back(std::move(value));
  };
  if (selection.state) narrow(" AND state = ?", to_string(*selection.state));
  if (selection.kind) narrow(" AND kind = ?", to_string(*selection.kind));
  if (selection.sweep_id) narrow(" AND sweep_id = ?", *selection.sweep_id);
  if (selection.before) narrow(" AND id < ?", *selection.before);
  narrow(" ORDER BY id DESC LIMIT ?", selection.limit);
  auto stored = database.query(sql, std::span<const Value>(values), job_from);
  if (!stored) return fail(std::move(stored).error());
  std::vector<Job> jobs;
  for (StoredJob& entry : *stored) {
    if (auto status = add_children(database, entry.job); !status) {
      return fail(std::move(status).error());
    }
    jobs.push_back(std::move(entry.job));
  }
  return jobs;
}

Result<std::vector<JobInput>> job_inputs(Database& database, JobId id) {
  return database.query(
      "SELECT reference, model_id FROM job_inputs WHERE job_id = ? ORDER BY position", {id},
      [](const Row& row) { return JobInput{row.text(0), row.integer(1)}; });
}

Result<std::vector<JobId>> jobs_in(Database& database, JobState state) {
  return database.query("SELECT id FROM jobs WHERE state = ? ORDER BY id", {to_string(state)},
                        [](const Row& row) { return row.integer(0); });
}

Result<std::vector<JobCount>> count_jobs(Database& database) {
  return database.query(
      "SELECT kind, state, count(*) FROM jobs GROUP BY state, kind", {}, [](const Row& row) {
        return JobCount{job_kind_from(row.text(0)).value_or(JobKind::kMerge),
                        job_state_from(row.text(1)).value_or(JobState::kDead), row.integer(2)};
      });
}

Result<std::vector<StoredJob>> next_claimable(Database& database, JobKind kind, std::size_t most) {
  auto found = database.query(
      fmt::format("SELECT {} FROM jobs WHERE state = 'queued' AND kind = ? AND NOT EXISTS "
                  "(SELECT 1 FROM jobs AS busy WHERE busy.work_key = jobs.work_key AND "
                  "busy.state IN ('leased', 'running', 'publishing')) "
                  "ORDER BY priority DESC, id LIMIT ?",
                  kColumns),
      {to_string(kind), most}, job_from);
  if (!found) return found;
  for (StoredJob& stored : *found) {
    if (auto status = add_children(database, stored.job); !status) {
      return fail(std::move(status).error());
    }
  }
  return found;
}

Result<bool> set_priority(Database& database, JobId id, std::int64_t priority,
                          std::string_view message, TimeMs at) {
  auto status = database.execute(
      "UPDATE jobs SET priority = ?, updated_at = ? WHERE id = ? AND state IN ('queued', "
      "'retry_wait')",
      {priority, at, id});
  return changed_with_event(database, std::move(status), id, "state", message, at);
}

Result<std::int64_t> open_jobs(Database& database, std::string_view submitter) {
  auto count =
      database.query_one("SELECT count(*) FROM jobs WHERE submitter = ? AND finished_at IS NULL",
                         {submitter}, [](const Row& row) { return row.integer(0); });
  if (!count) return fail(std::move(count).error());
  return count->value_or(0);
}

Result<std::optional<TimeMs>> oldest_queued(Database& database, JobKind kind) {
  return database.query_one(
      "SELECT created_at FROM jobs WHERE state = 'queued' AND kind = ? ORDER BY id LIMIT 1",
      {to_string(kind)}, [](const Row& row) { return row.integer(0); });
}

Result<std::vector<JobId>> due_retries(Database& database, TimeMs now) {
  return database.query("SELECT id FROM jobs WHERE not_before <= ? ORDER BY not_before", {now},
                        [](const Row& row) { return row.integer(0); });
}

Result<std::optional<TimeMs>> earliest_retry(Database& database) {
  auto earliest =
      database.query_one("SELECT min(not_before) FROM jobs WHERE not_before IS NOT NULL", {},
                         [](const Row& row) { return row.optional_integer(0); });
  if (!earliest) return fail(std::move(earliest).error());
  return earliest->value_or(std::nullopt);
}

Result<bool> move_job(Database& database, const JobMove& move) {
  if (!is_legal(move.from, move.to)) {
    return fail(ErrorCode::kInternal, fmt::format("a job cannot go from {} to {}",
                                                  to_string(move.from), to_string(move.to)));
  }
  using Text = std::optional<std::string>;
  const bool failed = move.error.has_value();
  const std::optional<TimeMs> finished = is_final(move.to) ? std::optional(move.at) : std::nullopt;
  const std::optional<TimeMs> started = move.new_attempt ? std::optional(move.at) : std::nullopt;
  // A new attempt starts with fresh progress; the latest failure stays readable until the next one.
  auto status = database.execute(
      "UPDATE jobs SET state = ?, updated_at = ?, attempt = attempt + ?, "
      "started_at = coalesce(?, started_at), finished_at = ?, not_before = ?, "
      "progress_stage = iif(?, '', progress_stage), progress_done = iif(?, 0, progress_done), "
      "progress_total = iif(?, 0, progress_total), progress_unit = iif(?, '', progress_unit), "
      "error_code = coalesce(?, error_code), error_message = coalesce(?, error_message), "
      "error_faults = coalesce(?, error_faults), failures = failures + ?, signals = signals + ?, "
      "model_id = coalesce(?, model_id) WHERE id = ? AND state = ? AND attempt = ?",
      {to_string(move.to), move.at, move.new_attempt, started, finished, move.not_before,
       move.new_attempt, move.new_attempt, move.new_attempt, move.new_attempt,
       failed ? Text(to_string(move.error->code)) : Text(),
       failed ? Text(move.error->message) : Text(),
       failed ? Text(faults_text(move.error->faults)) : Text(), move.counts_as_failure,
       move.killed_by_signal, move.model_id, move.id, to_string(move.from), move.attempt});
  return changed_with_event(database, std::move(status), move.id, "state", move.message, move.at);
}

Result<bool> reset_job(Database& database, JobId id, JobState from, std::int64_t attempt,
                       TimeMs at) {
  if (!is_final(from) || !is_legal(from, JobState::kQueued)) {
    return fail(ErrorCode::kInternal, fmt::format("a {} job cannot start over", to_string(from)));
  }
  auto status = database.execute(
      "UPDATE jobs SET state = 'queued', updated_at = ?, finished_at = NULL, failures = 0, "
      "signals = 0, cancel_requested = 0, progress_stage = '', progress_done = 0, "
      "progress_total = 0, progress_unit = '' WHERE id = ? AND state = ? AND attempt = ?",
      {at, id, to_string(from), attempt});
  return changed_with_event(database, std::move(status), id, "state", "retried by request", at);
}

Result<bool> mark_cancel(Database& database, JobId id, TimeMs at) {
  auto status = database.execute(
      "UPDATE jobs SET cancel_requested = 1, updated_at = ? WHERE id = ? AND state IN ('leased', "
      "'running') AND cancel_requested = 0",
      {at, id});
  return changed_with_event(database, std::move(status), id, "state", "cancel requested", at);
}

Result<bool> note_progress(Database& database, JobId id, std::int64_t attempt,
                           const Progress& progress, TimeMs at) {
  auto status = database.execute(
      "UPDATE jobs SET progress_stage = ?, progress_done = ?, progress_total = ?, "
      "progress_unit = ?, updated_at = ? WHERE id = ? AND state = 'running' AND attempt = ?",
      {progress.stage, progress.done, progress.total, progress.unit, at, id, attempt});
  return changed_with_event(database, std::move(status), id, "progress", "", at);
}

Result<std::vector<JobEvent>> list_events(Database& database, JobId job, std::int64_t after,
                                          std::size_t limit) {
  const auto event_from = [](const Row& row) {
    JobEvent event;
    event.id = row.integer(0);
    event.job_id = row.integer(1);
    event.at = row.integer(2);
    event.type = row.text(3);
    event.state = job_state_from(row.text(4)).value_or(JobState::kDead);
    event.attempt = row.integer(5);
    event.message = row.text(6);
    event.progress = {row.text(7), row.unsigned_integer(8), row.unsigned_integer(9), row.text(10)};
    return event;
  };
  constexpr std::string_view kSelect =
      "SELECT id, job_id, at, type, state, attempt, message, progress_stage, progress_done, "
      "progress_total, progress_unit FROM job_events WHERE ";
  if (job == 0) {
    return database.query(fmt::format("{} id > ? ORDER BY id LIMIT ?", kSelect), {after, limit},
                          event_from);
  }
  return database.query(fmt::format("{} job_id = ? AND id > ? ORDER BY id LIMIT ?", kSelect),
                        {job, after, limit}, event_from);
}

}  // namespace crucible::server::store
