#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/queue/job_queue.hpp"

// What Prometheus is told. Thread-safe.
namespace crucible::server::metrics {

// Read from the store when the exposition is asked for.
struct Gauges {
  std::vector<store::JobCount> jobs;
  std::uint64_t events = 0;
  std::uint64_t commits = 0;
  std::size_t busy_workers = 0;
  std::int64_t models = 0;
  bool store_healthy = true;
  std::uint64_t memory_used = 0;    // bytes that running jobs need
  std::uint64_t memory_budget = 0;  // bytes; 0 = unlimited
  std::uint64_t disk_free = 0;      // bytes
  std::uint64_t disk_floor = 0;     // bytes below which no merge starts
};

class Metrics : public queue::AttemptObserver {
 public:
  Metrics();
  ~Metrics() override;

  void attempt_ended(JobKind kind, JobState state, double seconds) override;
  // `route`: the pattern, a bounded label; "" when none matched.
  void request_ended(const std::string& method, const std::string& route, int status,
                     double seconds);
  // What confines workers: Landlock's version, 0 = nothing.
  void set_sandbox(int version);
  // The text exposition format, version 0.0.4.
  std::string text(const Gauges& gauges);

 private:
  struct Families;
  std::unique_ptr<Families> families_;  // prometheus-cpp stays in the source file
};

}  // namespace crucible::server::metrics
