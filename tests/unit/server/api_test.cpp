#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "merger/recipe/recipe.hpp"
#include "server/api/json.hpp"
#include "server/api/openapi.hpp"
#include "server/api/request_reader.hpp"
#include "server/api/routes.hpp"
#include "tests/support/fake_service.hpp"

namespace crucible::server::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ApiTest : public testing::Test {
 protected:
  ApiTest() {
    register_routes(router_, service_);
    Job job;
    job.id = 1;
    job.state = JobState::kRetryWait;
    job.name = "half";
    job.recipe = "merge_method: linear\n";
    job.created_at = 1767323045678;
    job.not_before = 1767323045000;
    job.error = Error{ErrorCode::kNoSpace, "disk full", {{"models[0]", "m", "s"}}};
    job.children = {2, 3};
    service_.stored_jobs = {job};
    Model model;
    model.id = 1;
    model.name = "base";
    service_.stored_models = {model, model, model};
    service_.stored_models[1].id = 2;
    service_.stored_models[1].name = "org/words";
    service_.stored_models[1].recipe = "r: 1\n";
    service_.stored_models[2].id = 3;
    Sweep sweep;
    sweep.id = 1;
    service_.stored_sweeps = {sweep};
  }

  http::Response call(std::string method, std::string target, std::string body = "",
                      std::vector<http::Header> headers = {{"Content-Type", "application/json"}}) {
    http::Request request;
    request.method = std::move(method);
    request.target = std::move(target);
    auto parsed = http::parse_target(request.target);
    EXPECT_TRUE(parsed.has_value());
    request.segments = std::move(parsed->segments);
    request.query = std::move(parsed->query);
    request.headers = std::move(headers);
    request.body = std::move(body);
    auto match = router_.match(request.method, request.segments);
    EXPECT_NE(match.route, nullptr) << request.target;
    if (match.route == nullptr) return {};
    request.path_values = std::move(match.path_values);
    return match.route->handler(request);
  }
  static Json body(const http::Response& response) { return Json::parse(response.body); }

  FakeService service_;
  http::Router router_;
};

TEST_F(ApiTest, JobHasEveryDocumentedField) {
  const Json job = body(call("GET", "/api/v1/jobs/1"));
  EXPECT_EQ(job["state"], "retry_wait");
  EXPECT_EQ(job["created_at"], "2026-01-02T03:04:05.678Z");
  EXPECT_TRUE(job["started_at"].is_null());
  EXPECT_EQ(job["error"]["code"], "no_space");
  EXPECT_EQ(job["error"]["errors"][0]["path"], "models[0]");
  EXPECT_EQ(job["children"], Json::array({2, 3}));
  EXPECT_EQ(job["recipe"], "merge_method: linear\n");
  EXPECT_EQ(job["links"]["log"], "/api/v1/jobs/1/log");
  const Json list = body(call("GET", "/api/v1/jobs?state=retry_wait&limit=7&cursor=c"));
  EXPECT_FALSE(list["items"][0].contains("recipe"));
  EXPECT_EQ(list["next_cursor"], "next");
  EXPECT_EQ(service_.last_filter.limit, 7U);
  EXPECT_EQ(service_.last_filter.state, JobState::kRetryWait);
}

TEST_F(ApiTest, SubmitsAMergeInEachForm) {
  http::Response response = call(
      "POST", "/api/v1/merges",
      R"({"recipe": "merge_method: linear", "suites": ["a", "b"], "name": "n", "seed": 18446744073709551615})",
      {{"Content-Type", "application/json; charset=utf-8"}, {"Idempotency-Key", "k1"}});
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(http::find_header(response.headers, "Location"), "/api/v1/jobs/1");
  EXPECT_EQ(service_.last_merge.recipe, "merge_method: linear");
  EXPECT_THAT(service_.last_merge.suites, ElementsAre("a", "b"));
  EXPECT_EQ(service_.last_merge.seed, 18446744073709551615ULL);
  EXPECT_EQ(service_.last_merge.idempotency_key, "k1");
  call("POST", "/api/v1/merges?suites=x,y&name=z&seed=5", "merge_method: slerp\n",
       {{"Content-Type", "text/yaml"}});
  EXPECT_EQ(service_.last_merge.recipe, "merge_method: slerp\n");
  EXPECT_THAT(service_.last_merge.suites, ElementsAre("x", "y"));
  EXPECT_EQ(service_.last_merge.seed, 5U);
  call("POST", "/api/v1/merges",
       R"({"recipe": {"parameters": {"t": 0.1}, "merge_method": "slerp"}})");
  EXPECT_EQ(service_.last_merge.recipe, R"({"parameters":{"t":0.1},"merge_method":"slerp"})");
}

