#include "server/api/routes.hpp"

#include <map>

#include "server/api/resources.hpp"

namespace crucible::server::api {
namespace {

// The page loads nothing from elsewhere, and nobody may frame it.
constexpr std::string_view kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' "
    "data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

bool accepts_gzip(const http::Request& request) {
  const std::string_view accepted = request.header("Accept-Encoding");
  const std::size_t at = accepted.find("gzip");
  return at != std::string_view::npos && !accepted.substr(at).starts_with("gzip;q=0");
}

http::Response asset_response(const web::Asset& asset) {
  http::Response response;
  response.content_type = asset.content_type;
  response.static_body = {reinterpret_cast<const char*>(asset.bytes.data()), asset.bytes.size()};
  if (asset.gzip) response.set("Content-Encoding", "gzip");
  response.set("Vary", "Accept-Encoding");
  response.set("ETag", std::string(asset.etag));
  response.set("Cache-Control",
               asset.immutable ? "public, max-age=31536000, immutable" : "no-cache");
  response.set("Content-Security-Policy", std::string(kContentPolicy));
  return response;
}

}  // namespace

std::string path_of(std::string_view path) { return std::string(kBase) + std::string(path); }

void register_routes(http::Router& router, Service& service) {
  add_merges(router, service);
  add_jobs(router, service);
  add_queue(router, service);
  add_events(router, service);
  add_models(router, service);
  add_evaluations(router, service);
  add_suites(router, service);
  add_methods(router);
  add_leaderboard(router, service);
  add_sweeps(router, service);
  add_searches(router, service);
  add_storage(router, service);
  add_tokens(router, service);
  add_health(router, service);
}

void register_assets(http::Router& router, std::span<const web::Asset> assets) {
  struct Variants {
    const web::Asset* plain = nullptr;
    const web::Asset* gzip = nullptr;
  };
  std::map<std::string, Variants, std::less<>> paths;
  for (const web::Asset& asset : assets) {
    Variants& variants = paths[std::string(asset.path)];
    (asset.gzip ? variants.gzip : variants.plain) = &asset;
  }
  for (const auto& [path, found] : paths) {
    router.add("GET", path, http::Role::kPublic, [variants = found](const http::Request& request) {
      const bool gzip =
          variants.gzip != nullptr && (variants.plain == nullptr || accepts_gzip(request));
      return asset_response(gzip ? *variants.gzip : *variants.plain);
    });
  }
}

}  // namespace crucible::server::api
