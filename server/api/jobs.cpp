#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {
namespace {

http::Response list_jobs(Service& service, const http::Request& request) {
  QueryReader query(request);
  JobFilter filter;
  filter.state = job_state_from(
      query.choice("state", {"queued", "leased", "running", "publishing", "succeeded", "retry_wait",
                             "failed", "dead", "cancelled"}));
  filter.kind = job_kind_from(query.choice("kind", {"merge", "evaluation", "sweep"}));
  filter.sweep_id = query.integer("sweep_id", 1, std::int64_t{1} << 62);
  filter.cursor = query.text("cursor");
  filter.limit = static_cast<std::size_t>(query.integer("limit", 1, 500).value_or(50));
  if (auto refusal = query.finish()) return std::move(*refusal);
  const auto page = service.jobs(filter);
  if (page) return json_response(200, list_json(page->items, page->next_cursor));
  return http::request_problem(page.error());
}

template <typename Act>
http::Response on_job(const http::Request& request, Act act) {
  const auto id = path_id(request);
  if (!id) return not_found("job");
  return act(*id);
}

http::Response job_response(int status, const Result<Job>& job) {
  if (!job) return http::problem(job.error());
  return json_response(status, to_json(*job));
}

}  // namespace

void add_jobs(http::Router& router, Service& service) {
  router.add("GET", path_of("/jobs"), http::Role::kRead,
             [&service](const http::Request& request) { return list_jobs(service, request); });
  router.add("GET", path_of("/jobs/{id}"), http::Role::kRead,
             [&service](const http::Request& request) {
               return on_job(request, [&](JobId id) {
                 const auto job = service.job(id);
                 if (!job) return http::problem(job.error());
                 return json_response(200, to_json(*job, JobDetail::kWithRecipe));
               });
             });
  router.add("POST", path_of("/jobs/{id}/cancel"), http::Role::kSubmit,
             [&service](const http::Request& request) {
               return on_job(request, [&](JobId id) {
                 return job_response(202, service.cancel_job(id, request.principal));
               });
             });
  router.add("POST", path_of("/jobs/{id}/retry"), http::Role::kSubmit,
             [&service](const http::Request& request) {
               return on_job(request, [&](JobId id) {
                 return job_response(202, service.retry_job(id, request.principal));
               });
             });
  router.add("GET", path_of("/jobs/{id}/log"), http::Role::kRead,
             [&service](const http::Request& request) {
               return on_job(request, [&](JobId id) {
                 auto log = service.job_log(id);
                 if (!log) return http::problem(log.error());
                 http::Response response;
                 response.content_type = "text/plain; charset=utf-8";
                 response.body = std::move(*log);
                 response.set("Cache-Control", "no-store");
                 return response;
               });
             });
}

}  // namespace crucible::server::api
