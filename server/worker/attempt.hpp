#pragma once

// The worker's side of one attempt, `crucible work`: reads the spec on descriptor 0, writes frames
// to descriptor 3, logs to 1 and 2. SIGTERM asks it to stop at the next step.
namespace crucible::server::worker {

// The process's exit code: 0 when a result was delivered, 1 when an error was, 2 when it was not
// started as a worker.
int run_attempt();

}  // namespace crucible::server::worker
