#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "evaluator/engine/llama_model.hpp"
#include "evaluator/run/evaluation.hpp"
#include "evaluator/task/suite.hpp"
#include "merger/recipe/text.hpp"
#include "server/api/json.hpp"
#include "server/cli/interrupt.hpp"
#include "server/cli/local_commands.hpp"
#include "server/cli/progress_line.hpp"
#include "server/cli/views.hpp"

namespace crucible::server::cli {
namespace {

namespace fs = std::filesystem;

Result<engine::LlamaOptions> engine_options(const EvalCommandOptions& options) {
  engine::LlamaOptions out;
  out.threads = options.threads;
  out.weights_file = options.gguf;
  out.bos = options.bos ? engine::BosRule::kTokenizer : engine::BosRule::kNever;
  if (options.dtype == "f32") {
    out.weights = engine::WeightType::kF32;
  } else if (options.dtype == "bf16") {
    out.weights = engine::WeightType::kBF16;
  } else if (options.dtype == "f16") {
    out.weights = engine::WeightType::kF16;
  } else if (options.dtype == "q8_0") {
    out.weights = engine::WeightType::kQ8_0;
  } else {
    return fail(ErrorCode::kInvalidArgument, "--dtype must be f32, bf16, f16 or q8_0");
  }
  return out;
}

std::vector<fs::path> suite_folders(const EvalCommandOptions& options) {
  if (!options.suite_folders.empty()) {
    return {options.suite_folders.begin(), options.suite_folders.end()};
  }
  const char* environment = std::getenv("CRUCIBLE_SUITES");
  return {fs::path(environment != nullptr ? environment : "suites")};
}

// A file as it is, else the name of a suite in the folders.
Result<fs::path> find_suite(const std::string& name, const std::vector<fs::path>& folders) {
  std::error_code ignored;
  if (fs::is_regular_file(name, ignored)) return fs::path(name);
  const auto listing = task::list_suites(folders);
  std::vector<std::string_view> names;
  for (const auto& suite : listing) {
    if (suite.name == name) return suite.file;
    names.push_back(suite.name);
  }
  std::string message =
      "there is no suite `" + recipe::printable(name) + "`, neither as a file nor in ";
  for (const fs::path& folder : folders) message += folder.string() + " ";
  const std::string near = recipe::did_you_mean(name, names);
  if (!near.empty()) {
    message += "(" + near + ")";
  } else if (!names.empty()) {
    message += "(known: " + recipe::join(names) + ")";
  }
  return fail(ErrorCode::kNotFound, std::move(message));
}

Result<std::vector<task::Suite>> read_suites(const EvalCommandOptions& options) {
  std::vector<task::Suite> suites;
  const auto folders = suite_folders(options);
  for (const std::string& name : options.suites) {
    auto suite = find_suite(name, folders).and_then([](const fs::path& file) {
      return task::read_suite(file);
    });
    if (!suite) return fail(std::move(suite.error()));
    suites.push_back(std::move(*suite));
  }
  return suites;
}

std::optional<double> finite(double value) {
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

// The report in the API's form of an evaluation.
Json report_json(const run::EvaluationReport& report, const std::string& model) {
  Evaluation record;
  record.model.name = model;
  record.suite = report.suite;
  record.suite_digest = report.suite_digest.hex();
  record.engine = report.model.engine;
  record.dtype = report.model.dtype;
  record.score = report.score;
  record.standard_error = finite(report.stderr_);
  record.items = static_cast<std::int64_t>(report.items);
  record.seconds = report.seconds;
  for (const run::TaskResult& result : report.tasks) {
    TaskScore score{result.task,
                    result.version,
                    result.digest.hex(),
                    result.primary_metric,
                    static_cast<std::int64_t>(result.items),
                    {}};
    for (const run::Metric& metric : result.metrics) {
      score.metrics.push_back({metric.name, metric.value, finite(metric.stderr_)});
    }
    record.tasks.push_back(std::move(score));
  }
  Json json = api::to_json(record);
  json["model"] = model;
  for (const char* key : {"id", "created_at", "job_id"}) json.erase(key);
  return json;
}

Result<Json> evaluate_one(engine::LanguageModel& model, const task::Suite& suite,
                          const EvalCommandOptions& options, std::stop_token stop) {
  ProgressLine line(stderr, is_terminal(stderr));
  auto report =
      run::evaluate(model, suite, [&line](const Progress& progress) { line.show(progress); }, stop);
  line.finish();
  if (!report) return fail(std::move(report.error()).with_context("suite " + suite.name));
  const std::string name = fs::absolute(options.model).lexically_normal().string();
  if (!options.out.empty()) {
    auto written = run::write_report(*report, suite, name, options.out);
    if (!written) return fail(std::move(written.error()).with_context("writing the report"));
  }
  return report_json(*report, name);
}

}  // namespace

int eval(const EvalCommandOptions& options, const CommonOptions& common) {
  const InterruptGuard interrupt;
  const auto engine = engine_options(options);
  if (!engine) return report(engine.error(), common);
  const auto suites = read_suites(options);  // before the model: this is quick
  if (!suites) return report(suites.error(), common);
  auto model = engine::load_llama_model(options.model, *engine);
  if (!model) return report(model.error(), common);
  Json items = Json::array();
  for (const task::Suite& suite : *suites) {
    auto result = evaluate_one(**model, suite, options, interrupt.token());
    if (!result) return report(result.error(), common);
    if (!common.json) print(evaluation_view(*result));
    items.push_back(std::move(*result));
  }
  if (common.json) print_json(Json{{"items", std::move(items)}});
  return kSuccess;
}

}  // namespace crucible::server::cli
