#include "server/cli/api_client.hpp"

#include <charconv>
#include <thread>

#include "merger/base/json_text.hpp"
#include "merger/recipe/text.hpp"

namespace crucible::server::cli {
namespace {

Result<Json> parse(const std::string& body) {
  Json json = parse_untrusted_json<Json>(body);
  if (json.is_discarded()) return fail(ErrorCode::kCorrupt, "the daemon's answer is not JSON");
  return json;
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

ErrorCode code_of(const std::string& name, int status) {
  const ErrorCode code = error_code_from(name);
  if (code != ErrorCode::kInternal || name == "internal") return code;
  if (status == 404) return ErrorCode::kNotFound;
  if (status == 401 || status == 403) return ErrorCode::kPermission;
  if (status == 503 || status == 429) return ErrorCode::kUnavailable;
  return status < 500 ? ErrorCode::kInvalidArgument : ErrorCode::kInternal;
}

}  // namespace

Error error_from_reply(const HttpReply& reply) {
  const Json problem = parse_untrusted_json<Json>(reply.body);
  if (reply.media_type != "application/problem+json" || !problem.is_object()) {
    return {code_of("", reply.status),
            "the server answered " + std::to_string(reply.status) + ": " +
                recipe::printable(reply.body, 200),
            {}};
  }
  Error error{code_of(text_of(problem, "code"), reply.status), text_of(problem, "detail"), {}};
  const auto faults = problem.find("errors");
  if (faults == problem.end() || !faults->is_array()) return error;
  for (const Json& fault : *faults) {
    if (!fault.is_object()) continue;
    error.faults.push_back(
        {text_of(fault, "path"), text_of(fault, "message"), text_of(fault, "suggestion")});
  }
  return error;
}

Result<HttpReply> ApiClient::checked(const HttpCall& call) const {
  auto reply = http_.call(call);
  if (reply && (reply->status < 200 || reply->status > 299)) return fail(error_from_reply(*reply));
  return reply;
}

Result<std::string> ApiClient::get_text(const std::string& path) const {
  HttpCall call;
  call.target = "/api/v1" + path;
  return checked(call).map([](HttpReply&& reply) { return std::move(reply.body); });
}

Result<Json> ApiClient::get(const std::string& path) const {
  return get_text(path).and_then(parse);
}

Result<Json> ApiClient::post(const std::string& path, const Json& body,
                             const std::string& idempotency_key) const {
  HttpCall call;
  call.method = "POST";
  call.target = "/api/v1" + path;
  if (!body.is_null()) {
    call.content_type = "application/json";
    call.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  if (!idempotency_key.empty()) call.headers.emplace_back("Idempotency-Key", idempotency_key);
  auto reply = checked(call);
  if (!reply) return fail(std::move(reply.error()));
  return parse(reply->body);
}

Result<Json> ApiClient::follow(std::int64_t job, std::int64_t& after,
                               const std::function<void(const Json& event)>& on_event) const {
  constexpr int kTries = 30;
  Json final_job;
  Error last_error{ErrorCode::kUnavailable, "the event stream broke off", {}};
  for (int failures = 0; failures < kTries;) {
    const std::int64_t before = after;
    const std::string target =
        "/api/v1/jobs/" + std::to_string(job) + "/events?after=" + std::to_string(after);
    const auto reply = http_.stream(target, [&](const StreamEvent& event) {
      const Json data = parse_untrusted_json<Json>(event.data);
      if (!data.is_object()) return true;
      std::from_chars(event.id.data(), event.id.data() + event.id.size(), after);
      if (event.type == "end") {
        final_job = data;
        return false;
      }
      on_event(data);
      return true;
    });
    if (!final_job.is_null()) return final_job;
    if (reply && reply->status != 200) {
      last_error = error_from_reply(*reply);
      if (last_error.code != ErrorCode::kUnavailable) return fail(std::move(last_error));
    }
    if (!reply) last_error = reply.error();
    failures = after > before ? 0 : failures + 1;
    std::this_thread::sleep_for(std::chrono::seconds(1));  // the daemon may be starting again
  }
  return fail(std::move(last_error));
}

}  // namespace crucible::server::cli
