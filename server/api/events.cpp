#include <charconv>

#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {
namespace {

constexpr std::size_t kBatch = 100;

// Events of one job (which end with the job) or of all jobs (job 0, which never end).
class JobEvents final : public http::EventSource {
 public:
  JobEvents(Service& service, JobId job, std::int64_t after)
      : service_(service), job_(job), after_(after) {}

  std::uint64_t sequence() const override { return service_.event_sequence(); }

  Result<Step> next() override {
    Step step;
    if (!greeted_) step.text = "retry: 2000\n\n";
    // The job is looked at first: when it was final before its events were read, none are missing.
    Json final_job;
    if (job_ != 0) {
      const auto job = service_.job(job_);
      if (!job) return fail(job.error());
      if (is_final(job->state)) final_job = to_json(*job);
    }
    const auto events = service_.events(job_, after_, kBatch);
    if (!events) return fail(events.error());
    for (const JobEvent& event : *events) {
      after_ = event.id;
      step.text += "id: " + std::to_string(event.id) +
                   "\nevent: job\ndata: " + dump(to_json(event)) + "\n\n";
    }
    greeted_ = true;
    step.more = events->size() == kBatch;
    step.end = !step.more && !final_job.is_null();
    if (step.end) step.text += "event: end\ndata: " + dump(final_job) + "\n\n";
    return step;
  }

 private:
  Service& service_;
  JobId job_;
  std::int64_t after_;
  bool greeted_ = false;
};

// Where to resume: the header that browsers send by themselves, or ?after=N.
Parsed<std::optional<std::int64_t>> resume_point(const http::Request& request) {
  QueryReader query(request);
  auto after = query.integer("after", 0, std::int64_t{1} << 62);
  const std::string_view last = request.header("Last-Event-ID");
  if (!last.empty()) {
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(last.data(), last.data() + last.size(), id);
    if (error == std::errc() && end == last.data() + last.size() && id >= 0) after = id;
  }
  if (auto refusal = query.finish()) return tl::make_unexpected(std::move(*refusal));
  return after;
}

http::Response stream(Service& service, JobId job, std::int64_t after) {
  http::Response response;
  response.events = std::make_unique<JobEvents>(service, job, after);
  return response;
}

}  // namespace

void add_events(http::Router& router, Service& service) {
  router.add("GET", path_of("/jobs/{id}/events"), http::Role::kRead,
             [&service](const http::Request& request) {
               auto after = resume_point(request);
               if (!after) return std::move(after.error());
               const auto id = path_id(request);
               if (!id) return not_found("job");
               const auto job = service.job(*id);
               if (!job) return http::problem(job.error());
               return stream(service, *id, after->value_or(0));
             });
  router.add("GET", path_of("/events"), http::Role::kRead,
             [&service](const http::Request& request) {
               auto after = resume_point(request);
               if (!after) return std::move(after.error());
               if (*after) return stream(service, 0, **after);
               const auto last = service.last_event_id();
               if (!last) return http::problem(last.error());
               return stream(service, 0, *last);
             });
}

}  // namespace crucible::server::api
