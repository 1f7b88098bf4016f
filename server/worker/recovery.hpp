#pragma once

#include <map>

#include "server/pipeline/stage.hpp"
#include "server/pipeline/state_folder.hpp"

namespace crucible::server::worker {

using Stages = std::map<JobKind, pipeline::Stage*>;

struct RecoveryReport {
  std::size_t orphans_killed = 0;
  std::size_t finished = 0;  // results of the previous life, recorded now
  std::size_t requeued = 0;
  std::size_t cancelled = 0;
};

// Settles what a daemon that is gone left behind, before any worker starts: its processes are
// killed (after their identity is verified), results that only waited to be recorded are recorded,
// all other jobs go back to the queue at no cost, and staging is emptied.
Result<RecoveryReport> recover(store::Store& store, queue::JobQueue& queue,
                               const pipeline::StateFolder& state, const Stages& stages);

}  // namespace crucible::server::worker
