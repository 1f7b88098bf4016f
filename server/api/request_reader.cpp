#include "server/api/request_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "merger/recipe/text.hpp"
#include "merger/recipe/yaml_tree.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {
namespace {

constexpr std::array<std::string_view, 11> kBodyFields{
    "recipe",        "suites",          "name",    "seed", "parameter", "values", "path", "model",
    "compatibility", "allow_nonfinite", "priority"};
constexpr std::int64_t kLargestPriority = 100;
constexpr std::string_view kPriorityFault = "must be a whole number from -100 to 100";

std::optional<std::uint64_t> parse_natural(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string count_message(std::string_view what, std::size_t count) {
  return std::string(what) + " has " +
         (count == 1 ? std::string("one fault") : std::to_string(count) + " faults");
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (end > 0) items.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

const std::vector<std::string_view> kCompatibilities{"none", "mergekit"};

method::Compatibility compatibility_of(std::string_view word) {
  return method::parse_compatibility(word).value_or(method::Compatibility::kNone);
}

Parsed<MergeRequest> yaml_merge_request(const http::Request& request) {
  QueryReader query(request);
  MergeRequest out;
  out.submit.recipe = request.body;
  out.submit.suites = query.list("suites");
  out.submit.name = query.text("name");
  const std::string seed = query.text("seed");
  if (!seed.empty()) {
    const auto value = parse_natural(seed);
    if (!value) query.fault("seed", "must be a whole number from 0");
    out.submit.seed = value.value_or(0);
  }
  out.submit.compatibility = compatibility_of(query.choice("compatibility", kCompatibilities));
  out.submit.allow_nonfinite = query.choice("allow_nonfinite", {"true", "false"}) == "true";
  const std::string priority = query.text("priority");
  if (!priority.empty()) {
    const bool negative = priority.front() == '-';
    const auto size = parse_natural(std::string_view(priority).substr(negative ? 1 : 0));
    if (!size || *size > kLargestPriority) query.fault("priority", std::string(kPriorityFault));
    const auto value = static_cast<std::int64_t>(size.value_or(0));
    out.submit.submission.priority = negative ? -value : value;
  }
  if (auto refusal = query.finish()) return tl::make_unexpected(std::move(*refusal));
  return out;
}

}  // namespace

std::string QueryReader::text(std::string_view key) {
  known_.push_back(key);
  return std::string(request_.query_value(key).value_or(std::string_view()));
}

std::vector<std::string> QueryReader::list(std::string_view key) { return split_list(text(key)); }

std::optional<std::int64_t> QueryReader::integer(std::string_view key, std::int64_t least,
                                                 std::int64_t most) {
  known_.push_back(key);
  const auto given = request_.query_value(key);
  if (!given) return std::nullopt;
  const auto value = parse_natural(*given);
  if (value && *value >= static_cast<std::uint64_t>(least) &&
      *value <= static_cast<std::uint64_t>(most)) {
    return static_cast<std::int64_t>(*value);
  }
  fault(key,
        "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return std::nullopt;
}

std::string QueryReader::choice(std::string_view key, std::vector<std::string_view> words) {
  std::string value = text(key);
  if (!request_.query_value(key)) return value;
  if (std::find(words.begin(), words.end(), value) != words.end()) return value;
  fault(key, "`" + recipe::printable(value) + "` is not known here",
        "one of " + recipe::join(words));
  return {};
}

void QueryReader::fault(std::string_view key, std::string message, std::string suggestion) {
  faults_.push_back({"query." + std::string(key), std::move(message), std::move(suggestion)});
}

std::optional<http::Response> QueryReader::finish() {
  for (const auto& [key, value] : request_.query) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    std::string suggestion = recipe::did_you_mean(key, known_);
    if (suggestion.empty() && !known_.empty()) suggestion = "known here: " + recipe::join(known_);
    faults_.push_back({"query." + recipe::printable(key), "unknown query key", suggestion});
  }
  if (faults_.empty()) return std::nullopt;
  const std::string message = count_message("the query", faults_.size());
  return http::request_problem(Error{ErrorCode::kInvalidArgument, message, std::move(faults_)});
}

const Json* FieldReader::find(std::string_view key, bool required) {
  known_.push_back(key);
  const auto found = object_.find(std::string(key));
  if (found != object_.end() && !found->is_null()) return &*found;
  if (required) fault(std::string(key), "`" + std::string(key) + "` is missing");
  return nullptr;
}

const Json* FieldReader::any(std::string_view key, bool required) { return find(key, required); }

std::string FieldReader::text(std::string_view key, bool required) {
  const Json* value = find(key, required);
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  fault(std::string(key), "must be text");
  return {};
}

std::vector<std::string> FieldReader::texts(std::string_view key, bool required) {
  const Json* value = find(key, required);
  std::vector<std::string> out;
  if (value == nullptr) return out;
  if (!value->is_array()) {
    fault(std::string(key), "must be a list of names");
    return out;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    const Json& item = (*value)[i];
    if (item.is_string()) {
      out.push_back(item.get<std::string>());
    } else {
      fault(recipe::child_path(key, i), "must be text");
    }
  }
  return out;
}

std::uint64_t FieldReader::natural(std::string_view key) {
  const Json* value = find(key, false);
  if (value == nullptr) return 0;
  if (value->is_number_unsigned()) return value->get<std::uint64_t>();
  fault(std::string(key), "must be a whole number from 0");
  return 0;
}

bool FieldReader::boolean(std::string_view key) {
  const Json* value = find(key, false);
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->get<bool>();
  fault(std::string(key), "must be true or false");
  return false;
}

std::string FieldReader::choice(std::string_view key, std::vector<std::string_view> words) {
  std::string value = text(key);
  if (value.empty() || std::find(words.begin(), words.end(), value) != words.end()) return value;
  fault(std::string(key), "`" + recipe::printable(value) + "` is not known here",
        "one of " + recipe::join(words));
  return {};
}

std::optional<double> FieldReader::number(const Json& object, std::string_view key,
                                          std::string_view path) {
  const auto found = object.find(std::string(key));
  if (found != object.end() && found->is_number() && std::isfinite(found->get<double>())) {
    return found->get<double>();
  }
  fault(recipe::child_path(path, key), "must be a number");
  return std::nullopt;
}

void FieldReader::fault(std::string path, std::string message, std::string suggestion) {
  faults_.push_back({std::move(path), std::move(message), std::move(suggestion)});
}

std::optional<http::Response> FieldReader::finish() {
  for (const auto& [key, value] : object_.items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    std::string suggestion = recipe::did_you_mean(key, known_);
    if (suggestion.empty()) suggestion = "known here: " + recipe::join(known_);
    fault(recipe::child_path("", key), "unknown field", std::move(suggestion));
  }
  if (faults_.empty()) return std::nullopt;
  const std::string message = count_message("the request", faults_.size());
  return http::problem(Error{ErrorCode::kInvalidArgument, message, std::move(faults_)},
                       [](std::string_view path) { return "#" + http::json_pointer(path); });
}

Parsed<Json> json_object(const http::Request& request) {
  if (request.media_type() != "application/json") {
    return tl::make_unexpected(
        http::problem(415, "unsupported_media_type", "the body must be application/json"));
  }
  auto body = parse_json(request.body);
  if (!body) return tl::make_unexpected(http::request_problem(body.error()));
  if (body->is_object()) return std::move(*body);
  return tl::make_unexpected(
      http::problem(Error{ErrorCode::kInvalidArgument, "the body must be a JSON object", {}}));
}

RecipeText recipe_field(FieldReader& fields) {
  const Json* value = fields.any("recipe", true);
  if (value == nullptr) return {};
  if (value->is_string()) return {value->get<std::string>(), false};
  if (value->is_object()) return {dump(*value), true};
  fields.fault("recipe", "must be YAML text, or the recipe as an object");
  return {};
}

http::Response MergeRequest::fail(const Error& error) const {
  if (!is_json) return http::problem(error);
  const bool object = recipe_is_object;
  return http::problem(error,
                       [object](std::string_view path) { return body_pointer(path, object); });
}

std::int64_t read_priority(FieldReader& fields) {
  const Json* value = fields.any("priority");
  if (value == nullptr) return 0;
  if (value->is_number_integer()) {
    const auto priority = value->get<std::int64_t>();
    if (priority >= -kLargestPriority && priority <= kLargestPriority) return priority;
  }
  fields.fault("priority", std::string(kPriorityFault));
  return 0;
}

template <typename Submit>
void read_merge_options(FieldReader& fields, Submit& submit) {
  submit.seed = fields.natural("seed");
  submit.compatibility = compatibility_of(fields.choice("compatibility", kCompatibilities));
  submit.allow_nonfinite = fields.boolean("allow_nonfinite");
  submit.submission.priority = read_priority(fields);
}
template void read_merge_options(FieldReader&, SubmitMerge&);
template void read_merge_options(FieldReader&, SubmitSweep&);

Parsed<MergeRequest> merge_request(const http::Request& request) {
  auto key = idempotency_key(request);
  if (!key) return tl::make_unexpected(std::move(key.error()));
  const std::string type = request.media_type();
  Parsed<MergeRequest> out;
  if (type == "application/yaml" || type == "text/yaml" || type == "application/x-yaml") {
    out = yaml_merge_request(request);
  } else {
    if (type != "application/json") {
      return tl::make_unexpected(http::problem(
          415, "unsupported_media_type", "the body must be application/json or application/yaml"));
    }
    auto body = json_object(request);
    if (!body) return tl::make_unexpected(std::move(body.error()));
    FieldReader fields(*body);
    out = MergeRequest{};
    out->is_json = true;
    RecipeText recipe = recipe_field(fields);
    out->submit.recipe = std::move(recipe.text);
    out->recipe_is_object = recipe.is_object;
    out->submit.suites = fields.texts("suites");
    out->submit.name = fields.text("name");
    read_merge_options(fields, out->submit);
    if (auto refusal = fields.finish()) return tl::make_unexpected(std::move(*refusal));
  }
  if (!out) return out;
  out->submit.idempotency_key = std::move(*key);
  out->submit.submission.submitter = request.principal.token;
  return out;
}

Parsed<std::string> idempotency_key(const http::Request& request) {
  const std::string_view key = request.header("Idempotency-Key");
  const bool printable =
      std::all_of(key.begin(), key.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  if (key.size() <= 255 && printable) return std::string(key);
  return tl::make_unexpected(http::problem(
      400, "invalid_argument", "Idempotency-Key must be at most 255 printable ASCII characters"));
}

std::optional<std::int64_t> path_id(const http::Request& request) {
  const auto value = parse_natural(request.path_value("id"));
  if (!value || *value == 0 || *value > 9'000'000'000'000'000'000ULL) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

std::string body_pointer(std::string_view path, bool recipe_is_object) {
  const std::string pointer = http::json_pointer(path);
  const auto parts = recipe::split_path(path);
  const bool own = parts && std::find(kBodyFields.begin(), kBodyFields.end(),
                                      parts->front().first) != kBodyFields.end();
  if (own) return "#" + pointer;
  return recipe_is_object ? "#/recipe" + pointer : std::string("#/recipe");
}

std::optional<http::Response> over_quota(Service& service, const http::Request& request,
                                         std::size_t wanted) {
  const auto status = service.check_quota(request.principal, wanted);
  if (status) return std::nullopt;
  if (status.error().code != ErrorCode::kUnavailable) return http::problem(status.error());
  http::Response response = http::problem(429, "quota_exceeded", status.error().message);
  response.set("Retry-After", "10");
  return response;
}

http::Response json_response(int status, const Json& json) {
  http::Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body = dump(json);
  response.set("Cache-Control", "no-store");
  return response;
}

http::Response not_found(std::string_view what) {
  return http::problem(404, "not_found", "there is no such " + std::string(what));
}

}  // namespace crucible::server::api
