#pragma once

#include <span>

#include "server/http/router.hpp"
#include "server/service/service.hpp"
#include "server/web/assets.hpp"

namespace crucible::server::api {

// Every route of the daemon: /api/v1/…, /healthz, /readyz, /metrics, /openapi.json, and the page's
// files. `service` and `assets` must outlive the router.
void register_routes(http::Router& router, Service& service);
void register_assets(http::Router& router, std::span<const web::Asset> assets);

}  // namespace crucible::server::api