TEST_F(ApiTest, ReportsAllFaultsOfABody) {
  const http::Response response =
      call("POST", "/api/v1/merges", R"({"recipee": "x", "suites": [1, "a", 2], "seed": -1})");
  EXPECT_EQ(response.status, 422);
  const Json problem = body(response);
  std::vector<std::string> pointers;
  for (const Json& error : problem["errors"]) pointers.push_back(error["pointer"]);
  EXPECT_THAT(pointers, ElementsAre("#/recipe", "#/suites/0", "#/suites/2", "#/seed", "#/recipee"));
  EXPECT_EQ(problem["errors"][4]["suggestion"], "did you mean `recipe`?");
}

TEST_F(ApiTest, RecipeFaultsPointIntoTheBody) {
  const auto read = recipe::read_recipe(
      "merge_method: ties\nbase_model: b\nmodels: [{model: a, parameters: {wieght: 1}}]");
  ASSERT_FALSE(read.has_value());
  service_.failure = read.error();
  const Json object = body(call("POST", "/api/v1/merges", R"({"recipe": {"a": 1}})"));
  EXPECT_EQ(object["errors"][0]["pointer"], "#/recipe/models/0/parameters/wieght");
  EXPECT_EQ(object["errors"][0]["path"], "models[0].parameters.wieght");
  EXPECT_EQ(object["code"], "invalid_argument");
  EXPECT_EQ(object["status"], 422);
  const Json text = body(call("POST", "/api/v1/merges", R"({"recipe": "a: 1"})"));
  EXPECT_EQ(text["errors"][0]["pointer"], "#/recipe");
  const Json yaml = body(
      call("POST", "/api/v1/merges/preflight", "a: 1", {{"Content-Type", "application/yaml"}}));
  EXPECT_FALSE(yaml["errors"][0].contains("pointer"));
}

