#include "server/store/sweeps.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "server/store/jobs.hpp"

namespace crucible::server::store {

Result<SweepId> insert_sweep(Database& database, const NewSweep& sweep, TimeMs at) {
  auto status = database.execute(
      "INSERT INTO sweeps (name, parameter, recipe, suites, seed, created_at, submitter) "
      "VALUES (?, ?, ?, ?, ?, ?, ?)",
      {sweep.name, sweep.parameter, sweep.recipe, suites_text(sweep.suites), sweep.seed, at,
       sweep.submitter});
  if (!status) return fail(std::move(status).error());
  return database.last_insert_id();
}

Status insert_trial(Database& database, SweepId sweep, std::size_t position, double value,
                    JobId job) {
  return database.execute(
      "INSERT INTO trials (sweep_id, position, value, job_id) VALUES (?, ?, ?, ?)",
      {sweep, position, value, job});
}

Result<StoredSweep> get_sweep(Database& database, SweepId id) {
  auto found = database.query_one(
      "SELECT name, parameter, recipe, suites, created_at, cancelled_at, submitter FROM sweeps "
      "WHERE id = ?",
      {id}, [id](const Row& row) {
        StoredSweep stored;
        stored.sweep.id = id;
        stored.sweep.name = row.text(0);
        stored.sweep.parameter = row.text(1);
        stored.sweep.recipe = row.text(2);
        stored.sweep.suites = suites_from(row.text(3));
        stored.sweep.created_at = row.integer(4);
        stored.cancelled = !row.is_null(5);
        stored.sweep.submitter = row.text(6);
        return stored;
      });
  if (!found) return fail(std::move(found).error());
  if (!*found) return fail(ErrorCode::kNotFound, fmt::format("there is no sweep {}", id));
  auto trials =
      database.query("SELECT value, job_id FROM trials WHERE sweep_id = ? ORDER BY position", {id},
                     [](const Row& row) {
                       Trial trial;
                       trial.value = row.real(0);
                       trial.job_id = row.integer(1);
                       return trial;
                     });
  if (!trials) return fail(std::move(trials).error());
  (*found)->sweep.trials = std::move(*trials);
  return std::move(**found);
}

Result<std::vector<SweepId>> list_sweeps(Database& database) {
  return database.query("SELECT id FROM sweeps ORDER BY id DESC", {},
                        [](const Row& row) { return row.integer(0); });
}

Status mark_sweep_cancelled(Database& database, SweepId id, TimeMs at) {
  return database.execute(
      "UPDATE sweeps SET cancelled_at = ? WHERE id = ? AND cancelled_at IS NULL", {at, id});
}

Status keep_idempotency(Database& database, const IdempotencyRecord& record, TimeMs at) {
  if (record.key.empty()) return {};
  return database.execute(
      "INSERT INTO idempotency_keys (key, request_digest, resource, ids, created_at) "
      "VALUES (?, ?, ?, ?, ?)",
      {record.key, record.request_digest, record.resource, nlohmann::json(record.ids).dump(), at});
}

Result<std::optional<std::vector<std::int64_t>>> recall_idempotency(
    Database& database, std::string_view key, std::string_view request_digest) {
  using Ids = std::vector<std::int64_t>;
  if (key.empty()) return std::nullopt;
  struct Known {
    std::string digest;
    std::string ids;
  };
  auto known =
      database.query_one("SELECT request_digest, ids FROM idempotency_keys WHERE key = ?", {key},
                         [](const Row& row) { return Known{row.text(0), row.text(1)}; });
  if (!known) return fail(std::move(known).error());
  if (!*known) return std::nullopt;
  if ((*known)->digest != request_digest) {
    return fail(
        ErrorCode::kConflict,
        fmt::format("the idempotency key \"{}\" was used for another request; use a new key", key));
  }
  return nlohmann::json::parse((*known)->ids).get<Ids>();
}

}  // namespace crucible::server::store
