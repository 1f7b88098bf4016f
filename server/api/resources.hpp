#pragma once

#include "server/http/router.hpp"
#include "server/service/service.hpp"

// One registration function a resource; routes.cpp calls them all.
namespace crucible::server::api {

inline constexpr std::string_view kBase = "/api/v1";

void add_merges(http::Router& router, Service& service);
void add_jobs(http::Router& router, Service& service);
void add_queue(http::Router& router, Service& service);
void add_tokens(http::Router& router, Service& service);
void add_storage(http::Router& router, Service& service);
void add_events(http::Router& router, Service& service);
void add_models(http::Router& router, Service& service);
void add_evaluations(http::Router& router, Service& service);
void add_suites(http::Router& router, Service& service);
void add_methods(http::Router& router);
void add_leaderboard(http::Router& router, Service& service);
void add_sweeps(http::Router& router, Service& service);
void add_searches(http::Router& router, Service& service);
void add_health(http::Router& router, Service& service);

// "/api/v1" + path
std::string path_of(std::string_view path);

}  // namespace crucible::server::api
