#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/service/records.hpp"
#include "server/store/sqlite.hpp"

// Rows of sweeps, trials and idempotency_keys.
namespace crucible::server::store {

struct NewSweep {
  std::string name;
  std::string parameter;
  std::string recipe;
  std::vector<std::string> suites;
  std::uint64_t seed = 0;
  std::string submitter = {};
};

// A sweep as stored: its trials carry value and job id only, its state is still to be derived.
struct StoredSweep {
  Sweep sweep;
  bool cancelled = false;
};

Result<SweepId> insert_sweep(Database& database, const NewSweep& sweep, TimeMs at);
Status insert_trial(Database& database, SweepId sweep, std::size_t position, double value,
                    JobId job);
Result<StoredSweep> get_sweep(Database& database, SweepId id);  // kNotFound
Result<std::vector<SweepId>> list_sweeps(Database& database);   // newest first
Status mark_sweep_cancelled(Database& database, SweepId id, TimeMs at);

// What a client's Idempotency-Key already made.
struct IdempotencyRecord {
  std::string key;
  std::string request_digest;
  std::string resource;  // "job", "evaluation_jobs", "sweep"
  std::vector<std::int64_t> ids;
};
Status keep_idempotency(Database& database, const IdempotencyRecord& record, TimeMs at);
// The ids made by the same request under this key, none when the key is new or "". kConflict when
// the key was used for another request.
Result<std::optional<std::vector<std::int64_t>>> recall_idempotency(
    Database& database, std::string_view key, std::string_view request_digest);

}  // namespace crucible::server::store