TEST_F(ApiTest, BadBodiesAndQueries) {
  EXPECT_EQ(call("POST", "/api/v1/merges", "x", {{"Content-Type", "text/plain"}}).status, 415);
  EXPECT_EQ(call("POST", "/api/v1/merges", "x", {}).status, 415);
  EXPECT_EQ(call("POST", "/api/v1/merges", "{").status, 400);
  EXPECT_EQ(call("POST", "/api/v1/merges", R"({"recipe": "a", "recipe": "b"})").status, 400);
  EXPECT_EQ(call("POST", "/api/v1/merges", std::string(100, '[') + std::string(100, ']')).status,
            400);
  EXPECT_EQ(call("POST", "/api/v1/merges", std::string(200'000, '[')).status, 400);
  EXPECT_EQ(call("POST", "/api/v1/merges", "[]").status, 422);
  EXPECT_EQ(call("GET", "/api/v1/jobs?stat=failed").status, 400);
  EXPECT_THAT(call("GET", "/api/v1/jobs?stat=failed").body, HasSubstr("did you mean `state`?"));
  EXPECT_EQ(call("GET", "/api/v1/jobs?state=sleeping").status, 400);
  EXPECT_EQ(call("GET", "/api/v1/jobs?limit=501").status, 400);
  EXPECT_EQ(call("GET", "/api/v1/jobs?limit=0").status, 400);
  EXPECT_EQ(call("GET", "/api/v1/jobs/x").status, 404);
  EXPECT_EQ(call("GET", "/api/v1/jobs/0").status, 404);
  EXPECT_EQ(call("GET", "/api/v1/jobs/99999999999999999999").status, 404);
  EXPECT_EQ(call("GET", "/api/v1/jobs/7").status, 404);
}

TEST_F(ApiTest, EveryErrorCodeHasItsStatus) {
  const std::vector<std::pair<ErrorCode, int>> table{
      {ErrorCode::kInvalidArgument, 422}, {ErrorCode::kNotFound, 404},
      {ErrorCode::kConflict, 409},        {ErrorCode::kUnsupported, 422},
      {ErrorCode::kCorrupt, 422},         {ErrorCode::kPermission, 403},
      {ErrorCode::kNoSpace, 507},         {ErrorCode::kIo, 500},
      {ErrorCode::kUnavailable, 503},     {ErrorCode::kDeadline, 504},
      {ErrorCode::kCancelled, 409},       {ErrorCode::kInternal, 500}};
  for (const auto& [code, status] : table) {
    service_.failure = Error{code, "no", {}};
    const http::Response response = call("POST", "/api/v1/jobs/1/cancel");
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_EQ(body(response)["code"], to_string(code));
  }
  service_.failure = Error{ErrorCode::kUnavailable, "no", {}};
  EXPECT_EQ(http::find_header(call("GET", "/readyz").headers, "Retry-After"), "1");
}

TEST_F(ApiTest, ModelsByNameAndInPages) {
  EXPECT_EQ(body(call("GET", "/api/v1/models/org%2Fwords"))["id"], 2);
  EXPECT_EQ(call("GET", "/api/v1/models/2/recipe").body, "r: 1\n");
  EXPECT_EQ(call("GET", "/api/v1/models/1/recipe").status, 404);
  const Json first = body(call("GET", "/api/v1/models?limit=2"));
  EXPECT_EQ(first["items"].size(), 2U);
  EXPECT_EQ(first["next_cursor"], "2");
  const Json last = body(call("GET", "/api/v1/models?limit=2&cursor=2"));
  EXPECT_EQ(last["items"][0]["id"], 3);
  EXPECT_TRUE(last["next_cursor"].is_null());
  EXPECT_TRUE(body(call("GET", "/api/v1/models"))["next_cursor"].is_null());
  const http::Response made = call("POST", "/api/v1/models", R"({"path": "/m/base"})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(http::find_header(made.headers, "Location"), "/api/v1/models/1");
}

TEST_F(ApiTest, SweepValuesAsListOrRange) {
  const std::string head =
      R"({"recipe": "a", "parameter": "parameters.t", "suites": ["s"], "values": )";
  EXPECT_EQ(call("POST", "/api/v1/sweeps", head + "[0.5, 1]}").status, 202);
  EXPECT_THAT(service_.last_sweep.values, ElementsAre(0.5, 1.0));
  EXPECT_EQ(call("POST", "/api/v1/sweeps", head + R"({"from": 0, "to": 1, "points": 5}})").status,
            202);
  EXPECT_THAT(service_.last_sweep.values, ElementsAre(0.0, 0.25, 0.5, 0.75, 1.0));
  for (const std::string bad :
       {"[]", "[\"a\"]", "{}", R"({"from": 0, "to": 1, "points": 1})", "7",
        R"({"from": 0, "to": 1, "points": 2.5})", R"({"from": 0, "to": 1, "points": 1e9})"}) {
    EXPECT_EQ(call("POST", "/api/v1/sweeps", head + bad + "}").status, 422) << bad;
  }
}

TEST_F(ApiTest, EvaluationTakesIdOrName) {
  EXPECT_EQ(call("POST", "/api/v1/evaluations", R"({"model": 3, "suites": ["s"]})").status, 202);
  EXPECT_EQ(service_.last_evaluation.model, "3");
  EXPECT_EQ(call("POST", "/api/v1/evaluations", R"({"model": "m", "suites": ["s"]})").status, 202);
  EXPECT_EQ(service_.last_evaluation.model, "m");
  EXPECT_EQ(call("POST", "/api/v1/evaluations", R"({"suites": ["s"]})").status, 422);
}

TEST_F(ApiTest, LeaderboardQueryAndETag) {
  LeaderboardRow row;
  row.rank = 1;
  row.scores["s"] = Score{0.5, std::nullopt, 10, 4};
  row.mean = Score{0.5, 0.1, 10, std::nullopt};
  service_.board = {{"s"}, {row}};
  const http::Response response =
      call("GET", "/api/v1/leaderboard?sort=name&method=ties&suites=s,t");
  EXPECT_EQ(service_.last_query.sort, "name");
  EXPECT_FALSE(service_.last_query.descending);
  EXPECT_THAT(service_.last_query.suites, ElementsAre("s", "t"));
  const Json board = body(response);
  EXPECT_TRUE(board["rows"][0]["scores"]["s"]["standard_error"].is_null());
  EXPECT_EQ(board["rows"][0]["scores"]["s"]["evaluation_id"], 4);
  EXPECT_FALSE(board["rows"][0]["mean"].contains("evaluation_id"));
  const std::string etag(http::find_header(response.headers, "ETag"));
  EXPECT_EQ(etag.size(), 34U);
  service_.board.rows[0].rank = 2;
  EXPECT_NE(http::find_header(call("GET", "/api/v1/leaderboard").headers, "ETag"), etag);
}

TEST_F(ApiTest, JobEventsResumeAndEnd) {
  JobEvent event;
  event.job_id = 1;
  for (event.id = 1; event.id <= 150; ++event.id) service_.add_event(event);
  auto first = call("GET", "/api/v1/jobs/1/events?after=20");
  ASSERT_NE(first.events, nullptr);
  auto step = first.events->next();
  ASSERT_TRUE(step.has_value());
  EXPECT_TRUE(step->more);
  EXPECT_THAT(step->text, HasSubstr("id: 21\nevent: job\ndata: {"));
  EXPECT_FALSE(first.events->next()->end);
  service_.set_job_state(1, JobState::kSucceeded);
  step = first.events->next();
  EXPECT_TRUE(step->end);
  EXPECT_THAT(step->text, HasSubstr("event: end\ndata: {\"id\":1"));
  auto resumed = call("GET", "/api/v1/jobs/1/events", "", {{"Last-Event-ID", "149"}});
  EXPECT_THAT(resumed.events->next()->text, HasSubstr("id: 150\n"));
  auto fresh = call("GET", "/api/v1/events");
  EXPECT_EQ(fresh.events->next()->text.find("id: "), std::string::npos);
}

TEST_F(ApiTest, MethodsAreTheTable) {
  const Json methods = body(call("GET", "/api/v1/methods"));
  ASSERT_EQ(methods["items"].size(), recipe::methods().size());
  EXPECT_EQ(methods["items"][0]["name"], std::string(recipe::methods()[0].name));
  EXPECT_EQ(methods["items"][0]["base_model"], "required");
}

TEST_F(ApiTest, OpenApiAndRouterNameTheSameRoutesAndRoles) {
  const Json document = Json::parse(openapi_json());
  EXPECT_EQ(document["openapi"], "3.1.0");
  std::set<std::string> documented, served;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      documented.insert(method + " " + path + " " + operation.value("x-crucible-role", "none"));
    }
  }
  for (const http::Route& route : router_.routes()) {
    std::string method = route.method;
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    served.insert(method + " " + route.pattern + " " + std::string(access::to_string(route.role)));
  }
  EXPECT_EQ(documented, served);
}

// Every local reference of the document leads somewhere.
void check_references(const Json& document, const Json& node) {
  if (node.is_object() && node.contains("$ref") && node["$ref"].is_string()) {
    const std::string reference = node["$ref"];
    ASSERT_TRUE(reference.starts_with("#/"));
    EXPECT_TRUE(document.contains(Json::json_pointer(reference.substr(1)))) << reference;
  }
  for (const auto& item : node) {
    if (item.is_structured()) check_references(document, item);
  }
}

TEST_F(ApiTest, OpenApiReferencesResolve) {
  const Json document = Json::parse(openapi_json());
  check_references(document, document);
  const Json& properties = document["components"]["schemas"]["Job"]["properties"];
  const Json job = body(call("GET", "/api/v1/jobs/1"));
  for (const auto& [key, value] : job.items()) EXPECT_TRUE(properties.contains(key)) << key;
  for (const Json& key : document["components"]["schemas"]["Job"]["required"]) {
    EXPECT_TRUE(job.contains(key.get<std::string>())) << key;
  }
}

TEST_F(ApiTest, AssetsByAcceptedEncoding) {
  http::Router router;
  static constexpr unsigned char kPlain[] = {'a'};
  static constexpr unsigned char kPacked[] = {'z'};
  const std::vector<web::Asset> assets{{"/", "text/html", "\"1\"", kPlain, false, false},
                                       {"/", "text/html", "\"1-gz\"", kPacked, true, false}};
  register_assets(router, assets);
  http::Request request;
  const auto match = router.match("GET", {});
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->handler(request).content(), "a");
  request.headers = {{"Accept-Encoding", "br, gzip"}};
  const http::Response packed = match.route->handler(request);
  EXPECT_EQ(packed.content(), "z");
  EXPECT_EQ(http::find_header(packed.headers, "Content-Encoding"), "gzip");
  EXPECT_THAT(std::string(http::find_header(packed.headers, "Content-Security-Policy")),
              HasSubstr("default-src 'none'"));
}

}  // namespace
}  // namespace crucible::server::api
