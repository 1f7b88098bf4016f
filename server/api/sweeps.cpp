#include <array>
#include <charconv>

#include "server/api/listing.hpp"
#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {
namespace {

constexpr std::size_t kMostTrials = 1000;

// The nearest number of 12 significant digits: a grid's third point reads 0.6, not
// 0.6000000000000001.
double tidy(double value) {
  std::array<char, 32> text{};
  const auto end =
      std::to_chars(text.begin(), text.end(), value, std::chars_format::general, 12).ptr;
  std::from_chars(text.begin(), end, value);
  return value;
}

// {from, to, points}: evenly spaced, both ends included.
std::vector<double> spaced(FieldReader& fields, const Json& range) {
  const auto from = fields.number(range, "from", "values");
  const auto to = fields.number(range, "to", "values");
  const auto points = fields.number(range, "points", "values");
  for (const auto& [key, value] : range.items()) {
    if (key != "from" && key != "to" && key != "points") {
      fields.fault("values." + key, "unknown field", "known here: from, to, points");
    }
  }
  if (!from || !to || !points) return {};
  const auto count = static_cast<std::size_t>(*points >= 2 && *points <= kMostTrials ? *points : 0);
  if (static_cast<double>(count) != *points) {
    fields.fault("values.points",
                 "must be a whole number from 2 to " + std::to_string(kMostTrials));
    return {};
  }
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(count - 1);
    values.push_back(i + 1 == count ? *to : tidy(*from + (*to - *from) * share));
  }
  return values;
}

std::vector<double> sweep_values(FieldReader& fields) {
  const Json* value = fields.any("values", true);
  if (value == nullptr) return {};
  if (value->is_object()) return spaced(fields, *value);
  std::vector<double> values;
  if (!value->is_array() || value->empty() || value->size() > kMostTrials) {
    fields.fault("values", "must be a list of 1 to " + std::to_string(kMostTrials) +
                               " numbers, or {from, to, points}");
    return values;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    if ((*value)[i].is_number()) {
      values.push_back((*value)[i].get<double>());
    } else {
      fields.fault("values[" + std::to_string(i) + "]", "must be a number");
    }
  }
  return values;
}

http::Response submit(Service& service, const http::Request& request) {
  auto key = idempotency_key(request);
  if (!key) return std::move(key.error());
  auto body = json_object(request);
  if (!body) return std::move(body.error());
  FieldReader fields(*body);
  SubmitSweep wanted;
  RecipeText recipe = recipe_field(fields);
  wanted.recipe = std::move(recipe.text);
  wanted.parameter = fields.text("parameter", true);
  wanted.values = sweep_values(fields);
  wanted.suites = fields.texts("suites", true);
  wanted.name = fields.text("name");
  read_merge_options(fields, wanted);
  wanted.idempotency_key = std::move(*key);
  wanted.submission.submitter = request.principal.token;
  if (auto refusal = fields.finish()) return std::move(*refusal);
  if (auto refusal = over_quota(service, request, wanted.values.size())) return std::move(*refusal);
  const auto sweep = service.submit_sweep(wanted);
  if (!sweep) {
    const bool object = recipe.is_object;
    return http::problem(sweep.error(),
                         [object](std::string_view path) { return body_pointer(path, object); });
  }
  http::Response response = json_response(202, to_json(*sweep));
  response.set("Location", path_of("/sweeps/" + std::to_string(sweep->id)));
  return response;
}

http::Response sweep_response(int status, const Result<Sweep>& sweep) {
  if (!sweep) return http::problem(sweep.error());
  return json_response(status, to_json(*sweep));
}

}  // namespace

void add_sweeps(http::Router& router, Service& service) {
  router.add("POST", path_of("/sweeps"), http::Role::kSubmit,
             [&service](const http::Request& request) { return submit(service, request); });
  router.add("GET", path_of("/sweeps"), http::Role::kRead,
             [&service](const http::Request& request) {
               QueryReader query(request);
               return list_response(query, service.sweeps());
             });
  router.add("GET", path_of("/sweeps/{id}"), http::Role::kRead,
             [&service](const http::Request& request) {
               const auto id = path_id(request);
               if (!id) return not_found("sweep");
               return sweep_response(200, service.sweep(*id));
             });
  router.add("POST", path_of("/sweeps/{id}/cancel"), http::Role::kSubmit,
             [&service](const http::Request& request) {
               const auto id = path_id(request);
               if (!id) return not_found("sweep");
               return sweep_response(202, service.cancel_sweep(*id, request.principal));
             });
}

}  // namespace crucible::server::api
