#include "server/metrics/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <string>

namespace crucible::server::metrics {
namespace {

constexpr JobKind kKinds[] = {JobKind::kMerge, JobKind::kEvaluation};
constexpr JobState kStates[] = {JobState::kQueued,     JobState::kLeased,    JobState::kRunning,
                                JobState::kPublishing, JobState::kSucceeded, JobState::kRetryWait,
                                JobState::kFailed,     JobState::kDead,      JobState::kCancelled};

prometheus::Family<prometheus::Gauge>& gauge(prometheus::Registry& registry, const char* name,
                                             const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
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
  return prometheus::TextSerializer().Serialize(families_->registry.Collect());
}

}  // namespace crucible::server::metrics
