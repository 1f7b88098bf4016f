#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"

namespace crucible::server::api {

void add_merges(http::Router& router, Service& service) {
  router.add("POST", path_of("/merges"), http::Role::kSubmit,
             [&service](const http::Request& request) {
               auto merge = merge_request(request);
               if (!merge) return std::move(merge.error());
               if (auto refusal = over_quota(service, request, 1)) return std::move(*refusal);
               const auto job = service.submit_merge(merge->submit);
               if (!job) return merge->fail(job.error());
               http::Response response = json_response(202, to_json(*job));
               response.set("Location", path_of("/jobs/" + std::to_string(job->id)));
               return response;
             });
  router.add("POST", path_of("/merges/preflight"), http::Role::kSubmit,
             [&service](const http::Request& request) {
               auto merge = merge_request(request);
               if (!merge) return std::move(merge.error());
               const auto preflight = service.preflight(merge->submit);
               if (!preflight) return merge->fail(preflight.error());
               return json_response(200, to_json(*preflight));
             });
}

}  // namespace crucible::server::api
