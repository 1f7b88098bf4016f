#include "server/metrics/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

namespace crucible::server::metrics {
namespace {

constexpr JobKind kKinds[] = {JobKind::kMerge, JobKind::kEvaluation, JobKind::kSweep};
constexpr JobState kStates[] = {JobState::kQueued,     JobState::kLeased,    JobState::kRunning,
                                JobState::kPublishing, JobState::kSucceeded, JobState::kRetryWait,
                                JobState::kFailed,     JobState::kDead,      JobState::kCancelled};

prometheus::Family<prometheus::Gauge>& gauge(prometheus::Registry& registry, const char* name,
                                             const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

const std::string kNoRoute = "none";

double resident_bytes() {
  std::uint64_t size = 0;
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> size >> pages;
  return static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double open_descriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator all("/proc/self/fd", error);
  return error ? 0 : static_cast<double>(std::distance(begin(all), end(all)));
}

const prometheus::Histogram::BucketBoundaries& seconds_buckets() {
  static const prometheus::Histogram::BucketBoundaries buckets{0.1, 0.5,  1,    5,    15,   60,
                                                               300, 1200, 3600, 7200, 28800};
  return buckets;
}

}  // namespace

struct Metrics::Families {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& attempts =
      prometheus::BuildCounter()
          .Name("crucible_attempts_total")
          .Help("Attempts that ended, by the state they gave the job")
          .Register(registry);
  prometheus::Family<prometheus::Histogram>& seconds =
      prometheus::BuildHistogram()
          .Name("crucible_attempt_seconds")
          .Help("Wall time of attempts, from lease to end")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& jobs =
      gauge(registry, "crucible_jobs", "Jobs by kind and state");
  prometheus::Gauge& depth =
      gauge(registry, "crucible_queue_depth", "Jobs that wait for a worker").Add({});
  prometheus::Gauge& events =
      gauge(registry, "crucible_job_events", "Highest id of the event log").Add({});
  prometheus::Gauge& commits =
      gauge(registry, "crucible_store_commits", "Durable transactions since the start").Add({});
  prometheus::Gauge& workers =
      gauge(registry, "crucible_workers_busy", "Worker processes at work").Add({});
  prometheus::Gauge& models = gauge(registry, "crucible_models", "Known models").Add({});
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter()
          .Name("crucible_http_requests_total")
          .Help("Answered requests, by route and status")
          .Register(registry);
  prometheus::Family<prometheus::Histogram>& request_seconds =
      prometheus::BuildHistogram()
          .Name("crucible_http_request_seconds")
          .Help("Time from a request's last byte to the answer's")
          .Register(registry);
  prometheus::Gauge& memory_used =
      gauge(registry, "crucible_memory_used_bytes", "Memory that running jobs need").Add({});
  prometheus::Gauge& memory_budget =
      gauge(registry, "crucible_memory_budget_bytes", "Memory of all jobs together").Add({});
  prometheus::Gauge& disk_free =
      gauge(registry, "crucible_disk_free_bytes", "Free space where the state lies").Add({});
  prometheus::Gauge& disk_floor =
      gauge(registry, "crucible_disk_floor_bytes", "Free space below which no merge starts")
          .Add({});
  prometheus::Gauge& resident =
      gauge(registry, "process_resident_memory_bytes", "Resident memory of the daemon").Add({});
  prometheus::Gauge& descriptors =
      gauge(registry, "process_open_fds", "Open descriptors of the daemon").Add({});
  prometheus::Gauge& sandbox =
      gauge(registry, "crucible_sandbox", "Version of Landlock that confines workers, 0 = none")
          .Add({});
  prometheus::Gauge& healthy =
      gauge(registry, "crucible_store_healthy", "1 while the store accepts writes").Add({});
};

Metrics::Metrics() : families_(std::make_unique<Families>()) {}
Metrics::~Metrics() = default;

void Metrics::attempt_ended(JobKind kind, JobState state, double seconds) {
  const std::string kind_name(to_string(kind));
  families_->attempts.Add({{"kind", kind_name}, {"state", std::string(to_string(state))}})
      .Increment();
  families_->seconds.Add({{"kind", kind_name}}, seconds_buckets()).Observe(seconds);
}

void Metrics::request_ended(const std::string& method, const std::string& route, int status,
                            double seconds) {
  static const prometheus::Histogram::BucketBoundaries buckets{0.001, 0.005, 0.01, 0.05, 0.1,
                                                               0.5,   1,     5,    30};
  const std::string& known = route.empty() ? kNoRoute : route;
  const std::string verb = route.empty() ? "" : method;  // clients could invent methods for ever
  families_->requests.Add({{"method", verb}, {"route", known}, {"status", std::to_string(status)}})
      .Increment();
  families_->request_seconds.Add({{"route", known}}, buckets).Observe(seconds);
}

void Metrics::set_sandbox(int version) { families_->sandbox.Set(version); }

std::string Metrics::text(const Gauges& gauges) {
  double waiting = 0;
  for (const JobKind kind : kKinds) {
    for (const JobState state : kStates) {
      double jobs = 0;
      for (const store::JobCount& count : gauges.jobs) {
        if (count.kind == kind && count.state == state) jobs = static_cast<double>(count.jobs);
      }
      if (state == JobState::kQueued || state == JobState::kRetryWait) waiting += jobs;
      families_->jobs
          .Add({{"kind", std::string(to_string(kind))}, {"state", std::string(to_string(state))}})
          .Set(jobs);
    }
  }
  families_->depth.Set(waiting);
  families_->events.Set(static_cast<double>(gauges.events));
  families_->commits.Set(static_cast<double>(gauges.commits));
  families_->workers.Set(static_cast<double>(gauges.busy_workers));
  families_->models.Set(static_cast<double>(gauges.models));
  families_->healthy.Set(gauges.store_healthy ? 1 : 0);
  families_->memory_used.Set(static_cast<double>(gauges.memory_used));
  families_->memory_budget.Set(static_cast<double>(gauges.memory_budget));
  families_->disk_free.Set(static_cast<double>(gauges.disk_free));
  families_->disk_floor.Set(static_cast<double>(gauges.disk_floor));
  families_->resident.Set(resident_bytes());
  families_->descriptors.Set(open_descriptors());
  return prometheus::TextSerializer().Serialize(families_->registry.Collect());
}

}  // namespace crucible::server::metrics
