#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "evaluator/run/compare_reports.hpp"
#include "server/pipeline/evaluation_result.hpp"
#include "server/service/daemon_service.hpp"

// Two models on the items that both were evaluated on.
namespace crucible::server {
namespace {

// What is known of one side: its latest evaluation of each suite.
struct Side {
  ModelSummary model;
  std::map<std::string, Evaluation> latest;
};

Result<Side> side_of(store::Database& database, const std::string& name, const char* parameter) {
  if (name.empty()) {
    return fail(Error{ErrorCode::kInvalidArgument,
                      "two models are needed",
                      {{parameter, "is missing", "a model's name or id"}}});
  }
  auto stored = store::get_model(database, std::string_view(name));
  if (!stored) return fail(std::move(stored).error());
  auto evaluations = store::list_evaluations(database, stored->model.digest, "");
  if (!evaluations) return fail(std::move(evaluations).error());
  Side side{{stored->model.id, stored->model.name}, {}};
  for (Evaluation& evaluation : *evaluations) {  // newest first
    side.latest.try_emplace(evaluation.suite, std::move(evaluation));
  }
  return side;
}

Result<std::string> choose_suite(const Side& a, const Side& b, const std::string& suite) {
  std::vector<std::string> common;
  for (const auto& [name, evaluation] : a.latest) {
    if (b.latest.contains(name)) common.push_back(name);
  }
  if (!suite.empty()) {
    if (std::ranges::find(common, suite) != common.end()) return suite;
    const bool has_a = a.latest.contains(suite);
    return fail(ErrorCode::kNotFound,
                fmt::format("model \"{}\" has not been evaluated on suite \"{}\"",
                            has_a ? b.model.name : a.model.name, suite));
  }
  if (common.size() == 1) return common.front();
  if (common.empty()) {
    return fail(ErrorCode::kNotFound,
                fmt::format("models \"{}\" and \"{}\" have not been evaluated on the same suite",
                            a.model.name, b.model.name));
  }
  return fail(Error{ErrorCode::kInvalidArgument,
                    "both models have been evaluated on several suites",
                    {{"suite", "is missing", fmt::format("one of {}", fmt::join(common, ", "))}}});
}

}  // namespace

Result<ModelComparison> DaemonService::comparison(const std::string& a, const std::string& b,
                                                  const std::string& suite) {
  struct Sources {
    Side a, b;
    std::string suite, path_a, path_b;
  };
  auto sources = parts_.store.read([&](store::Database& database) -> Result<Sources> {
    auto left = side_of(database, a, "a");
    if (!left) return fail(std::move(left).error());
    auto right = side_of(database, b, "b");
    if (!right) return fail(std::move(right).error());
    auto chosen = choose_suite(*left, *right, suite);
    if (!chosen) return fail(std::move(chosen).error());
    auto path_a = store::samples_path(database, left->latest.at(*chosen).id);
    if (!path_a) return fail(std::move(path_a).error());
    auto path_b = store::samples_path(database, right->latest.at(*chosen).id);
    if (!path_b) return fail(std::move(path_b).error());
    return Sources{std::move(*left), std::move(*right), std::move(*chosen), std::move(*path_a),
                   std::move(*path_b)};
  });
  if (!sources) return fail(std::move(sources).error());
  auto items_a = run::read_compact_samples(sources->path_a);
  if (!items_a) return fail(std::move(items_a).error());
  auto items_b = run::read_compact_samples(sources->path_b);
  if (!items_b) return fail(std::move(items_b).error());
  auto compared =
      run::compare_reports(*items_a, *items_b, sources->a.model.name, sources->b.model.name);
  if (!compared) return fail(std::move(compared).error());
  ModelComparison record = pipeline::record_of(*compared);
  record.a = sources->a.model;
  record.b = sources->b.model;
  record.suite = sources->suite;
  return record;
}

}  // namespace crucible::server
