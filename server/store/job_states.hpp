#pragma once

#include "server/service/records.hpp"

// The state machine of a job, as a table.
namespace crucible::server {

// queued → leased → running → publishing → succeeded is the way of a job that works. From queued or
// leased straight to succeeded: the result was known already. Back to queued: the daemon stopped, a
// retry is due, or someone asked for one. Publishing cannot be cancelled: its effect may exist.
bool is_legal(JobState from, JobState to);

}  // namespace crucible::server
