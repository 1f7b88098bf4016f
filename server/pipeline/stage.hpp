#pragma once

#include <span>

#include "nlohmann/json.hpp"
#include "server/queue/job_queue.hpp"

// What the workers' supervisor must know of a kind of job.
namespace crucible::server::pipeline {

class Stage {
 public:
  virtual ~Stage() = default;
  // True when the job's result was known and the job has succeeded without a worker.
  virtual Result<bool> settle(queue::Lease& lease) = 0;
  // The spec for the worker; its staging folder is made, empty.
  virtual Result<nlohmann::json> prepare(const queue::Lease& lease) = 0;
  // Keeps what a worker told beside progress, in one transaction, as long as the lease is the job's
  // latest.
  virtual Status note(const queue::Lease&, std::span<const nlohmann::json>) {
    return fail(ErrorCode::kInternal, "this kind of job tells nothing");
  }
  // Publishes the worker's result and records the success. Safe to call again after a crash at any
  // point of it: the effects happen once.
  virtual Status finish(queue::Lease& lease, const nlohmann::json& result) = 0;
  // Removes what the attempt left in staging.
  virtual void discard(const queue::Lease& lease) = 0;
};

}  // namespace crucible::server::pipeline
