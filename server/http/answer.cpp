#include "server/http/answer.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include "server/http/problem.hpp"

namespace crucible::server::http {
namespace {

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 40> text{};
  const std::size_t size =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return std::string(text.data(), size);
}

void put(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  std::copy_if(value.begin(), value.end(), std::back_inserter(out),
               [](char c) { return c != '\r' && c != '\n' && c != '\0'; });
  out += "\r\n";
}

// Weak comparison against a list of entity tags, or `*`.
bool matches_etag(std::string_view list, std::string_view etag) {
  if (list == "*") return true;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view item = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (item.starts_with("W/")) item.remove_prefix(2);
    if (item == etag) return true;
  }
  return false;
}

std::string allow_list(const std::vector<std::string>& methods) {
  std::string out;
  for (const std::string& method : methods) out += (out.empty() ? "" : ", ") + method;
  return out;
}

}  // namespace

std::string answer_head(const Response& response, bool close) {
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + " ";
  out += reason_phrase(response.status);
  out += "\r\n";
  put(out, "Date", http_date());
  if (response.events != nullptr) {
    put(out, "Content-Type", "text/event-stream");
    put(out, "Cache-Control", "no-store");
    put(out, "X-Accel-Buffering", "no");
  } else {
    if (!response.content_type.empty()) put(out, "Content-Type", response.content_type);
    const bool bodiless = response.status == 204 || response.status == 304;
    if (!bodiless) put(out, "Content-Length", std::to_string(response.content().size()));
  }
  for (const Header& header : response.headers) put(out, header.name, header.value);
  put(out, "X-Content-Type-Options", "nosniff");
  put(out, "Referrer-Policy", "no-referrer");
  put(out, "Cross-Origin-Resource-Policy", "same-origin");
  if (close || response.events != nullptr) put(out, "Connection", "close");
  out += "\r\n";
  return out;
}

std::optional<Response> answer_without_handler(const Request& request, const Router::Match& match) {
  if (request.method == "OPTIONS") {
    Response response;
    response.status = match.allow.empty() ? 404 : 204;
    if (match.allow.empty()) return problem(404, "not_found", "no such path");
    response.set("Allow", allow_list(match.allow));
    return response;
  }
  if (match.allow.empty()) return problem(404, "not_found", "no such path");
  if (match.route != nullptr) return std::nullopt;
  Response response = problem(405, "method_not_allowed", "this path does not take this method");
  response.set("Allow", allow_list(match.allow));
  return response;
}

Response call_handler(const Route& route, const Request& request) {
  Response response;
  try {
    response = route.handler(request);
  } catch (const std::exception& exception) {
    return problem(500, "internal", std::string("a bug in the handler: ") + exception.what());
  } catch (...) {
    return problem(500, "internal", "a bug in the handler");
  }
  const std::string_view etag = find_header(response.headers, "ETag");
  if (response.status != 200 || etag.empty()) return response;
  const std::string_view known = request.header("If-None-Match");
  if (known.empty() || !matches_etag(known, etag)) return response;
  response.status = 304;
  response.body.clear();
  response.static_body = {};
  return response;
}

}  // namespace crucible::server::http
