#include "server/store/attempts.hpp"

namespace crucible::server::store {

std::string_view to_string(AttemptOutcome outcome) {
  switch (outcome) {
    case AttemptOutcome::kOpen:
      return "open";
    case AttemptOutcome::kSucceeded:
      return "succeeded";
    case AttemptOutcome::kFailed:
      return "failed";
    case AttemptOutcome::kKilled:
      return "killed";
    case AttemptOutcome::kCancelled:
      return "cancelled";
    case AttemptOutcome::kRequeued:
      return "requeued";
  }
  return "failed";
}

Status open_attempt(Database& database, JobId job, std::int64_t number, TimeMs at,
                    std::string_view log_path) {
  return database.execute(
      "INSERT INTO attempts (job_id, attempt, started_at, log_path, outcome) "
      "VALUES (?, ?, ?, ?, 'open')",
      {job, number, at, log_path});
}

Status identify_attempt(Database& database, JobId job, std::int64_t number,
                        const ProcessIdentity& process) {
  return database.execute(
      "UPDATE attempts SET pid = ?, boot_id = ?, process_start = ? "
      "WHERE job_id = ? AND attempt = ?",
      {process.pid, process.boot_id, process.start_ticks, job, number});
}

Status keep_result(Database& database, JobId job, std::int64_t number, std::string_view result) {
  return database.execute("UPDATE attempts SET result = ? WHERE job_id = ? AND attempt = ?",
                          {result, job, number});
}

Status close_attempt(Database& database, JobId job, std::int64_t number, AttemptOutcome outcome,
                     TimeMs at) {
  return database.execute(
      "UPDATE attempts SET outcome = ?, finished_at = ? "
      "WHERE job_id = ? AND attempt = ? AND outcome = 'open'",
      {to_string(outcome), at, job, number});
}

Result<std::vector<Attempt>> attempts_of(Database& database, JobId job) {
  return database.query(
      "SELECT attempt, pid, boot_id, process_start, started_at, finished_at, log_path, result, "
      "outcome FROM attempts WHERE job_id = ? ORDER BY attempt",
      {job}, [job](const Row& row) {
        Attempt attempt;
        attempt.job_id = job;
        attempt.number = row.integer(0);
        if (!row.is_null(1)) {
          attempt.process = ProcessIdentity{row.integer(1), row.text(2), row.integer(3)};
        }
        attempt.started_at = row.integer(4);
        attempt.finished_at = row.optional_integer(5);
        attempt.log_path = row.text(6);
        attempt.result = row.optional_text(7);
        attempt.outcome = row.text(8);
        return attempt;
      });
}

}  // namespace crucible::server::store
