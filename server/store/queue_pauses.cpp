#include "server/store/queue_pauses.hpp"

namespace crucible::server::store {

Status pause_kind(Database& database, JobKind kind, std::string_view by, TimeMs at) {
  return database.execute(
      "INSERT INTO queue_pauses (kind, paused_at, paused_by) VALUES (?, ?, ?) ON CONFLICT DO "
      "NOTHING",
      {to_string(kind), at, by});
}

Status resume_kind(Database& database, JobKind kind) {
  return database.execute("DELETE FROM queue_pauses WHERE kind = ?", {to_string(kind)});
}

Result<std::vector<QueuePause>> queue_pauses(Database& database) {
  return database.query("SELECT kind, paused_at, paused_by FROM queue_pauses ORDER BY kind", {},
                        [](const Row& row) {
                          return QueuePause{job_kind_from(row.text(0)).value_or(JobKind::kMerge),
                                            row.integer(1), row.text(2)};
                        });
}

}  // namespace crucible::server::store
