#include "server/api/json.hpp"
#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {
namespace {

constexpr std::int64_t kMostCandidates = 10'000;

std::string own_pointer(std::string_view path) { return "#" + http::json_pointer(path); }

http::Response sweep_response(int status, const Result<Sweep>& sweep) {
  if (!sweep) return http::problem(sweep.error(), own_pointer);
  http::Response response = json_response(status, to_json(*sweep));
  response.set("Location", path_of("/sweeps/" + std::to_string(sweep->id)));
  return response;
}

http::Response submit(Service& service, const http::Request& request) {
  auto key = idempotency_key(request);
  if (!key) return std::move(key.error());
  auto body = json_object(request);
  if (!body) return std::move(body.error());
  FieldReader fields(*body);
  SubmitSearch wanted;
  const Json* document = fields.any("document", true);
  if (document != nullptr && document->is_string()) wanted.document = *document;
  if (document != nullptr && document->is_object()) wanted.document = document->dump();
  if (document != nullptr && wanted.document.empty()) {
    fields.fault("document", "must be a sweep document: an object, or its text");
  }
  wanted.name = fields.text("name");
  wanted.idempotency_key = std::move(*key);
  wanted.submission = {request.principal.token, read_priority(fields)};
  if (auto refusal = fields.finish()) return std::move(*refusal);
  if (auto refusal = over_quota(service, request, 1)) return std::move(*refusal);
  return sweep_response(202, service.submit_search(wanted));
}

// A body is optional: {"budget": {…}}.
http::Response resume(Service& service, const http::Request& request, SweepId id) {
  nlohmann::json budget = nlohmann::json::object();
  if (!request.body.empty()) {
    auto body = json_object(request);
    if (!body) return std::move(body.error());
    FieldReader fields(*body);
    const Json* given = fields.any("budget");
    if (given != nullptr && !given->is_object()) {
      fields.fault("budget", "must be an object", "such as {\"items\": 20000}");
    }
    if (auto refusal = fields.finish()) return std::move(*refusal);
    if (given != nullptr) budget = nlohmann::json::parse(given->dump());
  }
  return sweep_response(202, service.resume_sweep(id, budget, request.principal));
}

http::Response fork(Service& service, const http::Request& request, SweepId id) {
  auto body = json_object(request);
  if (!body) return std::move(body.error());
  FieldReader fields(*body);
  const Json* trial = fields.any("trial", true);
  if (trial != nullptr && !trial->is_number_unsigned()) {
    fields.fault("trial", "must be the number of a trial");
  }
  const Submission submission{request.principal.token, read_priority(fields)};
  if (auto refusal = fields.finish()) return std::move(*refusal);
  if (auto refusal = over_quota(service, request, 1)) return std::move(*refusal);
  return sweep_response(202, service.fork_sweep(id, trial->get<std::int64_t>(), submission));
}

http::Response trials(Service& service, const http::Request& request, SweepId id) {
  QueryReader query(request);
  const auto limit = query.integer("limit", 1, kMostCandidates);
  const auto cursor = query.integer("cursor", 0, std::int64_t{1} << 62);
  if (auto refusal = query.finish()) return std::move(*refusal);
  const auto page =
      service.trials(id, cursor.value_or(-1), static_cast<std::size_t>(limit.value_or(500)));
  if (!page) return http::problem(page.error());
  return json_response(200, list_json(page->items, page->next_cursor));
}

// A handler of one sweep.
template <typename Handler>
http::Handler of_sweep(Service& service, Handler handler) {
  return [&service, handler](const http::Request& request) {
    const auto id = path_id(request);
    if (!id) return not_found("sweep");
    return handler(service, request, *id);
  };
}

}  // namespace

void add_searches(http::Router& router, Service& service) {
  router.add("POST", path_of("/searches"), http::Role::kSubmit,
             [&service](const http::Request& request) { return submit(service, request); });
  router.add("GET", path_of("/sweeps/{id}/trials"), http::Role::kRead, of_sweep(service, trials));
  router.add("POST", path_of("/sweeps/{id}/pause"), http::Role::kSubmit,
             of_sweep(service, [](Service& to, const http::Request& request, SweepId id) {
               return sweep_response(202, to.pause_sweep(id, request.principal));
             }));
  router.add("POST", path_of("/sweeps/{id}/resume"), http::Role::kSubmit,
             of_sweep(service, resume));
  router.add("POST", path_of("/sweeps/{id}/fork"), http::Role::kSubmit, of_sweep(service, fork));
}

}  // namespace crucible::server::api
