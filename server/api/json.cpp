#include "server/api/json.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <set>

#include "merger/recipe/text.hpp"
#include "server/search/document.hpp"
#include "server/service/score_json.hpp"

namespace crucible::server::api {
namespace {

template <typename T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json time_json(const std::optional<TimeMs>& time) {
  return time ? Json(rfc3339(*time)) : Json(nullptr);
}

// NaN and infinity have no JSON form.
Json number_json(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json number_json(const std::optional<double>& value) {
  return value ? number_json(*value) : Json(nullptr);
}

template <typename T>
Json array_json(const std::vector<T>& items) {
  Json list = Json::array();
  for (const T& item : items) list.push_back(to_json(item));
  return list;
}

Json scores_json(const std::map<std::string, Score>& scores) {
  Json out = Json::object();
  for (const auto& [suite, score] : scores) out[suite] = to_json(score);
  return out;
}

Json mean_json(const std::optional<Score>& mean) {
  if (!mean) return nullptr;
  return Json{{"value", number_json(mean->value)},
              {"standard_error", number_json(mean->standard_error)},
              {"interval", to_json(mean->interval)},
              {"items", mean->items},
              {"flagged", mean->flagged}};
}

Json trial_json(const Trial& trial) {
  return Json{{"value", trial.value},
              {"job_id", trial.job_id},
              {"state", to_string(trial.state)},
              {"model_id", optional_json(trial.model_id)},
              {"scores", scores_json(trial.scores)},
              {"mean", mean_json(trial.mean)}};
}

Json row_json(const LeaderboardRow& row) {
  return Json{{"rank", row.rank},           {"model", to_json(row.model)},
              {"origin", row.origin},       {"merge_method", row.merge_method},
              {"digest", row.digest},       {"parents", array_json(row.parents)},
              {"is_parent", row.is_parent}, {"sweep_id", optional_json(row.sweep_id)},
              {"tuned_on", row.tuned_on},   {"scores", scores_json(row.scores)},
              {"mean", mean_json(row.mean)}};
}

Json scalar_json(const recipe::Scalar& scalar) {
  return std::visit([](const auto& value) { return Json(value); }, scalar);
}

std::string_view name_of(recipe::BaseModelUse use) {
  switch (use) {
    case recipe::BaseModelUse::kIgnored:
      return "ignored";
    case recipe::BaseModelUse::kOptional:
      return "optional";
    case recipe::BaseModelUse::kRequired:
      return "required";
  }
  return "ignored";
}

}  // namespace

std::string rfc3339(TimeMs time) {
  using namespace std::chrono;
  const sys_time<milliseconds> point{milliseconds(time)};
  const auto day = floor<days>(point);
  const year_month_day date(day);
  const hh_mm_ss clock(point - day);
  std::array<char, 64> text{};
  const int size = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
      static_cast<int>(clock.subseconds().count()));
  return std::string(text.data(), static_cast<std::size_t>(size));
}

Json to_json(const Progress& progress) {
  return Json{{"stage", progress.stage},
              {"done", progress.done},
              {"total", progress.total},
              {"unit", progress.unit}};
}

Json to_json(const Fault& fault) {
  return Json{{"path", fault.path}, {"message", fault.message}, {"suggestion", fault.suggestion}};
}

Json to_json(const Error& error) {
  return Json{{"code", to_string(error.code)},
              {"message", error.message},
              {"errors", array_json(error.faults)}};
}

Json to_json(const Job& job, JobDetail detail) {
  const std::string self = "/api/v1/jobs/" + std::to_string(job.id);
  Json out{{"id", job.id},
           {"kind", to_string(job.kind)},
           {"state", to_string(job.state)},
           {"name", job.name},
           {"attempt", job.attempt},
           {"max_attempts", job.max_attempts},
           {"created_at", rfc3339(job.created_at)},
           {"updated_at", rfc3339(job.updated_at)},
           {"started_at", time_json(job.started_at)},
           {"finished_at", time_json(job.finished_at)},
           {"not_before", time_json(job.not_before)},
           {"cancel_requested", job.cancel_requested},
           {"progress", to_json(job.progress)},
           {"error", job.error ? to_json(*job.error) : Json(nullptr)},
           {"merge_method", job.merge_method},
           {"recipe_digest", job.recipe_digest},
           {"seed", job.seed},
           {"compatibility", method::name_of(job.compatibility)},
           {"allow_nonfinite", job.allow_nonfinite},
           {"suites", job.suites},
           {"model_id", optional_json(job.model_id)},
           {"parent_id", optional_json(job.parent_id)},
           {"children", job.children},
           {"sweep_id", optional_json(job.sweep_id)},
           {"submitter", job.submitter},
           {"priority", job.priority},
           {"links", {{"self", self}, {"events", self + "/events"}, {"log", self + "/log"}}}};
  if (detail == JobDetail::kWithRecipe) out["recipe"] = job.recipe;
  return out;
}

Json to_json(const JobEvent& event) {
  return Json{{"id", event.id},
              {"job_id", event.job_id},
              {"at", rfc3339(event.at)},
              {"type", event.type},
              {"state", to_string(event.state)},
              {"attempt", event.attempt},
              {"message", event.message},
              {"progress", to_json(event.progress)}};
}

Json to_json(const QueueStatus& status) {
  Json counts = Json::array();
  for (const QueueCount& count : status.counts) {
    counts.push_back(
        {{"kind", to_string(count.kind)}, {"state", to_string(count.state)}, {"jobs", count.jobs}});
  }
  Json pauses = Json::array();
  for (const QueuePause& pause : status.pauses) {
    pauses.push_back({{"kind", to_string(pause.kind)},
                      {"paused_at", rfc3339(pause.paused_at)},
                      {"paused_by", pause.paused_by}});
  }
  return Json{{"counts", std::move(counts)},
              {"pauses", std::move(pauses)},
              {"oldest_queued",
               {{"merge", time_json(status.oldest_merge)},
                {"evaluation", time_json(status.oldest_evaluation)}}},
              {"memory", {{"used", status.memory_used}, {"budget", status.memory_budget}}},
              {"disk", {{"free", status.disk_free}, {"floor", status.disk_floor}}},
              {"waiting_for", status.waiting_for}};
}

Json to_json(const access::Token& token) {
  return Json{{"id", token.id},
              {"name", token.name},
              {"role", access::to_string(token.role)},
              {"created_at", rfc3339(token.created_at)},
              {"expires_at", time_json(token.expires_at)},
              {"revoked_at", time_json(token.revoked_at)}};
}

Json to_json(const ModelSummary& model) { return Json{{"id", model.id}, {"name", model.name}}; }

Json to_json(const EndpointModel& endpoint) {
  return Json{{"name", endpoint.name},
              {"prompt_logprobs", endpoint.prompt_logprobs},
              {"generation", endpoint.generation},
              {"chat", endpoint.chat}};
}

Json to_json(const Model& model) {
  return Json{{"id", model.id},
              {"name", model.name},
              {"origin", model.origin},
              {"digest", model.digest},
              {"path", model.path},
              {"endpoint", model.endpoint ? to_json(*model.endpoint) : Json(nullptr)},
              {"architecture", model.architecture},
              {"dtype", model.dtype},
              {"parameters", model.parameters},
              {"weight_bytes", model.weight_bytes},
              {"created_at", rfc3339(model.created_at)},
              {"merge_method", model.merge_method},
              {"job_id", optional_json(model.job_id)},
              {"sweep_id", optional_json(model.sweep_id)},
              {"pinned_at", time_json(model.pinned_at)},
              {"removed_at", time_json(model.removed_at)},
              {"parents", array_json(model.parents)},
              {"children", array_json(model.children)}};
}

Json to_json(const Evaluation& evaluation) {
  return Json{{"id", evaluation.id},
              {"model", to_json(evaluation.model)},
              {"suite", evaluation.suite},
              {"suite_digest", evaluation.suite_digest},
              {"engine", evaluation.engine},
              {"dtype", evaluation.dtype},
              {"score", number_json(evaluation.score)},
              {"standard_error", number_json(evaluation.standard_error)},
              {"interval", to_json(evaluation.interval)},
              {"items", evaluation.items},
              {"seconds", number_json(evaluation.seconds)},
              {"created_at", rfc3339(evaluation.created_at)},
              {"job_id", optional_json(evaluation.job_id)},
              {"tasks", json_list(evaluation.tasks)},
              {"columns", json_list(evaluation.columns)},
              {"groups", json_list(evaluation.groups)},
              {"flags", evaluation.flags},
              {"prompt_tokens_asked", evaluation.prompt_tokens_asked},
              {"prompt_tokens_computed", evaluation.prompt_tokens_computed}};
}

Json to_json(const ModelComparison& comparison) {
  return Json{{"a", to_json(comparison.a)},
              {"b", to_json(comparison.b)},
              {"suite", comparison.suite},
              {"tasks", array_json(comparison.tasks)},
              {"overall", comparison.overall ? to_json(*comparison.overall) : Json(nullptr)},
              {"notes", comparison.notes}};
}

Json to_json(const TaskComparison& comparison) {
  return Json{{"task", comparison.task},
              {"metric", comparison.metric},
              {"filter", comparison.filter},
              {"higher_is_better", comparison.higher_is_better},
              {"items", comparison.items},
              {"mean_a", number_json(comparison.mean_a)},
              {"mean_b", number_json(comparison.mean_b)},
              {"wins", comparison.wins},
              {"losses", comparison.losses},
              {"ties", comparison.ties},
              {"difference", number_json(comparison.difference)},
              {"standard_error", number_json(comparison.standard_error)},
              {"interval", to_json(comparison.interval)},
              {"p", number_json(comparison.p)},
              {"test", comparison.test},
              {"told_apart", comparison.told_apart},
              {"further_items", optional_json(comparison.further_items)},
              {"verdict", comparison.verdict}};
}

Json to_json(const SuiteInfo& suite) {
  return Json{{"name", suite.name},
              {"description", suite.description},
              {"error", suite.error.empty() ? Json(nullptr) : Json(suite.error)},
              {"built_in", suite.built_in},
              {"missing", suite.missing},
              {"judge", suite.judge},
              {"tasks", suite.tasks},
              {"items", suite.items},
              {"digest", suite.digest}};
}

Json to_json(const Score& score) {
  return Json{{"value", number_json(score.value)},
              {"standard_error", number_json(score.standard_error)},
              {"interval", to_json(score.interval)},
              {"items", score.items},
              {"flagged", score.flagged},
              {"evaluation_id", optional_json(score.evaluation_id)}};
}

Json to_json(const Leaderboard& board) {
  Json rows = Json::array();
  for (const LeaderboardRow& row : board.rows) rows.push_back(row_json(row));
  return Json{{"suites", board.suites}, {"rows", std::move(rows)}};
}

namespace {

// Stored texts that are JSON themselves.
Json parsed(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? Json() : value;
}

// What the rest of the budget takes at the pace so far; a race may end sooner. Null before there is
// a pace, and when it is over.
Json eta_seconds(const Search& search) {
  const auto document = search::read_document(search.document);
  if (!document || is_final(search.job_state) || search.seconds <= 0) return nullptr;
  const search::Budget& budget = document->budget;
  const auto share = [](double spent, double all) { return all > 0 ? spent / all : 0.0; };
  const double done =
      std::max({share(static_cast<double>(search.evaluations), static_cast<double>(budget.items)),
                share(static_cast<double>(search.trials), static_cast<double>(budget.trials)),
                share(search.seconds, 60 * budget.minutes)});
  if (done <= 0) return nullptr;
  return std::max(0.0, search.seconds * (1 - done) / done);
}

Json search_json(const Search& search) {
  return Json{{"document", search.document},
              {"job_id", optional_json(search.job_id)},
              {"job_state", to_string(search.job_state)},
              {"progress", to_json(search.progress)},
              {"error", search.error ? to_json(*search.error) : Json()},
              {"trials", search.trials},
              {"racing", search.racing},
              {"evaluations", search.evaluations},
              {"seconds", search.seconds},
              {"eta_seconds", eta_seconds(search)},
              {"best", search.best ? to_json(*search.best) : Json()},
              {"result", search.result ? parsed(*search.result) : Json()}};
}

}  // namespace

Json to_json(const Candidate& candidate) {
  return Json{{"name", candidate.name},
              {"trial", optional_json(candidate.trial)},
              {"values", parsed(candidate.point)},
              {"recipe", candidate.recipe},
              {"model", candidate.model.empty() ? Json() : Json(candidate.model)},
              {"standing", candidate.standing},
              {"seen", candidate.seen},
              {"estimate", optional_json(candidate.estimate)},
              {"suites", parsed(candidate.suites)},
              {"failure", optional_json(candidate.failure)}};
}

Json to_json(const Sweep& sweep) {
  Json trials = Json::array();
  for (const Trial& trial : sweep.trials) trials.push_back(trial_json(trial));
  return Json{{"id", sweep.id},
              {"name", sweep.name},
              {"state", sweep.state},
              {"parameter", sweep.parameter},
              {"recipe", sweep.recipe},
              {"suites", sweep.suites},
              {"created_at", rfc3339(sweep.created_at)},
              {"best_trial", optional_json(sweep.best_trial)},
              {"trials", std::move(trials)},
              {"search", sweep.search ? search_json(*sweep.search) : Json()}};
}

Json to_json(const plan::Preflight& preflight) {
  return Json{{"architecture", preflight.architecture},
              {"layers", preflight.layers},
              {"tensors", preflight.tensors},
              {"parameters", preflight.parameters},
              {"output_bytes", preflight.output_bytes},
              {"input_bytes", preflight.input_bytes},
              {"memory_bytes", preflight.memory_bytes},
              {"free_disk_bytes", preflight.free_disk_bytes},
              {"dtype", preflight.dtype},
              {"warnings", array_json(preflight.warnings)}};
}

Json to_json(const recipe::MethodInfo& method) {
  Json parameters = Json::array();
  for (const recipe::ParameterInfo& info : method.parameters) {
    parameters.push_back(
        {{"name", info.name},
         {"kind", info.kind == recipe::ParameterKind::kBoolean ? "boolean" : "number"},
         {"per_model", info.per_model},
         {"required", info.required},
         {"default", info.default_value ? scalar_json(*info.default_value) : Json(nullptr)},
         {"minimum", number_json(info.minimum)},
         {"maximum", number_json(info.maximum)},
         {"meaning", info.meaning}});
  }
  return Json{{"name", method.name},
              {"meaning", method.meaning},
              {"base_model", name_of(method.base_model)},
              {"least_models", method.least_models},
              {"most_models", optional_json(method.most_models)},
              {"parameters", std::move(parameters)}};
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Json> parse_json(std::string_view text) {
  struct Refused {
    std::string message;
  };
  constexpr int kDepth = 64;
  std::vector<std::set<std::string>> keys;  // one set an open object
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (depth > kDepth) throw Refused{"nested deeper than 64 levels"};
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(parsed.get<std::string>()).second) {
      throw Refused{"the key \"" + recipe::printable(parsed.get<std::string>()) +
                    "\" stands twice"};
    }
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Refused& refusal) {
    return fail(ErrorCode::kInvalidArgument, "the body is not acceptable JSON: " + refusal.message);
  } catch (const Json::exception& exception) {
    return fail(ErrorCode::kInvalidArgument,
                "the body is not JSON: " + recipe::printable(exception.what(), 200));
  }
}

}  // namespace crucible::server::api
