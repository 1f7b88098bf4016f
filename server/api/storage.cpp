#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::uint64_t kMostDays = 36'500;

std::string own_pointer(std::string_view path) { return "#" + http::json_pointer(path); }

std::int64_t days(FieldReader& fields, std::string_view key) {
  const std::uint64_t value = fields.natural(key);
  if (value > kMostDays) fields.fault(std::string(key), "must be at most 36500");
  return static_cast<std::int64_t>(std::min(value, kMostDays)) * kDayMs;
}

http::Response garbage(Service& service, const http::Request& request) {
  auto body = json_object(request);
  if (!body) return std::move(body.error());
  FieldReader fields(*body);
  GarbageRules rules;
  const bool apply = fields.boolean("apply");
  rules.models = fields.texts("models");
  const bool by_age = body->contains("older_than_days");
  const std::int64_t age = days(fields, "older_than_days");
  if (by_age) rules.older_than_ms = age;
  if (body->contains("keep_best")) rules.keep_best = fields.natural("keep_best");
  if (body->contains("log_days")) rules.log_age_ms = days(fields, "log_days");
  if (body->contains("cache_bytes")) rules.cache_bytes = fields.natural("cache_bytes");
  if (auto refusal = fields.finish()) return std::move(*refusal);
  const auto items = service.garbage(rules, apply);
  if (!items) return http::problem(items.error(), own_pointer);
  Json list = Json::array();
  std::uint64_t bytes = 0;
  for (const GarbageItem& item : *items) {
    list.push_back({{"path", item.path},
                    {"bytes", item.bytes},
                    {"reason", item.reason},
                    {"model_id", item.model_id == 0 ? Json(nullptr) : Json(item.model_id)}});
    bytes += item.bytes;
  }
  return json_response(200, Json{{"applied", apply}, {"bytes", bytes}, {"items", std::move(list)}});
}

http::Response usage(Service& service) {
  const auto found = service.storage();
  if (!found) return http::problem(found.error());
  Json areas = Json::object();
  for (const auto& [area, bytes] : found->areas) areas[area] = bytes;
  return json_response(200, Json{{"bytes", std::move(areas)}, {"free_bytes", found->free_bytes}});
}

http::Response back_up(Service& service, const http::Request& request) {
  auto body = json_object(request);
  if (!body) return std::move(body.error());
  FieldReader fields(*body);
  const std::string folder = fields.text("folder", true);
  const bool with_models = fields.boolean("with_models");
  if (auto refusal = fields.finish()) return std::move(*refusal);
  const auto made = service.back_up(folder, with_models);
  if (!made) return http::problem(made.error(), own_pointer);
  return json_response(201, Json{{"folder", made->folder},
                                 {"files", made->files},
                                 {"bytes", made->bytes},
                                 {"last_event", made->last_event}});
}

void add_pin(http::Router& router, Service& service, const char* path, bool pinned) {
  router.add("POST", path_of(path), http::Role::kSubmit,
             [&service, pinned](const http::Request& request) {
               const auto model = service.pin_model(request.path_value("id"), pinned);
               if (!model) return http::problem(model.error());
               return json_response(200, to_json(*model));
             });
}

}  // namespace

void add_storage(http::Router& router, Service& service) {
  router.add("GET", path_of("/storage"), http::Role::kRead,
             [&service](const http::Request&) { return usage(service); });
  router.add("POST", path_of("/storage/gc"), http::Role::kAdmin,
             [&service](const http::Request& request) { return garbage(service, request); });
  router.add("POST", path_of("/storage/backup"), http::Role::kAdmin,
             [&service](const http::Request& request) { return back_up(service, request); });
  add_pin(router, service, "/models/{id}/pin", true);
  add_pin(router, service, "/models/{id}/unpin", false);
}

}  // namespace crucible::server::api
