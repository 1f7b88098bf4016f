#include "server/api/listing.hpp"
#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {
namespace {

std::string own_pointer(std::string_view path) { return "#" + http::json_pointer(path); }

http::Response submit(Service& service, const http::Request& request) {
  auto key = idempotency_key(request);
  if (!key) return std::move(key.error());
  auto body = json_object(request);
  if (!body) return std::move(body.error());
  FieldReader fields(*body);
  SubmitEvaluation wanted;
  const Json* model = fields.any("model", true);
  if (model != nullptr && model->is_number_unsigned()) {
    wanted.model = std::to_string(model->get<std::uint64_t>());
  } else if (model != nullptr) {
    wanted.model = fields.text("model", true);
  }
  wanted.suites = fields.texts("suites", true);
  wanted.idempotency_key = std::move(*key);
  wanted.submission = {request.principal.token, read_priority(fields)};
  if (auto refusal = fields.finish()) return std::move(*refusal);
  if (auto refusal = over_quota(service, request, wanted.suites.size())) return std::move(*refusal);
  const auto jobs = service.submit_evaluation(wanted);
  if (!jobs) return http::problem(jobs.error(), own_pointer);
  http::Response response = json_response(202, list_json(*jobs));
  if (!jobs->empty())
    response.set("Location", path_of("/jobs/" + std::to_string(jobs->front().id)));
  return response;
}

http::Response samples(Service& service, const http::Request& request) {
  const auto id = path_id(request);
  if (!id) return not_found("evaluation");
  auto lines = service.evaluation_samples(*id);
  if (!lines) return http::problem(lines.error());
  http::Response response;
  response.content_type = "application/x-ndjson";
  response.body = std::move(*lines);
  response.set("Cache-Control", "no-store");
  return response;
}

http::Response comparison(Service& service, const http::Request& request) {
  QueryReader query(request);
  const std::string a = query.text("a");
  const std::string b = query.text("b");
  const std::string suite = query.text("suite");
  if (auto refusal = query.finish()) return std::move(*refusal);
  const auto compared = service.comparison(a, b, suite);
  if (!compared) return http::problem(compared.error());
  http::Response response = json_response(200, to_json(*compared));
  response.set("Cache-Control", "no-store");
  return response;
}

}  // namespace

void add_evaluations(http::Router& router, Service& service) {
  router.add("POST", path_of("/evaluations"), http::Role::kSubmit,
             [&service](const http::Request& request) { return submit(service, request); });
  router.add("GET", path_of("/evaluations"), http::Role::kRead,
             [&service](const http::Request& request) {
               QueryReader query(request);
               const std::string model = query.text("model");
               const std::string suite = query.text("suite");
               return list_response(query, service.evaluations(model, suite));
             });
  router.add("GET", path_of("/evaluations/{id}"), http::Role::kRead,
             [&service](const http::Request& request) {
               const auto id = path_id(request);
               if (!id) return not_found("evaluation");
               const auto evaluation = service.evaluation(*id);
               if (!evaluation) return http::problem(evaluation.error());
               return json_response(200, to_json(*evaluation));
             });
  router.add("GET", path_of("/evaluations/{id}/samples"), http::Role::kRead,
             [&service](const http::Request& request) { return samples(service, request); });
  router.add("GET", path_of("/comparisons"), http::Role::kRead,
             [&service](const http::Request& request) { return comparison(service, request); });
}

}  // namespace crucible::server::api
