#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {
namespace {

http::Response status_response(const Result<QueueStatus>& status) {
  if (!status) return http::problem(status.error());
  http::Response response = json_response(200, to_json(*status));
  response.set("Cache-Control", "no-store");
  return response;
}

// Reads {kind?} and calls `act` with it.
template <typename Act>
http::Response on_kind(const http::Request& request, Act act) {
  auto body = json_object(request);
  if (!body) return std::move(body.error());
  FieldReader fields(*body);
  const auto kind = job_kind_from(fields.choice("kind", {"merge", "evaluation", "sweep"}));
  if (auto refusal = fields.finish()) return std::move(*refusal);
  return status_response(act(kind));
}

http::Response set_priority(Service& service, const http::Request& request) {
  const auto id = path_id(request);
  if (!id) return not_found("job");
  auto body = json_object(request);
  if (!body) return std::move(body.error());
  FieldReader fields(*body);
  (void)fields.any("priority", true);
  const std::int64_t priority = read_priority(fields);
  if (auto refusal = fields.finish()) return std::move(*refusal);
  const auto job = service.set_priority(*id, priority, request.principal);
  if (!job) return http::problem(job.error());
  return json_response(200, to_json(*job));
}

}  // namespace

void add_queue(http::Router& router, Service& service) {
  router.add("GET", path_of("/queue"), http::Role::kRead, [&service](const http::Request& request) {
    QueryReader query(request);
    if (auto refusal = query.finish()) return std::move(*refusal);
    return status_response(service.queue_status());
  });
  router.add("POST", path_of("/queue/pause"), http::Role::kAdmin,
             [&service](const http::Request& request) {
               return on_kind(request, [&](std::optional<JobKind> kind) {
                 return service.pause_queue(kind, request.principal.token);
               });
             });
  router.add("POST", path_of("/queue/resume"), http::Role::kAdmin,
             [&service](const http::Request& request) {
               return on_kind(request, [&](std::optional<JobKind> kind) {
                 return service.resume_queue(kind);
               });
             });
  router.add("POST", path_of("/jobs/{id}/priority"), http::Role::kSubmit,
             [&service](const http::Request& request) { return set_priority(service, request); });
}

}  // namespace crucible::server::api
