#include "server/api/json.hpp"
#include "server/api/request_reader.hpp"
#include "server/evalserver/request.hpp"
#include "server/http/problem.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace crucible;
using namespace crucible::server;
using fuzz::require;

// A refusal is an answer of its own: a status of the client's fault and a body of JSON.
template <typename T>
bool taken(const api::Parsed<T>& parsed) {
  if (parsed) return true;
  require(parsed.error().status >= 400 && parsed.error().status < 500);
  require(!api::Json::parse(parsed.error().content(), nullptr, false).is_discarded());
  return false;
}

http::Request request_of(std::string_view type, std::string_view target, std::string_view body) {
  http::Request request;
  request.method = "POST";
  request.headers = {{"Content-Type", std::string(type)}, {"Idempotency-Key", std::string(target)}};
  if (auto split = http::parse_target(target)) {
    request.query = std::move(split->query);
    request.segments = std::move(split->segments);
  }
  request.body = body;
  return request;
}

void read_merge(const http::Request& request) {
  const auto merge = api::merge_request(request);
  if (taken(merge)) {
    const http::Response refused =
        merge->fail(Error{ErrorCode::kInvalidArgument, "x", {{"models[0].model", "y", ""}}});
    require(refused.status == 422 || refused.status == 400);
  }
  const auto key = api::idempotency_key(request);
  if (taken(key)) require(key->size() <= 255);
}

void read_fields(const http::Request& request) {
  const auto object = api::json_object(request);
  if (!taken(object)) return;
  api::FieldReader fields(*object);
  (void)fields.text("name", true);
  (void)fields.texts("suites");
  (void)fields.natural("seed");
  (void)fields.boolean("allow_nonfinite");
  (void)fields.choice("compatibility", {"none", "mergekit"});
  (void)fields.any("values");
  const std::int64_t priority = api::read_priority(fields);
  require(priority >= -100 && priority <= 100);
  if (const auto refusal = fields.finish()) require(refusal->status == 422);
}

void read_query(const http::Request& request) {
  api::QueryReader query(request);
  (void)query.text("name");
  (void)query.list("suites");
  if (const auto limit = query.integer("limit", 1, 500)) require(*limit >= 1 && *limit <= 500);
  (void)query.choice("state", {"queued", "running"});
  if (const auto refusal = query.finish()) require(refusal->status == 400);
}

// What an OpenAI client may send to `crucible eval-server`.
void read_completions(std::string_view text) {
  const auto json = evalserver::Json::parse(text, nullptr, false);
  if (const auto request = evalserver::read_completion(json); fuzz::accepted(request)) {
    require(request->prompts.size() * request->sampling.n <= evalserver::kMostPrompts);
    require(request->sampling.n >= 1 && request->sampling.n <= evalserver::kMostChoices);
  }
  if (const auto request = evalserver::read_chat(json); fuzz::accepted(request))
    require(request->sampling.settings.until.size() <= evalserver::kMostStops);
}

}  // namespace

// Bodies and queries of the API: a media type, a target and a body with zero bytes between them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const unsigned kind = input.choice(4);
  if (kind == 3) {
    read_completions(input.rest());
    return 0;
  }
  const std::string_view type = kind == 0 ? input.text() : "application/json";
  const std::string_view target = input.text();
  const http::Request request = request_of(type, target, input.rest());
  if (kind == 0) read_merge(request);
  if (kind == 1) read_fields(request);
  if (kind == 2) read_query(request);
  return 0;
}
