#include "server/api/listing.hpp"
#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {
namespace {

std::string own_pointer(std::string_view path) { return "#" + http::json_pointer(path); }

http::Response register_model(Service& service, const http::Request& request) {
  auto body = json_object(request);
  if (!body) return std::move(body.error());
  FieldReader fields(*body);
  RegisterModel wanted;
  wanted.path = fields.text("path");
  wanted.endpoint = fields.text("endpoint");
  if (wanted.path.empty() == wanted.endpoint.empty()) {
    fields.fault("path", "is missing", "give the path of a folder, or an endpoint's name");
  }
  wanted.name = fields.text("name");
  if (auto refusal = fields.finish()) return std::move(*refusal);
  const auto model = service.register_model(wanted);
  if (!model) return http::problem(model.error(), own_pointer);
  http::Response response = json_response(201, to_json(*model));
  response.set("Location", path_of("/models/" + std::to_string(model->id)));
  return response;
}

http::Response model_recipe(Service& service, const http::Request& request) {
  const auto model = service.model(request.path_value("id"));
  if (!model) return http::problem(model.error());
  if (!model->recipe) return not_found("recipe: the model was registered, not merged");
  http::Response response;
  response.content_type = "application/yaml";
  response.body = *model->recipe;
  response.set("Cache-Control", "no-store");
  return response;
}

}  // namespace

void add_models(http::Router& router, Service& service) {
  router.add("POST", path_of("/models"), http::Role::kSubmit,
             [&service](const http::Request& request) { return register_model(service, request); });
  router.add("GET", path_of("/models"), http::Role::kRead,
             [&service](const http::Request& request) {
               QueryReader query(request);
               return list_response(query, service.models());
             });
  router.add("GET", path_of("/models/{id}"), http::Role::kRead,
             [&service](const http::Request& request) {
               const auto model = service.model(request.path_value("id"));
               if (!model) return http::problem(model.error());
               return json_response(200, to_json(*model));
             });
  router.add("GET", path_of("/models/{id}/recipe"), http::Role::kRead,
             [&service](const http::Request& request) { return model_recipe(service, request); });
}

}  // namespace crucible::server::api
