#include "server/cli/compare_command.hpp"

#include <filesystem>

#include "evaluator/run/compare_reports.hpp"
#include "server/api/json.hpp"
#include "server/cli/views.hpp"
#include "server/pipeline/evaluation_result.hpp"

namespace crucible::server::cli {
namespace {

namespace fs = std::filesystem;

std::string short_name(const std::string& folder) {
  const fs::path path = fs::path(folder).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

Result<Json> compare_folders(const CompareOptions& options) {
  auto a = run::read_report_folder(options.a);
  if (!a) return fail(std::move(a.error()));
  auto b = run::read_report_folder(options.b);
  if (!b) return fail(std::move(b.error()));
  std::string name_a = short_name(options.a);
  std::string name_b = short_name(options.b);
  if (name_a == name_b) {
    name_a = options.a;
    name_b = options.b;
  }
  auto compared = run::compare_reports(*a, *b, name_a, name_b);
  if (!compared) return fail(std::move(compared.error()));
  ModelComparison record = pipeline::record_of(*compared);
  record.a.name = name_a;
  record.b.name = name_b;
  return api::to_json(record);
}

Result<Json> compare_models(const CompareOptions& options, const CommonOptions& common) {
  std::string query = "?a=" + encode_component(options.a) + "&b=" + encode_component(options.b);
  if (!options.suite.empty()) query += "&suite=" + encode_component(options.suite);
  return connect(common).and_then(
      [&](const ApiClient& api) { return api.get("/comparisons" + query); });
}

}  // namespace

int compare(const CompareOptions& options, const CommonOptions& common) {
  std::error_code ignored;
  const bool is_folder_a = fs::is_directory(options.a, ignored);
  const bool is_folder_b = fs::is_directory(options.b, ignored);
  if (is_folder_a != is_folder_b) {
    return report(Error{ErrorCode::kInvalidArgument,
                        "name two report folders, or two models of a daemon",
                        {{is_folder_a ? "B" : "A", "is no folder", ""}}},
                  common);
  }
  auto compared = is_folder_a ? compare_folders(options) : compare_models(options, common);
  if (!compared) return report(compared.error(), common);
  if (common.json) {
    print_json(*compared);
  } else {
    print(comparison_view(*compared));
  }
  return kSuccess;
}

}  // namespace crucible::server::cli
