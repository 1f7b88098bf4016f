#pragma once

#include <string>
#include <vector>

#include "server/service/queue_records.hpp"
#include "server/store/sqlite.hpp"

// Kinds of jobs that are not taken up at the moment. A pause outlives the daemon.
namespace crucible::server::store {

// Keeps the first time when the kind is paused already.
Status pause_kind(Database& database, JobKind kind, std::string_view by, TimeMs at);
Status resume_kind(Database& database, JobKind kind);
Result<std::vector<QueuePause>> queue_pauses(Database& database);

}  // namespace crucible::server::store
