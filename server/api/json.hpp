#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "merger/plan/merge.hpp"
#include "merger/recipe/method_info.hpp"
#include "server/service/service.hpp"

// The records as JSON; the one place that knows the field names. Unset optionals are null, times
// are RFC 3339 in UTC with milliseconds.
namespace crucible::server::api {

using Json = nlohmann::ordered_json;

std::string rfc3339(TimeMs time);

Json to_json(const Progress& progress);
Json to_json(const Error& error);
Json to_json(const Fault& fault);
enum class JobDetail { kSummary, kWithRecipe };
Json to_json(const Job& job, JobDetail detail = JobDetail::kSummary);
Json to_json(const JobEvent& event);
Json to_json(const QueueStatus& status);
Json to_json(const access::Token& token);  // without its digest
Json to_json(const ModelSummary& model);
Json to_json(const Model& model);
Json to_json(const Evaluation& evaluation);
Json to_json(const TaskComparison& comparison);
Json to_json(const ModelComparison& comparison);
Json to_json(const SuiteInfo& suite);
Json to_json(const Score& score);
Json to_json(const Leaderboard& board);
Json to_json(const Candidate& candidate);
Json to_json(const Sweep& sweep);
Json to_json(const plan::Preflight& preflight);
Json to_json(const recipe::MethodInfo& method);

// Text of a JSON value; invalid UTF-8 is replaced, never thrown on.
std::string dump(const Json& json);

// {items: [...], next_cursor: null or text}
template <typename T>
Json list_json(const std::vector<T>& items, const std::string& next_cursor = {}) {
  Json list = Json::array();
  for (const T& item : items) list.push_back(to_json(item));
  return Json{{"items", std::move(list)},
              {"next_cursor", next_cursor.empty() ? Json(nullptr) : Json(next_cursor)}};
}

// Untrusted JSON text: depth at most 64, no duplicate keys. Error kInvalidArgument with the
// position.
Result<Json> parse_json(std::string_view text);

}  // namespace crucible::server::api
