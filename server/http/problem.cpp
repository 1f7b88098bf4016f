#include "server/http/problem.hpp"

#include <nlohmann/json.hpp>

#include "merger/recipe/yaml_tree.hpp"

namespace crucible::server::http {
namespace {

using nlohmann::ordered_json;

Response problem_response(int status, std::string_view code, std::string_view detail,
                          ordered_json errors) {
  ordered_json body{{"type", "/problems/" + std::string(code)},
                    {"title", reason_phrase(status)},
                    {"status", status},
                    {"detail", detail},
                    {"code", code},
                    {"errors", std::move(errors)}};
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = body.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  response.set("Cache-Control", "no-store");
  if (status == 503) response.set("Retry-After", "1");
  return response;
}

Response error_response(int status, const Error& error, const PointerOf& pointer_of) {
  ordered_json errors = ordered_json::array();
  for (const Fault& fault : error.faults) {
    ordered_json entry{{"path", fault.path}};
    if (pointer_of) entry["pointer"] = pointer_of(fault.path);
    entry["message"] = fault.message;
    entry["suggestion"] = fault.suggestion;
    errors.push_back(std::move(entry));
  }
  return problem_response(status, to_string(error.code), error.message, std::move(errors));
}

std::string escape_pointer(std::string_view token) {
  std::string out;
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupported:
    case ErrorCode::kCorrupt:
      return 422;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kConflict:
    case ErrorCode::kCancelled:
      return 409;
    case ErrorCode::kPermission:
      return 403;
    case ErrorCode::kNoSpace:
      return 507;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kDeadline:
      return 504;
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      return 500;
  }
  return 500;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
}

std::string json_pointer(std::string_view path) {
  const auto parts = recipe::split_path(path);
  if (!parts) return {};
  std::string out;
  for (const auto& [name, is_index] : *parts) out += "/" + escape_pointer(name);
  return out;
}

Response problem(const Error& error, const PointerOf& pointer_of) {
  return error_response(status_of(error.code), error, pointer_of);
}

Response request_problem(const Error& error) {
  const int status = status_of(error.code);
  return error_response(status == 422 ? 400 : status, error, nullptr);
}

Response problem(int status, std::string_view code, std::string_view detail) {
  return problem_response(status, code, detail, ordered_json::array());
}

}  // namespace crucible::server::http
